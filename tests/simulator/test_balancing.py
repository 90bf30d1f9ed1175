"""Servers with a queue each: what theory says of balancing them, and what balancers promise."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from insula_simulator.balanced import BalancedServers, Load
from insula_simulator.batch import Batch
from insula_simulator.network.farm import ACTIVE
from insula_simulator.network.servers import PoolRules
from insula_simulator.scenario import Ejection, Servers

Floats = npt.NDArray[np.float64]
CHUNK = 1 << 16


def site(faults: Any = (), **about: Any) -> BalancedServers:
    servers = Servers(**({"service": 1.0, "timeout": 1e9, "retry_budget": 0.0} | about))
    pool = PoolRules(
        7, servers.service, servers.spread, servers.timeout, servers.retry_budget, servers.count,
        max(servers.most, servers.count), servers.target, servers.interval, servers.boot,
        np.zeros((0, 3)),
    )  # fmt: skip
    return BalancedServers(pool, servers, np.array(faults, float).reshape(-1, 5))


def play(servers: BalancedServers, times: Floats, keys: Any = None) -> Floats:
    """Seconds each request took, -1 for a failure."""
    answered, zeros = np.empty(len(times)), np.zeros(len(times), np.int64)
    keys = zeros if keys is None else keys
    for start in range(0, len(times), CHUNK):
        part = slice(start, start + CHUNK)
        batch = Batch(zeros[part], keys[part], zeros[part], times[part], zeros[part])
        servers.serve(batch, start, answered[part])
    return answered


def poisson(rate: float, count: int, seed: int = 1) -> Floats:
    arrivals: Floats = np.cumsum(np.random.default_rng(seed).exponential(1 / rate, count))
    return arrivals


def loads(servers: BalancedServers, times: Floats) -> list[Load]:
    return servers.loads(float(times[-1]))


def test_two_choices_are_within_3_percent_of_the_mean_field() -> None:
    """Mitzenmacher 2001: the sum of load ** (2 ** i - 2), 2.614 service times at 0.9; a random
    server is an M/M/1 queue and takes 10."""
    servers, times = site(count=300, balancing="p2c"), poisson(270, 500_000)
    expected = sum(0.9 ** (2**i - 2) for i in range(1, 9))
    assert expected == pytest.approx(2.614, rel=0.001)
    assert play(servers, times)[150_000:].mean() == pytest.approx(expected, rel=0.03)
    random = play(site(count=300, balancing="random"), times)
    assert random[150_000:].mean() == pytest.approx(10, rel=0.05)


def test_one_queue_beats_least_connections_beats_round_robin_beats_random() -> None:
    times = poisson(8, 100_000)
    shortest, turns, chance = (
        play(site(count=10, balancing=policy), times).mean()
        for policy in ("least_connections", "round_robin", "random")
    )
    assert 1.2 < shortest < 0.7 * turns
    assert turns < 0.75 * chance
    assert chance == pytest.approx(5, rel=0.1)


@pytest.mark.parametrize("balancing", ["random", "least_connections", "ewma"])
def test_littles_law_holds_for_each_server(balancing: str) -> None:
    servers, times = site(count=4, balancing=balancing, speeds=[2.0, 0.9]), poisson(3, 100_000)
    answered = play(servers, times)
    found = loads(servers, times)
    assert sum(each.served for each in found) == len(times)
    for each in found:
        rate = each.served / times[-1]
        assert each.mean_connections == pytest.approx(rate * each.mean_seconds, rel=1e-9)
    total = sum(each.mean_connections for each in found)
    assert total == pytest.approx(len(times) / times[-1] * answered.mean(), rel=1e-9)


def test_what_knows_of_latency_spares_a_slow_server() -> None:
    times = poisson(500, 50_000)
    slow = {"count": 10, "speeds": [0.1], "service": 0.01}
    took = {
        policy: play(site(balancing=policy, **slow), times).mean() * 100
        for policy in ("round_robin", "p2c", "ewma")
    }
    assert took["round_robin"] > 50 > took["p2c"] > took["ewma"]
    assert took["p2c"] < 2.5


def test_smooth_weights_are_kept_and_spread_evenly() -> None:
    servers = site(count=3, balancing="weighted_round_robin", weights=[5.0, 1.0, 1.0], spread=0.0)
    order = []
    for second in range(14):
        before = [each.requests for each in _by_server(servers, 3)]
        play(servers, np.array([float(second * 100)]))
        after = [each.requests for each in _by_server(servers, 3)]
        order.append(int(np.argmax(np.subtract(after, before))))
    assert order[:7] == [0, 0, 1, 0, 2, 0, 0]  # NGINX's a a b a c a a
    assert order[7:] == order[:7]


def _by_server(servers: BalancedServers, count: int) -> list[Load]:
    known = {each.server: each for each in servers.loads(1.0)}
    none = Load(0, 0, 0, 0, 0.0, 0.0, 0.0, 0, 0)
    return [known.get(i + 1, none) for i in range(count)]


@pytest.mark.parametrize("bound", [1.1, 1.5])
def test_with_bounded_loads_no_server_is_over_the_bound(bound: float) -> None:
    """Mirrokni, Thorup and Zadimoghaddam 2018: at most the ceiling of ``bound`` times the mean."""
    servers = site(count=10, balancing="bounded_load", bound=bound, spread=0.0, service=1e6)
    keys = np.random.default_rng(2).zipf(1.5, 600)
    highest = 0.0
    for i, key in enumerate(keys):
        play(servers, np.array([float(i)]), np.array([key]))
        active = servers.farm.counts[:, ACTIVE]
        assert active.max() <= math.ceil(bound * (i + 1) / 10)
        highest = active.max() / (i + 1) * 10
    assert highest > 0.98 * bound  # which was put to the test
    unbounded = site(count=10, balancing="consistent_hash", spread=0.0, service=1e6)
    play(unbounded, np.arange(600.0), keys)
    assert max(each.most_connections for each in loads(unbounded, np.ones(1))) > 100


@pytest.mark.parametrize("balancing", ["consistent_hash", "maglev", "rendezvous"])
def test_few_keys_move_when_a_server_leaves(balancing: str) -> None:
    """A drained server's keys move, a tenth of all, and (nearly) no others."""
    keys, times = np.arange(20_000), np.arange(20_000.0)
    owned = []
    for faults in ((), (3, 0.0, 1e9, 3, 1.0)):
        servers = site(faults, count=10, balancing=balancing, spread=0.0, service=1e-6)
        before = np.zeros(10)
        owner = np.empty(len(keys), np.int64)
        for i in range(0, len(keys), 20):
            part = slice(i, i + 1)
            play(servers, times[part], keys[part])
            now = np.array([each.requests for each in _by_server(servers, 10)])
            owner[i] = int(np.argmax(now - before))
            before = now
        owned.append(owner[::20])
    moved = (owned[0] != owned[1]).mean()
    assert (owned[0] == 3).mean() == moved
    assert moved == pytest.approx(0.1, abs=0.035)


def test_maglev_balances_keys() -> None:
    servers = site(count=10, balancing="maglev", service=1e-6)
    play(servers, np.arange(100_000.0), np.arange(100_000))
    assert all(
        each.requests == pytest.approx(10_000, rel=0.04) for each in loads(servers, np.ones(1))
    )


def test_an_ejected_server_is_left_out_for_longer_each_time() -> None:
    """Five failures, 30 seconds, five failures, 60 seconds, ... until it is well again;
    it returns at the next of the reviews, which are ten seconds apart."""
    broken = (0, 0.0, 500.0, 0, 1.0)
    rules = Ejection()
    servers = site(broken, count=4, balancing="round_robin", service=0.01, ejection=rules)
    times = np.arange(0.0, 1000.0, 0.1)
    answered = play(servers, times)
    failed = times[answered < 0]
    starts = failed[np.diff(failed, prepend=-100.0) > 5]
    assert len(failed) == 5 * len(starts)
    assert np.diff(starts).tolist() == pytest.approx([40, 70, 100, 130], abs=2)
    assert failed.max() < 500
    first = _by_server(servers, 4)[0]
    assert (first.errors, first.ejections) == (len(failed), len(starts))
    assert first.requests > 1000  # it returned


def test_no_more_servers_are_ejected_than_the_rules_let_go() -> None:
    broken = [(s, 0.0, 1e9, 0, 1.0) for s in range(8)]
    rules = Ejection(most=0.5)
    servers = site(broken, count=10, balancing="round_robin", service=0.01, ejection=rules)
    answered = play(servers, np.arange(0.0, 25.0, 0.01))
    assert (answered[500:] < 0).mean() == pytest.approx(3 / 5, abs=0.02)


def test_a_server_that_errs_now_and_then_is_found_by_its_success_rate() -> None:
    errs = (2, 0.0, 1e9, 1, 0.2)
    rules = Ejection(consecutive=0, deviations=1.9)
    plain, watched = (
        site(errs, count=10, balancing="random", service=0.001, ejection=each)
        for each in (None, rules)
    )
    times = np.arange(0.0, 60.0, 0.005)
    assert (play(plain, times) < 0).mean() == pytest.approx(0.02, rel=0.3)
    assert (play(watched, times) < 0).mean() < 0.012
    assert _by_server(watched, 10)[2].ejections >= 1


def test_failures_are_tried_elsewhere_within_the_budget() -> None:
    dead = (0, 0.0, 1e9, 0, 1.0)
    times = np.arange(0.0, 100.0, 0.01)
    about: dict[str, Any] = {"count": 4, "balancing": "round_robin", "service": 0.001}
    ample = play(site(dead, **about, retry_budget=0.5), times)
    assert (ample < 0).sum() <= 1
    scarce = play(site(dead, **about, retry_budget=0.1), times)
    assert (scarce < 0).mean() == pytest.approx(0.25 - 0.1, abs=0.03)


def test_draining_sends_nothing_more_and_loses_nothing() -> None:
    drained = (0, 100.0, 200.0, 3, 1.0)
    times = np.arange(0.0, 300.0, 0.5)
    servers = site(drained, count=2, balancing="round_robin", spread=0.0, service=0.9)
    assert (play(servers, times) > 0).all()
    assert _by_server(servers, 2)[0].requests == pytest.approx(200, abs=5)


def test_a_slow_start_spares_a_server_that_returns() -> None:
    drained = (0, 0.0, 100.0, 3, 1.0)
    times = np.arange(100.0, 200.0, 0.01)
    shares = []
    for slow_start in (0.0, 100.0):
        servers = site(
            drained, count=2, balancing="round_robin", service=1e-6, slow_start=slow_start
        )
        play(servers, times)
        shares.append(_by_server(servers, 2)[0].requests / len(times))
    assert shares[0] == pytest.approx(0.5, abs=0.01)
    expected = 1 - math.log(2)  # the mean of x / (1 + x): its weight grows from 0 to 1
    assert shares[1] == pytest.approx(expected, abs=0.02)


def test_timeouts_in_a_queue_fail_and_are_counted_for_the_server() -> None:
    servers = site(count=2, balancing="round_robin", spread=0.0, timeout=5.0)
    times = np.arange(0.0, 200.0, 0.25)
    answered = play(servers, times)
    served = answered[answered >= 0]
    assert served.max() <= 6.0
    assert len(served) == pytest.approx(400, rel=0.05)
    assert sum(each.errors for each in loads(servers, times)) == (answered < 0).sum()


def test_servers_that_are_not_needed_finish_before_they_go() -> None:
    servers = site(
        count=2, most=40, balancing="least_connections", spread=0.0, target=0.5, boot=30.0
    )
    times = np.concatenate([np.arange(0, 600, 0.1), np.arange(600, 3000, 2.0)])
    answered = play(servers, times)
    assert (answered > 0).all()
    assert 18 <= servers.peak <= 40
    always = servers.peak * 3000
    assert servers.server_seconds < 0.4 * always


def test_chunks_of_any_length_give_the_same() -> None:
    times = poisson(8, 3000)
    whole = play(site(count=10, balancing="p2c"), times)
    pieces = site(count=10, balancing="p2c")
    apart = [
        play_at(pieces, times[start : start + 100], start) for start in range(0, len(times), 100)
    ]
    assert np.array_equal(np.concatenate(apart), whole)


def play_at(servers: BalancedServers, times: Floats, first: int) -> Floats:
    answered, zeros = np.empty(len(times)), np.zeros(len(times), np.int64)
    servers.serve(Batch(zeros, zeros, zeros, times, zeros), first, answered)
    return answered
