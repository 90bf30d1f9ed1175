"""A trace played through a cache, counted."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

from insula_simulator.cache import Cache
from insula_simulator.trace import Request, TraceError

BATCH = 8192
"""Requests between two reports of progress."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a cache did with a trace. Ratios are between 0 and 1; the rate includes reading."""

    requests: int
    hits: int
    miss_ratio: float
    byte_miss_ratio: float
    requests_per_second: float


def replay(
    requests: Iterable[Request],
    cache: Cache,
    *,
    ignore_size: bool = False,
    on_batch: Callable[[int], None] = lambda done: None,
) -> Outcome:
    """Play a trace to its end. With ``ignore_size`` every object counts 1, so that the cache's
    capacity is a number of objects. ``on_batch`` hears the number of requests so far.

    Raises:
        TraceError: the trace is broken, or holds no request.
    """
    source = iter(requests)
    done = hits = asked_bytes = missed_bytes = 0
    started = time.perf_counter()
    while batch := list(islice(source, BATCH)):
        for key, full_size in batch:
            size = 1 if ignore_size else full_size
            asked_bytes += size
            if cache.access(key, size):
                hits += 1
            else:
                missed_bytes += size
        done += len(batch)
        on_batch(done)
    if not done:
        raise TraceError("the trace holds no request")
    return Outcome(
        requests=done,
        hits=hits,
        miss_ratio=(done - hits) / done,
        byte_miss_ratio=missed_bytes / asked_bytes,
        requests_per_second=round(done / (time.perf_counter() - started), 1),
    )
