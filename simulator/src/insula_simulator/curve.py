"""Miss-ratio curves: caches of many sizes, fed the same trace in one pass."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from insula_simulator.cache import Cache
from insula_simulator.policies import POLICIES
from insula_simulator.replay import PERFECT
from insula_simulator.traces import Chunk, TraceError


@dataclass(frozen=True, slots=True)
class Point:
    """What a cache of one size missed."""

    size: int
    miss_ratio: float
    byte_miss_ratio: float


def sizes_between(least: int, most: int, points: int) -> list[int]:
    """Sizes in equal ratios from one to the other, without doubles."""
    return sorted({int(size) for size in np.geomspace(least, most, points).round()})


def curve(
    chunks: Iterable[Chunk],
    policy: str,
    sizes: list[int],
    *,
    ignore_size: bool = False,
    on_chunk: Callable[[int], None] = lambda done: None,
) -> list[Point]:
    """A point for each size; exact, not sampled. Memory is that of all the caches together.

    Raises:
        TraceError: the trace is broken, or holds no request.
        CacheTooSmall: a size has no room for the policy's parts.
        ValueError: the policy needs the whole trace at once.
    """
    if policy == PERFECT:
        raise ValueError(f"{policy} needs the whole trace at once: one size at a time")
    caches = [Cache(POLICIES[policy].name, size) for size in sizes]
    misses, missed = np.zeros(len(sizes), np.int64), np.zeros(len(sizes), np.int64)
    done = asked = 0
    with ThreadPoolExecutor() as pool:
        for chunk in chunks:
            weights = np.ones_like(chunk.sizes) if ignore_size else chunk.sizes
            played = pool.map(lambda cache: cache.replay(chunk.keys, weights) < 0, caches)  # noqa: B023
            for i, missing in enumerate(played):
                misses[i] += missing.sum()
                missed[i] += weights[missing].sum()
            done += len(weights)
            asked += int(weights.sum())
            on_chunk(done)
    if not done:
        raise TraceError("the trace holds no request")
    return [
        Point(size, int(misses[i]) / done, int(missed[i]) / asked) for i, size in enumerate(sizes)
    ]
