"""Steering among edges while it runs, measured ways, and what a loss costs."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from insula_simulator.layout import rtts
from insula_simulator.network.account import account, new_ledger
from insula_simulator.network.latency import QUIC, ROUND_TRIP, SEGMENT, TCP, Network
from insula_simulator.results import Result, summarise
from insula_simulator.scenario import ScenarioError, read_scenario
from insula_simulator.simulation import Simulation
from insula_simulator.steering import ByTable, steering
from simulator.networks import PLACES, described, scenario
from simulator.test_run import as_toml


def outcome(**changes: Any) -> Result:
    simulation = Simulation(scenario(**changes), 1)
    simulation.run()
    return summarise(simulation)


def requests(result: Result) -> dict[str, int]:
    return {edge.name: edge.requests for edge in result.edges}


def edges(**servers: Any) -> list[dict[str, Any]]:
    """Four edges, of which only Frankfurt has other servers."""
    made = [
        {"name": name, "latitude": place[0], "longitude": place[1],
         "cache": {"size": 30_000_000}}
        for name, place in PLACES.items()
    ]  # fmt: skip
    made[0]["servers"] = servers
    return made


def test_latency_steering_leaves_a_full_edge_and_only_as_far_as_it_must() -> None:
    """Frankfurt has 15,000 requests in 3,600 seconds, 4.2 a second, and room for 3.2."""
    scarce = edges(count=16, service=5.0, timeout=30.0)
    geo = outcome(edges=scarce, routing={"policy": "geo"})
    steered = outcome(edges=scarce, routing={"policy": "latency"})
    assert geo.fates["error"] > 2000
    assert steered.fates["error"] < 100
    share = requests(steered)["Frankfurt"] / requests(geo)["Frankfurt"]
    assert 0.4 < share < 3.2 / 4.2
    assert requests(steered)["New York"] > 1.1 * requests(geo)["New York"]
    assert requests(steered)["Sydney"] == pytest.approx(requests(geo)["Sydney"], rel=0.05)


def test_latency_steering_is_nearest_where_there_is_room() -> None:
    assert requests(outcome(routing={"policy": "latency"})) == requests(outcome())


def measured(**about: Any) -> dict[str, Any]:
    return {"policy": "latency", "measured": {"noise": 0.0, "ttl": 10.0, "weight": 1.0} | about}


def test_steering_by_exact_and_fresh_measurements_is_nearest_where_there_is_room() -> None:
    assert requests(outcome(routing=measured())) == requests(outcome())


def test_averaging_probes_spares_users_what_their_noise_costs() -> None:
    rates = {
        weight: outcome(routing=measured(noise=1.0, weight=weight)).latency["mean"]
        for weight in (0.05, 1.0)
    }
    exact = outcome(routing=measured()).latency["mean"]
    assert exact <= rates[0.05] < rates[1.0]
    assert rates[1.0] > 1.1 * exact


def test_who_goes_by_old_measurements_all_at_once_overloads_one_edge_after_the_other() -> None:
    """Frankfurt is full. Knowing the load, and moving a part at a time, keeps errors away; all
    moving on what was true two minutes ago does not."""
    scarce: dict[str, Any] = {"edges": edges(count=16, service=5.0, timeout=30.0)}
    known = outcome(routing={"policy": "latency"}, **scarce).fates["error"]
    calm = measured(ttl=300.0, weight=0.125)
    herd = measured(age=120.0)
    calm_errors = outcome(routing=calm, **scarce).fates["error"]
    herd_errors = outcome(routing=herd, **scarce).fates["error"]
    assert known <= calm_errors < herd_errors
    assert herd_errors > 2 * calm_errors


def test_measured_steering_leaves_a_dead_edge_without_waiting_for_its_turn() -> None:
    down = [{"target": "edge:Sydney", "start": 600.0, "duration": 3000.0}]
    routing = measured(ttl=100_000.0) | {"failover": 0.0}
    dead = outcome(routing=routing, failures=down)
    assert dead.fates["error"] < 20
    assert requests(dead)["Sydney"] < 0.3 * requests(outcome())["Sydney"]


def test_anycast_reaches_the_nearest_but_for_some() -> None:
    near, off = (outcome(routing={"policy": "anycast", "noise": noise}) for noise in (0.0, 1.0))
    assert requests(near) == requests(outcome())
    assert off.latency["mean"] > 1.1 * near.latency["mean"]


def test_routes_that_flap_change_catchments_now_and_then() -> None:
    def tables(flaps: float) -> np.ndarray[Any, np.dtype[np.int64]]:
        about = scenario(routing={"policy": "anycast", "noise": 1.0, "flaps": flaps})
        found = steering(about, rtts(about, about.regions, about.edges, users=True))
        assert isinstance(found, ByTable)
        return found.tables

    assert len(tables(0.0)) == 1
    moved = (np.diff(tables(0.5), axis=0) != 0).mean() * 120
    assert (
        0.05 < moved < 0.5
    )  # half of the slices' routes an hour, of which many stay where they are


def test_bounded_loads_over_edges_keep_to_the_bound() -> None:
    """A crowd for one object: all at one edge, or as many as the bound allows."""
    crowd: dict[str, Any] = {"traffic": {"objects": 50, "zipf": 1.6}, "edges": edges(count=64)}
    most = {}
    for policy in ("consistent_hash", "bounded_load"):
        found = requests(
            outcome(routing={"policy": policy, "bound": 1.1, "interval": 60.0}, **crowd)
        )
        most[policy] = max(found.values()) / 15_000
    assert most["consistent_hash"] > 1.5
    assert 1.0 < most["bounded_load"] < 1.12


def test_bounded_loads_leave_a_dead_edge() -> None:
    down = [{"target": "edge:Sydney", "start": 0.0, "duration": 3600.0}]
    result = outcome(routing={"policy": "bounded_load", "failover": 0.0}, failures=down)
    assert requests(result)["Sydney"] == 0


def test_measured_ways_go_before_distance(tmp_path: Path) -> None:
    (tmp_path / "ways.csv").write_text(
        "from,to,milliseconds\nregion:Sydney,edge:Frankfurt,3\norigin,shield:Frankfurt,7.5\n"
    )
    file = tmp_path / "measured.toml"
    network = {
        "ways_file": "ways.csv",
        "ways": [{"between": ["edge:Singapore", "region:Sydney"], "milliseconds": 40.0}],
    }
    file.write_text(as_toml(described(network=network)))
    read = read_scenario(file)
    found = rtts(read, read.regions, read.edges, users=True)
    assert found[3, 0] == 0.003
    assert found[3, 2] == 0.04
    assert found[0, 3] > 0.2
    assert rtts(read, read.shields, [read.origin])[0, 0] == 0.0075


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a,b\n", "line 1"),
        ("from,to,milliseconds\norigin,edge:Sydney,3\norigin,edge:Sydney\n", "line 3"),
        ("from,to,milliseconds\norigin,edge:Sydney,nan\n", "line 2"),
        ("from,to,milliseconds\norigin,edge:Rome,1\n", "$.network.ways[0]"),
    ],
)
def test_a_wrong_file_of_ways_is_named_with_its_line(
    tmp_path: Path, text: str, complaint: str
) -> None:
    (tmp_path / "ways.csv").write_text(text)
    file = tmp_path / "measured.toml"
    file.write_text(as_toml(described(network={"ways_file": "ways.csv"})))
    with pytest.raises(ScenarioError) as error:
        read_scenario(file)
    assert complaint in str(error.value)


def network(recovery: int, loss: float) -> Network:
    return Network(3, 2.0, 0.0, 0.0, recovery, np.array([loss]), np.array([1e12]))


def ways(network: Network, rtt: float, size: int, count: int) -> npt.NDArray[np.float64]:
    """Seconds of so many transfers, as a run counts them."""
    took, fetched, trips = np.zeros(count), np.zeros(count, np.int64), np.zeros(count)
    regions, sizes = np.zeros(count, np.int64), np.full(count, size)
    account(
        new_ledger(1, 1), network, 1.0, np.array([rtt]), np.arange(count), np.zeros(count),
        regions, sizes, np.zeros(count, np.uint8), took, fetched, trips,
    )  # fmt: skip
    return took


@pytest.mark.parametrize("loss", [0.001, 0.02])
def test_long_transfers_come_at_the_rate_of_mathis(loss: float) -> None:
    """MSS / RTT * sqrt(3 / 2p): Mathis, Semke, Mahdavi and Ott 1997."""
    size, rtt = 200_000_000, 0.1
    took = ways(network(TCP, loss), rtt, size, 200).mean()
    assert size / took == pytest.approx(SEGMENT / rtt * math.sqrt(1.5 / loss), rel=0.02)


def test_a_loss_near_the_end_costs_tcp_more_than_quic_more_than_a_round_trip() -> None:
    mean = {
        recovery: np.mean(ways(network(recovery, 0.05), 0.02, 4000, 2000))
        for recovery in (ROUND_TRIP, QUIC, TCP)
    }
    assert mean[TCP] > mean[QUIC] > mean[ROUND_TRIP]
    free = ways(network(TCP, 0.0), 0.02, 4000, 1)[0]
    lost = 1 - 0.95**3
    assert mean[TCP] - free == pytest.approx(lost * 0.2, rel=0.25)  # Linux's least timeout


def test_regions_have_their_own_last_mile_and_bandwidth() -> None:
    slow = [
        {"name": name, "latitude": place[0], "longitude": place[1]}
        for name, place in PLACES.items()
    ]
    slow[0] |= {"last_mile": 0.3, "bandwidth": 100_000.0}
    before, after = outcome(), outcome(regions=slow)
    first = after.latency_by_region["Frankfurt"]["p50"]
    assert first > before.latency_by_region["Frankfurt"]["p50"] + 0.29
    assert after.latency_by_region["Sydney"] == before.latency_by_region["Sydney"]
