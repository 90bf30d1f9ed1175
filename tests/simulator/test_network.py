"""Whole networks: conserved, reproducible, and moved by what should move them."""

from mmap import mmap
from typing import Any

import numpy as np
import pytest
from insula_simulator.engine import memory
from insula_simulator.engine.memory import kept_pages
from insula_simulator.results import Result, series, summarise
from insula_simulator.simulation import Simulation
from simulator.networks import PLACES, scenario


def outcome(threads: int = 1, **changes: Any) -> Result:
    simulation = Simulation(scenario(**changes), threads)
    simulation.run()
    return summarise(simulation)


def test_every_request_has_one_fate_and_what_is_asked_arrives() -> None:
    result = outcome()
    assert sum(result.fates.values()) == result.requests == 60_000
    assert sum(edge.requests for edge in result.edges) == 60_000
    assert sum(edge.asked_upstream for edge in result.edges) == result.shields[0].requests
    assert result.shields[0].asked_upstream == result.origin.requests
    assert 0.2 < result.hit_ratio < 0.95
    assert result.hit_ratio < result.request_offload < 1


def test_the_result_is_the_same_for_any_number_of_threads_and_each_time() -> None:
    flash = [{"start": 900.0, "duration": 600.0, "multiplier": 3.0, "objects": 5}]
    changes: dict[str, Any] = {
        "requests": 300_000,
        "traffic": {"objects": 5000, "drift": 2.0, "flash": flash},
    }
    one, two = outcome(1, **changes), outcome(2, **changes)
    assert one == two
    assert outcome(1, seed=2, **changes) != one


def test_runs_in_pages_that_others_have_left_are_the_same() -> None:
    def of(policy: str) -> Result:
        edges = [
            edge | {"cache": {"size": 30_000_000, "policy": policy}}
            for edge in scenario_edges(*PLACES)
        ]
        return outcome(requests=100_000, edges=edges)

    policies = ("lru", "sieve", "lirs", "gdsf", "wtinylfu", "s3fifo")
    fresh = [of(policy) for policy in policies]
    with kept_pages():
        for _ in range(2):
            assert [of(policy) for policy in policies] == fresh


def test_arrays_of_other_lengths_use_kept_pages_too(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[int] = []

    def fetch(count: int) -> mmap:
        fetched.append(count)
        return mmap(-1, count)

    monkeypatch.setattr(memory, "_fresh", fetch)
    with kept_pages():
        for length in range(140_000, 260_000, 1000):
            memory.anything((length,), np.int64)[:] = 1
    assert len(fetched) == 1


def test_what_learns_while_it_runs_is_the_same_for_any_number_of_threads() -> None:
    """Steering by probes, tuned admission, autoscaling, variants: 150,000 requests are chunks."""
    site = {"cache": {"size": 10_000_000, "admission": {"window": 5000}}}
    steps = [{"above": 0.6, "add": 2}, {"below": 0.2, "add": -1}]
    servers = {"count": 2, "most": 40, "service": 0.2, "boot": 60.0, "scaling": {"steps": steps}}
    pages = {"name": "pages", "objects": 5000, "vary": [{"name": "a"}, {"name": "b"}]}
    about: dict[str, Any] = {
        "requests": 150_000,
        "traffic": {"classes": [pages]},
        "edges": [edge | site | {"servers": servers} for edge in scenario_edges(*PLACES)],
        "routing": {"policy": "latency", "measured": {"age": 30.0}},
    }
    one, four = (outcome(threads, **about) for threads in (1, 4))
    assert one == four
    assert any(place.scaled for place in one.edges)
    assert all(place.admission_scale != 10_000_000 for place in one.edges)


def test_littles_law_holds_in_the_report() -> None:
    result = outcome()
    rate = result.requests / result.seconds
    assert result.rate_times_latency == pytest.approx(rate * result.latency["mean"])
    assert result.in_flight == pytest.approx(result.rate_times_latency, rel=0.02)
    assert result.in_flight != result.rate_times_latency  # counted, not the same sum again


def test_users_far_from_the_origin_wait_longer_for_what_is_not_near() -> None:
    far = outcome(edges=scenario_edges("Frankfurt"))
    near = outcome()
    for region in ("New York", "Singapore", "Sydney"):
        assert near.latency_by_region[region]["p50"] < far.latency_by_region[region]["p50"]
    frankfurt = near.latency_by_region["Frankfurt"]["p99"]
    assert frankfurt < near.latency_by_region["Sydney"]["p99"]


def scenario_edges(*names: str) -> list[dict[str, Any]]:
    return [
        {"name": edge.name, "latitude": edge.latitude, "longitude": edge.longitude,
         "cache": {"size": edge.cache.size}}
        for edge in scenario().edges
        if edge.name in names
    ]  # fmt: skip


def test_collapsing_spares_the_origin_a_crowd() -> None:
    changes: dict[str, Any] = {
        "requests": 200_000,
        "duration": 60.0,
        "shields": [],
        "traffic": {
            "objects": 5000,
            "flash": [{"start": 20.0, "duration": 20.0, "multiplier": 20.0, "objects": 20}],
        },
    }
    collapsing = outcome(**changes)
    each_for_itself = outcome(**changes, http={"collapse": False})
    assert collapsing.fates["collapsed"] > 200
    assert each_for_itself.fates["collapsed"] == 0
    more = each_for_itself.origin.requests - collapsing.origin.requests
    assert more >= collapsing.fates["collapsed"] * 0.9


def test_a_shield_spares_the_origin() -> None:
    assert outcome().origin.requests < 0.8 * outcome(shields=[]).origin.requests


def test_a_dead_edge_fails_until_users_go_elsewhere() -> None:
    down = [{"target": "edge:Sydney", "start": 1000.0, "duration": 1000.0}]
    simulation = Simulation(scenario(failures=down, routing={"failover": 60.0}), 1)
    simulation.run()
    rows = series(simulation).filter(series(simulation)["error"] > 0)
    assert 970 <= rows["second"].min() <= 1000  # type: ignore[operator]
    assert rows["second"].max() <= 1060  # type: ignore[operator]
    result = summarise(simulation)
    assert result.fates["error"] == pytest.approx(60_000 / 4 * 60 / 3600, rel=0.3)
    assert result.latency_by_region["Sydney"]["p99"] > outcome().latency_by_region["Sydney"]["p99"]


def test_stale_if_error_hides_an_outage_of_the_origin() -> None:
    outage = [{"target": "origin", "start": 1500.0, "duration": 1500.0}]
    bare = outcome(failures=outage, http={"ttl": 300.0})
    kept = outcome(failures=outage, http={"ttl": 300.0, "stale_if_error": 86_400.0})
    assert bare.fates["stale_if_error"] == 0
    assert kept.fates["stale_if_error"] > 1000
    assert kept.fates["error"] + kept.fates["negative"] < bare.fates["error"]


def test_serving_stale_while_revalidating_is_faster_than_waiting() -> None:
    waiting = outcome(http={"ttl": 60.0})
    serving = outcome(http={"ttl": 60.0, "stale_while_revalidate": 3600.0})
    assert waiting.fates["revalidated"] > 1000
    assert serving.fates["stale"] > 1000
    assert serving.fates["revalidated"] == 0
    assert serving.latency["mean"] < waiting.latency["mean"]


@pytest.mark.parametrize("policy", ["maglev", "rendezvous", "consistent_hash", "weighted"])
def test_routing_by_id_or_weight_uses_every_edge_alike(policy: str) -> None:
    result = outcome(routing={"policy": policy}, traffic={"objects": 5000, "zipf": 0.2})
    assert all(edge.requests == pytest.approx(15_000, rel=0.2) for edge in result.edges)
    if policy != "weighted":
        assert result.hit_ratio > outcome(traffic={"objects": 5000, "zipf": 0.2}).hit_ratio


def test_a_brown_out_of_the_origin_slows_misses() -> None:
    slow = [
        {"target": "origin", "start": 0.0, "duration": 3600.0, "kind": "brownout", "factor": 50}
    ]
    assert outcome(failures=slow).latency["p99"] > outcome().latency["p99"] + 0.5


def test_quicker_handshakes_are_quicker() -> None:
    slow = outcome(network={"handshake": "tls12", "reused": 0.0})
    quick = outcome(network={"handshake": "quic", "reused": 0.0})
    assert quick.latency["p50"] < slow.latency["p50"]
    assert quick.fates == slow.fates


def test_what_a_tier_keeps_depends_on_its_cache_and_not_on_the_trace() -> None:
    simulation = Simulation(
        scenario(requests=600_000, traffic={"objects": 10_000, "one_hit_wonders": 0.9}), 1
    )
    simulation.run()
    for edge in simulation.edges:
        assert edge.cache.known < 262_144
        assert len(edge.cache.state.table) < 4 * 262_144


def test_during_an_outage_of_the_origin_a_shield_still_gives_what_it_has() -> None:
    """The shield has seen everything before; the edges are small."""
    outage = [{"target": "origin", "start": 1800.0, "duration": 1200.0}]
    changes: dict[str, Any] = {
        "traffic": {"objects": 300, "zipf": 0.1},
        "http": {"ttl": 7200.0},
        "edges": [edge | {"cache": {"size": 1_000_000}} for edge in scenario_edges(*PLACES)],
    }
    result = outcome(failures=outage, **changes)
    assert result.fates["miss"] > 20_000
    assert result.fates["error"] + result.fates["negative"] == 0
    assert result.fates == outcome(**changes).fates


def test_what_could_not_be_fetched_is_not_served() -> None:
    """The origin can answer one in a hundred: what it does not answer no cache can have."""
    result = outcome(
        shields=[],
        traffic={"objects": 2000, "zipf": 0.0},
        http={"negative_ttl": 0.5},
        origin={"latitude": 50.1, "longitude": 8.7,
                "servers": {"count": 1, "service": 10.0, "spread": 0.0, "timeout": 0.1}},
    )  # fmt: skip
    fetched = result.origin.requests - result.origin.failed
    assert fetched <= 361
    assert result.fates["hit"] < 60_000 * 361 / 4 / 2000
    assert result.fates["error"] + result.fates["negative"] > 55_000


def test_the_servers_of_a_site_are_reported_one_by_one_and_obey_littles_law() -> None:
    servers = {"balancing": "p2c", "count": 4, "service": 0.1, "speeds": [0.25]}
    origin = {"latitude": 50.1, "longitude": 8.7, "servers": servers}
    down = [{"target": "origin/2", "start": 600.0, "duration": 60.0}]
    result = outcome(origin=origin, shields=[], failures=down)
    loads = result.origin.servers
    assert [each.server for each in loads] == [1, 2, 3, 4]
    assert sum(each.served for each in loads) == result.origin.requests - result.origin.failed
    assert loads[1].errors > 0 == loads[2].errors
    assert loads[0].requests < loads[2].requests
    for each in loads:
        expected = each.served / result.seconds * each.mean_seconds
        assert each.mean_connections == pytest.approx(expected)
