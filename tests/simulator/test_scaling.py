"""Autoscaling: target tracking, steps, schedules, cooldowns; with one queue and with many."""

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from insula_simulator import layout
from insula_simulator.balanced import BalancedServers
from insula_simulator.batch import Batch
from insula_simulator.crew import Crew
from insula_simulator.live.stepping import Stepping
from insula_simulator.network.scaling import CHANGES
from insula_simulator.network.servers import SERVER_SECONDS, new_pool, serve
from insula_simulator.outcome import write_outcome
from insula_simulator.scenario import Scenario, ScenarioError
from insula_simulator.scenario.servers import Servers
from insula_simulator.simulation import Simulation
from insula_simulator.sweep.miniature import miniature
from simulator.networks import scenario

Floats = npt.NDArray[np.float64]
QUEUES = pytest.mark.parametrize("balancing", ["shared_queue", "least_connections"])
RUSH = np.concatenate([np.arange(0, 600, 1.0), np.arange(600, 1800, 0.05), np.arange(1800, 4000.0)])
"""Of a second each: one server busy, twenty, one."""


def edge_with(scaling: dict[str, Any] | None, **about: Any) -> Scenario:
    servers = {"count": 2, "most": 60, "service": 1.0, "spread": 0.0, "timeout": 30.0,
               "target": 0.5, "boot": 120.0, "scaling": scaling} | about  # fmt: skip
    where = {"latitude": 1.3, "longitude": 103.8}
    return scenario(edges=[{"name": "E", "cache": {"size": 10**9}, "servers": servers} | where])


def play(made: Scenario, times: Floats) -> tuple[Floats, list[tuple[float, int]], float]:
    """What each request took, the servers from when on, and the seconds that they cost."""
    servers, zeros = made.edges[0].servers, np.zeros(len(times), np.int64)
    rules, answered = layout.pool_rules(made, servers, "edge:E", 1), np.empty(len(times))
    if servers.balancing == "shared_queue":
        pool = new_pool(rules)
        serve(pool, rules, times, 0, answered)
        scaler, cost = pool.scaler, float(pool.gauges[SERVER_SECONDS])
    else:
        each = BalancedServers(rules, servers, np.zeros((0, 5)))
        each.serve(Batch(zeros, zeros, zeros, times, zeros), 0, answered)
        scaler, cost = each.farm.scaler, each.server_seconds
    log = scaler.log[: int(scaler.gauges[CHANGES])].tolist()
    return answered, [(when, int(count)) for when, count in log], cost


@QUEUES
def test_a_schedule_that_boots_ahead_avoids_the_queue_of_target_tracking(balancing: str) -> None:
    late, _, cheap = play(edge_with({}, balancing=balancing), RUSH)
    schedule = [{"at": 450.0, "least": 40}, {"at": 1800.0}]
    early, log, dear = play(edge_with({"schedule": schedule}, balancing=balancing), RUSH)
    assert late.max() > 10 * early.max()
    assert early.max() == pytest.approx(1.0)
    assert log[0] == (450.0, 40)
    assert log[-1][1] == 2
    assert dear > cheap
    times, counts = zip(*[(0.0, 2), *log], strict=True)
    spent = np.diff([*times, RUSH[-1]]) @ np.array(counts)
    assert dear == pytest.approx(spent, rel=0.01)


@QUEUES
def test_a_schedule_comes_again(balancing: str) -> None:
    schedule = [{"at": 100.0, "least": 9, "every": 1000.0}, {"at": 600.0, "every": 1000.0}]
    calm = np.arange(0, 3000.0)
    _, log, _ = play(edge_with({"schedule": schedule}, balancing=balancing, service=0.9), calm)
    # A bound that falls is heard at the next look, one that rises at once.
    assert log == [
        (100.0, 9), (600.0, 2), (1100.0, 9), (1620.0, 2), (2100.0, 9), (2640.0, 2),
    ]  # fmt: skip


STEPS = [{"above": 0.5, "add": 2}, {"above": 0.9, "percent": 100.0}, {"below": 0.2, "add": -1}]


@pytest.mark.parametrize(
    ("gap", "orders"),
    [
        (1 / 4, []),  # 0.4 busy: between the thresholds
        (1 / 6, [(60.0, 12)]),  # 0.6: two more, once; 0.5 of twelve is not above
        (1 / 9.5, [(60.0, 20)]),  # 0.95: twice as many
        (
            1.0,
            [(60.0, 9), (120.0, 8), (180.0, 7), (240.0, 6), (300.0, 5), (360.0, 4)],
        ),  # until a fifth is busy
    ],
    ids=["between", "small", "large", "in"],
)
def test_steps_are_taken_at_their_thresholds_and_booting_servers_count(
    gap: float, orders: list[tuple[float, int]]
) -> None:
    steady = np.arange(0.001, 1200, gap * 1.001)
    steps = [step | ({"above": 0.51} if step.get("above") == 0.5 else {}) for step in STEPS]
    made = edge_with({"steps": steps, "schedule": [{"at": 0.0, "least": 1}]}, count=10)
    assert play(made, steady)[1] == orders


@QUEUES
def test_scale_in_is_as_slow_as_is_said(balancing: str) -> None:
    slow = {"cooldown_in": 300.0, "leave": 10}
    log = play(edge_with(slow, balancing=balancing), RUSH)[1]
    falls = [
        (when - before, count - then)
        for (before, count), (when, then) in itertools.pairwise(log)
        if then < count
    ]
    assert len(falls) >= 4
    assert all(gap >= 300 for gap, _ in falls)
    assert max(fall for _, fall in falls) == 10
    for never in ({"leave": 0}, {"cooldown_in": 1e6}):
        counts = [count for _, count in play(edge_with(never, balancing=balancing), RUSH)[1]]
        assert counts == sorted(counts)


def test_a_cooldown_keeps_looks_from_adding_twice() -> None:
    log = play(edge_with({"cooldown_out": 200.0}, timeout=5.0), RUSH)[1]
    rises = [when for (_, before), (when, count) in itertools.pairwise(log) if count > before]
    assert len(rises) >= 2
    assert np.diff([log[0][0], *rises]).min() >= 200


def test_a_run_reports_what_scaled_and_loses_nothing(tmp_path: Any) -> None:
    schedule = [{"at": 600.0, "least": 50}, {"at": 1200.0, "least": 5, "most": 10}]
    made = edge_with({"schedule": schedule}, count=30, service=0.3)
    simulation = Simulation(made, 1)
    simulation.run()  # checks that nothing is lost
    result = write_outcome(simulation, tmp_path)
    place = result.edges[0]
    assert (place.scaled[0].second, place.scaled[0].servers) == (600.0, 50)
    assert min(each.servers for each in place.scaled) == 10
    assert place.server_hours == pytest.approx((600 * 30 + 600 * 50 + 2400 * 10) / 3600, rel=0.05)
    assert "E, booted" in (tmp_path / "report.html").read_text()


def test_a_scenario_that_begins_again_begins_its_schedule_again() -> None:
    """As ``live`` plays it."""
    schedule = [{"at": 600.0, "least": 50}, {"at": 1200.0, "least": 5, "most": 10}]
    stepping = Stepping(edge_with({"schedule": schedule}, count=30, service=0.3))
    with Crew(1) as crew:
        while stepping.now < 2 * 3600 - 1:
            stepping.step(crew, 60.0)
    scaler = stepping.simulation.edges[0].pool.scaler
    log = scaler.log[: int(scaler.gauges[CHANGES])].tolist()
    assert [when for when, count in log if count == 50] == [600.0, 4200.0]


def test_a_miniature_scales_by_as_large_a_part() -> None:
    made = edge_with({"steps": STEPS, "schedule": [{"at": 1.0, "least": 40}]}, count=20)
    scaling = miniature(made, 0.25).edges[0].servers.scaling
    assert scaling is not None
    assert [step.add for step in scaling.steps] == [1, 0, -1]
    assert scaling.schedule[0].least == 10


@pytest.mark.parametrize(
    ("scaling", "about", "complaint"),
    [
        ({}, {"most": 0}, "nothing to scale"),
        ({"steps": [{"add": 1}]}, {}, "steps[0]"),
        ({"steps": [{"above": 0.5, "add": -1}]}, {}, "nothing is added"),
        ({"steps": [{"below": 0.5}]}, {}, "nothing is taken away"),
        ({"steps": [{"above": 0.3, "add": 1}, {"below": 0.3, "add": -1}]}, {}, "overlap"),
        ({"schedule": [{"at": 0.0, "least": 61}]}, {}, "61 to 60 servers, of 60"),
        ({"schedule": [{"at": 0.0}, {"at": 9.0, "most": 1}]}, {}, "schedule[1]"),
    ],
    ids=range(7),
)
def test_what_cannot_be_scaled_is_refused_with_its_key(
    scaling: dict[str, Any], about: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ScenarioError) as error:
        edge_with(scaling, **about)
    assert complaint in str(error.value)
    assert "`$.edges[0].servers.scaling" in str(error.value)


def test_servers_without_scaling_stay_as_they_are() -> None:
    assert Servers().scaling is None
    assert play(edge_with(None, most=0), RUSH[:600])[1] == []
