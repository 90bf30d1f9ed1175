"""How a function becomes machine code: once, kept on disk, without holding the GIL."""

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from numba import njit
from numba.core import config as _numba_config

P = ParamSpec("P")
R = TypeVar("R")

_settings: Any = _numba_config
_njit: Any = njit  # its types leave out the option for references
_PACKAGE = Path(__file__).parents[1]
_KERNELS = ("engine", "policies", "network")
"""The packages whose functions are compiled."""


@cache
def kernel_folder() -> str:
    """A folder named by a digest of the kernels' source. Numba looks only at the file of the
    function itself, and would go on with code compiled from an older version of what it calls."""
    digest = hashlib.blake2b(digest_size=8)
    for file in sorted(file for name in _KERNELS for file in (_PACKAGE / name).glob("*.py")):
        digest.update(file.read_bytes())
    chosen = _settings.CACHE_DIR
    beside = _PACKAGE / "__pycache__"
    base = Path(chosen) if chosen else beside
    if not chosen and not os.access(_PACKAGE, os.W_OK):
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "insula-simulator"
    return str(base / f"kernels-{digest.hexdigest()}")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile on first use and keep the result: beside the package, in the user's cache folder
    when the package is read-only, or in ``NUMBA_CACHE_DIR``.

    Every kernel is called with one set of types only, so that each is compiled once. Kernels hold
    no GIL: threads run the caches of different edges at the same time. They work in the memory that
    they are given, without counting references to it, which would cost more than most of what they
    do: a kernel that makes arrays ("NRT required but not enabled") is ``allocating`` instead.
    """
    return _kept(function, counts_references=False)


def allocating(function: Callable[P, R]) -> Callable[P, R]:
    """As ``compiled``, for a kernel that makes arrays; what it calls for each row does not."""
    return _kept(function, counts_references=True)


def _kept(function: Callable[P, R], *, counts_references: bool) -> Callable[P, R]:
    before = _settings.CACHE_DIR
    _settings.CACHE_DIR = kernel_folder()
    try:
        kernel: Callable[P, R] = _njit(
            cache=True,
            nogil=True,
            error_model="numpy",
            _nrt=counts_references,
            no_cfunc_wrapper=True,
        )(function)
    finally:
        _settings.CACHE_DIR = before
    return kernel
