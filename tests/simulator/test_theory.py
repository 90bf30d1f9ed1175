"""The parts of the network against what theory says of them."""

import math
from typing import Any

import numpy as np
import pytest
from insula_simulator.cache import Cache
from insula_simulator.network.account import BUCKETS, FASTEST, PER_DECADE, quantile
from insula_simulator.network.latency import kilometres
from insula_simulator.network.routing import maglev_table, rendezvous_table, ring_table
from insula_simulator.network.servers import PoolRules, new_pool, serve
from insula_simulator.network.traffic import alias_table
from simulator.networks import PLACES

REQUESTS = 1_000_000


def pool_rules(servers: int, **changes: Any) -> PoolRules:
    return PoolRules(
        seed=7, service=1.0, spread=1.0, timeout=1e9, retry_budget=0.0, least=servers,
        most=servers, target=0.6, interval=60.0, boot=120.0, slow=np.zeros((0, 3)),
    )._replace(**changes)  # fmt: skip


def erlang_c(servers: int, load: float) -> float:
    """The probability of waiting in an M/M/c queue."""
    below = sum(load**k / math.factorial(k) for k in range(servers))
    top = load**servers / math.factorial(servers) / (1 - load / servers)
    return top / (below + top)


@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (4, 2.8), (16, 12.0)])
def test_waiting_is_within_2_percent_of_erlang_c(servers: int, load: float) -> None:
    arrivals = np.cumsum(np.random.default_rng(servers).exponential(1 / load, REQUESTS))
    answered = np.empty(REQUESTS)
    serve(new_pool(pool_rules(servers)), pool_rules(servers), arrivals, 0, answered)
    expected = 1.0 + erlang_c(servers, load) / (servers - load)
    assert answered.mean() == pytest.approx(expected, rel=0.02)
    waiting = answered.mean() - 1.0
    assert waiting == pytest.approx(expected - 1.0, rel=0.02)


def test_lru_is_within_1_percent_of_che() -> None:
    objects, size = 20_000, 2000
    weights = np.arange(1.0, objects + 1) ** -0.8
    weights /= weights.sum()
    low, high = 0.0, 1e9
    for _ in range(100):
        time = (low + high) / 2
        low, high = (time, high) if (1 - np.exp(-weights * time)).sum() < size else (low, time)
    expected = float((weights * (1 - np.exp(-weights * low))).sum())
    keys = np.random.default_rng(3).choice(objects, REQUESTS, p=weights)
    hits = Cache("lru", size).replay(keys, np.ones_like(keys)) >= 0
    assert hits[100_000:].mean() == pytest.approx(expected, rel=0.01)


def test_drawing_from_an_alias_table_follows_the_weights() -> None:
    weights = np.array([5.0, 1.0, 0.1, 3.9])
    threshold, alias = alias_table(weights)
    share = threshold.copy()
    for i, other in enumerate(alias):
        share[other] += 1 - threshold[i]
    assert share / 4 == pytest.approx(weights / 10)


NAMES = [f"edge {i}" for i in range(20)]


@pytest.mark.parametrize(
    ("table", "imbalance", "moved"),
    # Maglev trades a little more movement for balance (section 5.3 of its paper).
    [(maglev_table, 0.01, 1.8), (ring_table, 0.35, 1.02), (rendezvous_table, 0.1, 1.02)],
)
def test_hashing_balances_and_moves_little_when_a_site_goes(  # type: ignore[no-untyped-def]
    table, imbalance: float, moved: float
) -> None:
    before = table(NAMES)
    share = np.bincount(before, minlength=20) / len(before) * 20
    assert np.abs(share - 1).max() < imbalance
    after = table(NAMES[:-1])
    gone = before == 19
    changes = (before != after).mean()
    assert gone.mean() <= changes < moved * gone.mean()


@pytest.mark.parametrize("load", [0.3, 3.0, 7.0, 30.0])
def test_whom_nobody_has_to_wait_for_is_served_as_all_are(load: float) -> None:
    """Where servers are always as many and as quick, whole groups are served at once; one that is
    slow by a factor of 1 is served one by one."""
    arrivals = np.cumsum(np.random.default_rng(5).exponential(1 / load, 20_000))
    rules = pool_rules(8, timeout=40.0)
    slow = rules._replace(slow=np.array([[0.0, math.inf, 1.0]]))
    together, alone = np.empty(len(arrivals)), np.empty(len(arrivals))
    for each, answered in ((rules, together), (slow, alone)):
        pool = new_pool(each)
        for start in range(0, len(arrivals), 3000):
            part = slice(start, start + 3000)
            serve(pool, each, arrivals[part], start, answered[part])
    assert np.allclose(together, alone, rtol=0, atol=1e-9)
    assert (together < 0).any() == (load > 8)


def test_a_queue_that_outlasts_the_timeout_fails_and_retries_within_the_budget() -> None:
    arrivals = np.arange(0, 1000, 0.1)
    answered = np.empty(len(arrivals))
    rules = pool_rules(1, timeout=5.0, retry_budget=0.1)
    retries = serve(new_pool(rules), rules, arrivals, 0, answered)
    assert 0 < retries <= 0.1 * len(arrivals)
    served = answered[answered >= 0]
    assert len(served) == pytest.approx(1000, rel=0.15)
    assert served.max() <= 10.0 + 20.0  # a retry waits at most as long again, and is then served


def test_autoscaling_lags_by_interval_and_boot() -> None:
    arrivals = np.concatenate([np.arange(0, 600, 1.0), np.arange(600, 1800, 0.05)])
    answered = np.empty(len(arrivals))
    rules = pool_rules(2, most=60, spread=0.0, boot=120.0, target=0.5)
    pool = new_pool(rules)
    serve(pool, rules, arrivals, 0, answered)
    slow = arrivals[answered > 2.0]
    assert slow.min() >= 600
    assert 720 < slow.max() < 1500
    assert 35 <= pool.counts[2] <= 60


def test_distances_are_great_circles() -> None:
    frankfurt, new_york, _, sydney = (np.array([place]) for place in PLACES.values())
    assert kilometres(frankfurt, new_york)[0, 0] == pytest.approx(6200, rel=0.01)
    assert kilometres(frankfurt, sydney)[0, 0] == pytest.approx(16_490, rel=0.01)


def test_a_quantile_is_right_within_a_bucket() -> None:
    took = np.random.default_rng(1).lognormal(-3, 1, 100_000)
    buckets = (np.log10(took / FASTEST) * PER_DECADE).astype(int)
    histogram = np.bincount(buckets, minlength=BUCKETS)
    for share in (0.5, 0.9, 0.99):
        assert quantile(histogram, share) == pytest.approx(np.quantile(took, share), rel=0.02)
