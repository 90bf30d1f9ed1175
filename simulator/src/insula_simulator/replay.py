"""A trace played through one cache, counted."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from insula_simulator.cache import NEVER, Cache
from insula_simulator.engine.compiled import kernel_folder
from insula_simulator.engine.state import Ints
from insula_simulator.policies import POLICIES
from insula_simulator.traces import Chunk, TraceError

PERFECT = "belady"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a cache did with a trace. Ratios are between 0 and 1; the rate includes reading, and
    not the compiling that a first run needs."""

    requests: int
    hits: int
    miss_ratio: float
    byte_miss_ratio: float
    requests_per_second: float


def is_compiled(policy: str) -> bool:
    """Whether an earlier run left the policy's machine code on disk."""
    return _mark(policy).exists()


def warm_up(policy: str) -> None:
    """Compile what the policy needs, or load it from disk: afterwards no request waits for it."""
    one = np.ones(1, np.int64)
    Cache(policy, 1000).replay(one, one, one)
    with suppress(OSError):
        _mark(policy).touch()


def _mark(policy: str) -> Path:
    return Path(kernel_folder()) / f"{POLICIES[policy].kernel.__name__}.compiled"


def replay(
    chunks: Iterable[Chunk],
    cache: Cache,
    *,
    ignore_size: bool = False,
    on_chunk: Callable[[int], None] = lambda done: None,
) -> Outcome:
    """Play a trace to its end. With ``ignore_size`` every object counts 1, so that the cache's
    capacity is a number of objects. ``on_chunk`` hears the number of requests so far. Memory does
    not grow with the trace, but for Belady's policy, which has to know the future.

    Raises:
        TraceError: the trace is broken, or holds no request.
    """
    done = hits = asked_bytes = missed_bytes = 0
    started = time.perf_counter()
    source = _with_future(chunks) if cache.policy.name == PERFECT else chunks
    for chunk in source:
        sizes = np.ones_like(chunk.sizes) if ignore_size else chunk.sizes
        hit = cache.replay(chunk.keys, sizes, chunk.following) >= 0
        hits += int(hit.sum())
        asked_bytes += int(sizes.sum())
        missed_bytes += int(sizes[~hit].sum())
        done += len(hit)
        on_chunk(done)
    if not done:
        raise TraceError("the trace holds no request")
    return Outcome(
        requests=done,
        hits=hits,
        miss_ratio=(done - hits) / done,
        byte_miss_ratio=missed_bytes / asked_bytes,
        requests_per_second=round(done / (time.perf_counter() - started), 1),
    )


def _with_future(chunks: Iterable[Chunk]) -> list[Chunk]:
    """The whole trace, each request with the position of the next one for its object: as recorded,
    or found here when the trace records none."""
    known = list(chunks)
    if any(each.following is not None and (each.following != NEVER).any() for each in known):
        return known
    following = next_requests(np.concatenate([each.keys for each in known] or [np.empty(0, int)]))
    start = 0
    answer = []
    for each in known:
        answer.append(each._replace(following=following[start : start + len(each.keys)]))
        start += len(each.keys)
    return answer


def next_requests(keys: Ints) -> Ints:
    """For each request the position of the next one for the same key, or ``NEVER``."""
    order = np.argsort(keys, kind="stable")
    following = np.full(len(keys), NEVER)
    again = keys[order[1:]] == keys[order[:-1]]
    following[order[:-1][again]] = order[1:][again]
    return following
