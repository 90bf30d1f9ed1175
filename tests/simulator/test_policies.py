"""Our caches against libCacheSim's, request by request."""

import random
from collections.abc import Iterable
from itertools import accumulate

import libcachesim  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st
from insula_simulator.cache import POLICIES, Cache
from insula_simulator.trace import Request

ORACLES = {
    "lru": libcachesim.LRU,
    "fifo": libcachesim.FIFO,
    "clock": libcachesim.Clock,
    "sieve": libcachesim.Sieve,
}
SMALL_TABLE = 10  # the oracle's hash table starts with 2^10 places instead of 2^24


def oracle_hits(policy: str, requests: Iterable[Request], capacity: int) -> list[bool]:
    cache = ORACLES[policy](cache_size=capacity, hashpower=SMALL_TABLE)
    get = libcachesim.ReqOp.OP_GET
    return [
        cache.get(libcachesim.Request(obj_id=key, obj_size=size, op=get)) for key, size in requests
    ]


def our_hits(policy: str, requests: Iterable[Request], capacity: int) -> list[bool]:
    cache = POLICIES[policy](capacity)
    return [cache.access(key, size) for key, size in requests]


def zipf_requests(seed: int, *, sized: bool, count: int = 20_000) -> list[Request]:
    """Zipf 0.9 over 2,000 objects; sizes are lognormal, mostly 30 to 300 bytes."""
    chance = random.Random(seed)
    weights = list(accumulate((rank + 1) ** -0.9 for rank in range(2000)))
    keys = chance.choices(range(1, 2001), cum_weights=weights, k=count)
    sizes = {key: 1 + int(chance.lognormvariate(4.5, 1)) for key in range(1, 2001)}
    return [(key, sizes[key] if sized else 1) for key in keys]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("capacity", [1, 7, 100, 1500])
def test_hits_equal_libcachesim_on_zipf_when_objects_count_one(policy: str, capacity: int) -> None:
    requests = zipf_requests(capacity, sized=False)
    assert our_hits(policy, requests, capacity) == oracle_hits(policy, requests, capacity)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("capacity", [150, 5_000, 60_000, 250_000])
def test_hits_equal_libcachesim_on_zipf_when_objects_have_sizes(policy: str, capacity: int) -> None:
    requests = zipf_requests(capacity, sized=True)
    ours = our_hits(policy, requests, capacity)
    assert 0 < sum(ours) < len(ours)
    assert ours == oracle_hits(policy, requests, capacity)


hostile_requests = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 40)), max_size=200)
"""One object comes with many sizes, some larger than the cache."""


@pytest.mark.parametrize("policy", POLICIES)
@given(requests=hostile_requests, capacity=st.integers(1, 60))
def test_hits_equal_libcachesim_on_any_requests(
    policy: str, requests: list[Request], capacity: int
) -> None:
    assert our_hits(policy, requests, capacity) == oracle_hits(policy, requests, capacity)


@pytest.mark.parametrize("policy", POLICIES.values())
@given(requests=hostile_requests, capacity=st.integers(1, 60))
def test_a_cache_never_holds_more_than_fits(
    policy: type[Cache], requests: list[Request], capacity: int
) -> None:
    cache = policy(capacity)
    for key, size in requests:
        cache.access(key, size)
        assert 0 <= cache.used <= capacity


def test_a_cache_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one byte"):
        POLICIES["lru"](0)
