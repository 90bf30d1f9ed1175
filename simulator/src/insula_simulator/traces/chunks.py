"""Requests as arrays, a chunk at a time: what every reader yields and every cache takes."""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CHUNK = 1 << 16
"""Requests of a chunk."""
LAST_NUMBER = 2**64
LARGEST = 1 << 44
"""Bytes of an object: beyond 16 TiB a size is a mistake, and sums of sizes would overflow."""
ANYWHERE = -1
"""The region of a request that names none."""


class TraceError(Exception):
    """The trace cannot be read; the message names the line or the record."""


class Chunk(NamedTuple):
    """Requests in order of time. A key is 64 bits; sizes are bytes, times seconds; ``following``
    is when the object is asked for next, where the trace says so; ``regions`` are places in the
    list of names that the reader was given, or ``ANYWHERE``."""

    keys: Ints
    sizes: Ints
    times: Floats
    following: Ints | None = None
    regions: Ints | None = None


Request = tuple[str, int, float, int]
"""An id as text, a size in bytes, a time in seconds, a region."""


def key_of(text: str) -> int:
    """The key of an id: a plain number is itself, other text 64 bits of its BLAKE2 hash."""
    if text.isascii() and text.isdigit() and (text[0] != "0" or text == "0") and len(text) <= 20:
        number = int(text)
        if number < LAST_NUMBER:
            return number
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def in_chunks(requests: Iterable[Request]) -> Iterator[Chunk]:
    """Gather single requests. Those of size 0 are left out: they cannot occupy a cache."""
    source = iter(requests)
    while batch := list(islice(source, CHUNK)):
        keys = np.array([key_of(text) for text, _, _, _ in batch], np.uint64).view(np.int64)
        sizes = np.array([size for _, size, _, _ in batch], np.int64)
        times = np.array([time for _, _, time, _ in batch], np.float64)
        regions = np.array([region for _, _, _, region in batch], np.int64)
        yield occupied(Chunk(keys, sizes, times, None, regions))


def occupied(chunk: Chunk) -> Chunk:
    """Without the requests of size 0, as libCacheSim's readers do."""
    kept = chunk.sizes > 0
    if kept.all():
        return chunk
    keys, sizes, times, following, regions = chunk
    return Chunk(
        keys[kept],
        sizes[kept],
        times[kept],
        None if following is None else following[kept],
        None if regions is None else regions[kept],
    )


def evenly(chunks: Iterable[Chunk], length: int, most: int) -> Iterator[Chunk]:
    """The first ``most`` requests, cut anew into chunks of one length (the last may be shorter)."""
    waiting: list[Chunk] = []
    held = 0
    for chunk in chunks:
        waiting.append(chunk)
        held += len(chunk.keys)
        while held >= min(length, most) and most > 0:
            whole, taken = _joined(waiting), min(length, most)
            yield _part(whole, slice(0, taken))
            waiting = [_part(whole, slice(taken, None))]
            held, most = held - taken, most - taken
        if most == 0:
            return
    if held:
        yield _joined(waiting)


def _joined(chunks: list[Chunk]) -> Chunk:
    if len(chunks) == 1:
        return chunks[0]
    return Chunk(
        np.concatenate([each.keys for each in chunks]),
        np.concatenate([each.sizes for each in chunks]),
        np.concatenate([each.times for each in chunks]),
        None,
        None
        if chunks[0].regions is None
        else np.concatenate([each.regions for each in chunks if each.regions is not None]),
    )


def _part(chunk: Chunk, rows: slice) -> Chunk:
    regions = None if chunk.regions is None else chunk.regions[rows]
    return Chunk(chunk.keys[rows], chunk.sizes[rows], chunk.times[rows], None, regions)
