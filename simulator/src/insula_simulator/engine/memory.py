"""Memory in which one looks up here and there: pages that come when they are touched, and large
ones, since otherwise finding the page takes longer than reading from it."""

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

LARGE = 1 << 20
"""Bytes from which on an array has pages of its own."""
_HUGE_PAGES = getattr(mmap, "MADV_HUGEPAGE", None)


def zeros(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """As ``numpy.zeros``. What is never written takes no memory."""
    count, kind = int(np.prod(shape)), np.dtype(dtype)
    if count * kind.itemsize < LARGE:
        return np.zeros(shape, kind)
    pages = mmap.mmap(-1, count * kind.itemsize, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if _HUGE_PAGES is not None:
        pages.madvise(_HUGE_PAGES)
    return np.frombuffer(pages, kind, count).reshape(shape)


def lengthened(array: npt.NDArray[Any], used: int, length: int) -> npt.NDArray[Any]:
    """The first ``used`` rows and further ones of zeros."""
    longer = zeros((length, *array.shape[1:]), array.dtype)
    longer[:used] = array[:used]
    return longer
