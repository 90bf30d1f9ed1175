"""Memory in which one looks up here and there: pages that come when they are touched, and large
ones, since otherwise finding the page takes longer than reading from it."""

import mmap
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

LARGE = 1 << 20
"""Bytes from which on an array has pages of its own."""
_HUGE_PAGES = getattr(mmap, "MADV_HUGEPAGE", None)
_spare: dict[int, list[mmap.mmap]] | None = None
"""Pages that nobody uses any more, by bytes, where they are kept."""


@contextmanager
def kept_pages() -> Iterator[None]:
    """Within it, this process keeps the pages of arrays that are gone for those to come: for who
    makes one run after another. For the kernel to get pages from a hypervisor and to clear them
    takes a tenth of a run, at times a quarter."""
    global _spare  # noqa: PLW0603 (the process's, as malloc's are)
    outside, _spare = _spare, {} if _spare is None else _spare
    try:
        yield
    finally:
        _spare = outside


def zeros(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """As ``numpy.zeros``. What is never written takes no memory."""
    if _bytes(shape, dtype) < LARGE:
        return np.zeros(shape, dtype)
    return _array(_fresh(_bytes(shape, dtype)), shape, dtype)


def anything(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """As ``numpy.empty``; new pages take no memory until they are written."""
    count = _bytes(shape, dtype)
    if count < LARGE:
        return np.empty(shape, dtype)
    if _spare is None:
        return _array(_fresh(count), shape, dtype)
    # By powers of two: arrays are never as long as those before them, but nearly.
    count = 1 << (count - 1).bit_length()
    kept = _spare.setdefault(count, [])
    try:
        pages = kept.pop()
    except IndexError:
        pages = _fresh(count)
    array = _array(pages, shape, dtype)
    weakref.finalize(array, kept.append, pages).atexit = False
    return array


def lengthened(array: npt.NDArray[Any], used: int, length: int) -> npt.NDArray[Any]:
    """The first ``used`` rows and further ones of zeros."""
    return _moved(array, used, zeros((length, *array.shape[1:]), array.dtype))


def lengthened_by_anything(array: npt.NDArray[Any], used: int, length: int) -> npt.NDArray[Any]:
    """The first ``used`` rows, and further ones that are written before they are read."""
    return _moved(array, used, anything((length, *array.shape[1:]), array.dtype))


def _moved(array: npt.NDArray[Any], used: int, longer: npt.NDArray[Any]) -> npt.NDArray[Any]:
    longer[:used] = array[:used]
    return longer


def _bytes(shape: tuple[int, ...], dtype: npt.DTypeLike) -> int:
    return int(np.prod(shape)) * np.dtype(dtype).itemsize


def _fresh(count: int) -> mmap.mmap:
    pages = mmap.mmap(-1, count, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if _HUGE_PAGES is not None:
        pages.madvise(_HUGE_PAGES)
    return pages


def _array(pages: mmap.mmap, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.ndarray(shape, dtype, pages)
