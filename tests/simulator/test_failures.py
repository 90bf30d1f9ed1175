"""Failures of regions, between parts, and by chance."""

from typing import Any

import pytest
from insula_simulator.results import Result, series, summarise
from insula_simulator.scenario import ScenarioError
from insula_simulator.schedule import scheduled
from insula_simulator.simulation import Simulation
from insula_simulator.sweep.axes import Axis, changed
from simulator.networks import PLACES, scenario

SHIELDS = [
    {"name": name, "latitude": PLACES[name][0], "longitude": PLACES[name][1],
     "cache": {"size": 100_000_000}}
    for name in ("Frankfurt", "Singapore")
]  # fmt: skip


def played(**changes: Any) -> Simulation:
    simulation = Simulation(scenario(routing={"failover": 60.0}, **changes), 1)
    simulation.run()
    return simulation


def failure(target: str, **about: Any) -> dict[str, Any]:
    return {"target": target, "start": 1000.0, "duration": 1500.0} | about


def partition(one: str, other: str) -> list[dict[str, Any]]:
    return [failure(one, kind="partition", other=other)]


def spans(simulation: Simulation, fate: str = "error") -> tuple[float, float]:
    """The first and last time bin with such a fate."""
    rows = series(simulation).filter(series(simulation)[fate] > 0)
    return float(rows["second"].min()), float(rows["second"].max())  # type: ignore[arg-type]


def test_a_region_that_fails_is_all_its_sites() -> None:
    lost = played(shields=SHIELDS, failures=[failure("region:Singapore")])
    each = played(
        shields=SHIELDS, failures=[failure("edge:Singapore"), failure("shield:Singapore")]
    )
    found, same = summarise(lost), summarise(each)
    assert found.fates == same.fates
    assert found.fates["error"] > 100
    assert [incident.target for incident in found.failures] == [
        "edge:Singapore", "shield:Singapore",
    ]  # fmt: skip


def test_users_cut_off_from_an_edge_go_to_another_and_others_do_not_mind() -> None:
    cut = played(failures=partition("region:Sydney", "edge:Sydney"))
    whole = played()
    start, end = spans(cut)
    assert 970 <= start <= 1000
    assert end <= 1060
    before, after = summarise(whole), summarise(cut)
    assert after.latency_by_region["Sydney"]["p50"] > before.latency_by_region["Sydney"]["p50"]
    there = before.latency_by_region["Frankfurt"]["p50"]
    assert after.latency_by_region["Frankfurt"]["p50"] == pytest.approx(there, rel=0.05)


def test_an_edge_cut_off_from_its_shield_asks_the_other_after_a_while() -> None:
    cut = played(shields=SHIELDS, failures=partition("shield:Singapore", "edge:Sydney"))
    start, end = spans(cut)
    assert 970 <= start <= 1000
    assert end <= 1060
    shields = summarise(cut).shields
    whole = summarise(played(shields=SHIELDS)).shields
    assert shields[0].requests > 1.1 * whole[0].requests
    assert shields[1].requests < 0.9 * whole[1].requests


def test_a_shield_cut_off_from_the_origin_gives_what_it_has() -> None:
    cut = played(failures=partition("shield:Frankfurt", "origin"), http={"ttl": 7200.0})
    result = summarise(cut)
    start, end = spans(cut)
    assert start >= 970
    assert end <= 2500
    assert 0 < result.fates["error"] < 0.5 * summarise(played()).origin.requests
    assert result.shields[0].requests - result.shields[0].asked_upstream > 1000


def test_without_shields_an_edge_cut_off_from_the_origin_fails_alone() -> None:
    cut = summarise(played(shields=[], failures=partition("region:Sydney", "origin")))
    failed = {edge.name: edge.failed for edge in cut.edges}
    assert failed.pop("Sydney") > 100
    assert set(failed.values()) == {0}


RANDOM = [{"target": "edges", "between": 600.0, "repair": 60.0}]


def test_random_failures_come_as_often_as_they_should() -> None:
    year = scenario(
        duration=1e6, random_failures=[{"target": "edge:Sydney", "between": 9e3, "repair": 1e3}]
    )
    failures = scheduled(year).failures
    assert len(failures) == pytest.approx(100, rel=0.3)
    down = sum(each.duration for each in failures) / 1e6
    assert down == pytest.approx(0.1, rel=0.3)
    ends = [each.start + each.duration for each in failures]
    assert all(end < following.start for end, following in zip(ends, failures[1:], strict=False))


def test_random_failures_follow_the_seed_and_are_reported() -> None:
    def result(**changes: Any) -> Result:
        return summarise(played(random_failures=RANDOM, **changes))

    one = result()
    assert one == result()
    assert one.failures != result(seed=2).failures
    assert 5 < len(one.failures) < 50
    assert 0 < one.fates["error"] < 6000
    fewer = scheduled(scenario(random_failures=RANDOM, edges=_edges("Sydney", "Singapore")))
    mine = [each.start for each in one.failures if each.target == "edge:Sydney"]
    assert mine == [each.start for each in fewer.failures if each.target == "edge:Sydney"]


def _edges(*names: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "latitude": PLACES[name][0], "longitude": PLACES[name][1],
         "cache": {"size": 30_000_000}}
        for name in names
    ]  # fmt: skip


def test_a_sweep_without_a_site_is_without_what_is_said_of_it() -> None:
    about = scenario(
        failures=[failure("edge:Sydney"), *partition("region:Sydney", "edge:Sydney")],
        random_failures=[RANDOM[0] | {"target": "edge:Sydney"}, *RANDOM],
        network={"ways": [{"between": ["region:Sydney", "edge:Sydney"], "milliseconds": 9.0}]},
    )
    left = changed(about, [Axis("edges", ())], ("Singapore",))
    assert not left.failures
    assert not left.network.ways
    assert [each.target for each in left.random_failures] == ["edges"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"failures": [failure("region:Rome")]}, "$.failures[0].target"),
        ({"failures": [failure("origin", kind="partition")]}, "$.failures[0].other"),
        ({"failures": [failure("origin", other="edge:Sydney")]}, "$.failures[0].other"),
        ({"failures": partition("origin", "edge:Rome")}, "$.failures[0].other"),
        ({"random_failures": [RANDOM[0] | {"repair": 1.0, "between": 1.0}]},
         "$.random_failures[0].between"),
        ({"random_failures": [RANDOM[0] | {"target": "edge:Rome"}]}, "$.random_failures[0].target"),
        ({"random_failures": [RANDOM[0] | {"kind": "errors"}]}, "$.random_failures[0].kind"),
    ],
    ids=range(7),
)  # fmt: skip
def test_what_cannot_fail_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ScenarioError) as error:
        scenario(**changes)
    assert complaint in str(error.value)
