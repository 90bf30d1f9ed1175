"""Our caches against libCacheSim's, request by request."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from insula_simulator.cache import Cache
from insula_simulator.policies import POLICIES, CacheTooSmall
from insula_simulator.replay import next_requests
from simulator.oracle import ORACLES, Ints, oracle_hits

REQUESTS = 8000
OBJECTS = 1500


def our_hits(
    policy: str, keys: Ints, sizes: Ints, following: Ints, capacity: int
) -> npt.NDArray[np.bool_]:
    """Played in chunks of uneven length: where a chunk ends must not matter."""
    cache = Cache(policy, capacity)
    cuts = [0, 1, 700, 701, 3000, len(keys)]
    parts = []
    for start, end in pairwise(cuts):
        part = slice(start, end)
        parts.append(cache.replay(keys[part], sizes[part], following[part]))
        assert 0 <= cache.used <= capacity
    hits: npt.NDArray[np.bool_] = np.concatenate(parts) >= 0
    return hits


def zipf_trace(seed: int, *, sized: bool) -> tuple[Ints, Ints, Ints]:
    """Zipf 0.9 over ids of 63 bits; sizes are lognormal, mostly 30 to 700 bytes."""
    chance = np.random.default_rng(seed)
    weights = 1 / np.arange(1, OBJECTS + 1) ** 0.9
    ranks = chance.choice(OBJECTS, REQUESTS, p=weights / weights.sum())
    ids = chance.integers(1, 2**63, OBJECTS)
    sizes = np.maximum(1, chance.lognormal(5, 1.5, OBJECTS)).astype(np.int64)
    keys = ids[ranks]
    return keys, sizes[ranks] if sized else np.ones_like(keys), next_requests(keys)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("capacity", [100, 240, 900])
def test_hits_equal_libcachesim_when_objects_count_one(policy: str, capacity: int) -> None:
    trace = zipf_trace(capacity, sized=False)
    ours = our_hits(policy, *trace, capacity)
    assert 0 < ours.sum() < REQUESTS
    assert (ours == oracle_hits(policy, *trace, capacity)).all()


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("capacity", [3_000, 40_000, 250_000])
def test_hits_equal_libcachesim_when_objects_have_sizes(policy: str, capacity: int) -> None:
    trace = zipf_trace(capacity, sized=True)
    ours = our_hits(policy, *trace, capacity)
    assert 0 < ours.sum() < REQUESTS
    assert (ours == oracle_hits(policy, *trace, capacity)).all()


ROBUST = ["lru", "fifo", "clock", "sieve", "lfu", "gdsf", "arc", "belady"]
"""The rest of libCacheSim's end the process in a cache that has no room for their parts."""
hostile_requests = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 40)), max_size=200)
"""One object comes with many sizes, some larger than the cache."""


@pytest.mark.parametrize("policy", ROBUST)
@given(requests=hostile_requests, capacity=st.integers(1, 60))
def test_hits_equal_libcachesim_on_any_requests(
    policy: str, requests: list[tuple[int, int]], capacity: int
) -> None:
    keys, sizes = np.array(requests, np.int64).reshape(-1, 2).T.copy()
    trace = keys, sizes, next_requests(keys)
    assert (our_hits(policy, *trace, capacity) == oracle_hits(policy, *trace, capacity)).all()


@pytest.mark.parametrize("policy", sorted(set(ORACLES) - set(ROBUST)))
@given(requests=hostile_requests, capacity=st.integers(100, 300))
def test_a_cache_never_holds_more_than_fits(
    policy: str, requests: list[tuple[int, int]], capacity: int
) -> None:
    keys, sizes = np.array(requests, np.int64).reshape(-1, 2).T.copy()
    our_hits(policy, keys, sizes, next_requests(keys), capacity)


def test_no_policy_beats_belady_when_objects_count_one() -> None:
    trace = zipf_trace(1, sized=False)
    best = our_hits("belady", *trace, 200).sum()
    others = {policy: our_hits(policy, *trace, 200).sum() for policy in POLICIES}
    assert max(others.values()) == best
    assert [policy for policy, hits in others.items() if hits == best] == ["belady"]


@pytest.mark.parametrize("policy", ["lru", "fifo", "clock", "sieve"])
def test_a_queue_is_the_same_once_what_it_left_behind_is_swept_up(policy: str) -> None:
    """A queue's log is swept when it is full, which short chunks make it many times."""
    keys, sizes, following = (np.tile(column, 5) for column in zipf_trace(7, sized=True))
    cache = Cache(policy, 40_000)
    parts = [
        cache.replay(keys[start : start + 100], sizes[start : start + 100])
        for start in range(0, len(keys), 100)
    ]
    hits = np.concatenate(parts) >= 0
    assert len(cache.state.log) < len(keys) / 8
    assert (hits == oracle_hits(policy, keys, sizes, following, 40_000)).all()


@pytest.mark.parametrize("policy", ["lru", "sieve", "s3fifo"])
def test_what_is_there_is_found_however_the_table_has_grown(policy: str) -> None:
    keys = np.random.default_rng(1).permutation(300_000)
    ones, cache = np.ones_like(keys), Cache(policy, 10_000_000)
    for part in np.array_split(keys, 300):
        assert (cache.replay(part, ones[: len(part)]) < 0).all()
    assert (cache.replay(keys, ones) >= 0).all()


def test_memory_follows_what_a_cache_knows_and_not_the_trace() -> None:
    cache = Cache("arc", 500)
    lengths = set()
    for start in range(0, 400_000, 2000):
        fresh = np.arange(start, start + 2000)
        cache.replay(fresh, np.ones_like(fresh))
        lengths.add((cache.known, len(cache.state.table)))
    assert max(lengths) < (10_000, 40_000)


@pytest.mark.parametrize("policy", ["slru", "twoq", "lirs", "s3fifo", "wtinylfu"])
def test_a_cache_without_room_for_its_parts_is_refused(policy: str) -> None:
    with pytest.raises(CacheTooSmall, match="needs a size of at least"):
        Cache(policy, 1)
