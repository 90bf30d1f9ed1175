"""Recorded traces as the traffic of a whole network."""

import gzip
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from insula_simulator.cache import Cache
from insula_simulator.replay import replay
from insula_simulator.results import Result, summarise
from insula_simulator.scenario import ScenarioError, read_scenario
from insula_simulator.simulation import Simulation
from insula_simulator.traces import read_trace
from simulator.networks import PLACES, described, scenario
from simulator.test_run import as_toml

COUNT = 100_000
NAMES = list(PLACES)


def rows(count: int = COUNT) -> pl.DataFrame:
    """Requests over 1,000 seconds from a late start, each with its region, sizes by id."""
    chance = np.random.default_rng(1)
    ids = chance.zipf(1.3, count) % 20_000
    return pl.DataFrame(
        {
            "time": 1_700_000_000 + np.sort(chance.random(count)) * 1000,
            "region": chance.choice(NAMES[:2], count),
            "id": ids,
            "size": 100 + ids * 37 % 5000,
        }
    )


def scenario_file(folder: Path, traffic: dict[str, Any], **changes: Any) -> Path:
    file = folder / "recorded.toml"
    table = described(traffic=traffic, **changes)
    del table["requests"]
    file.write_text(as_toml(table | changes))
    return file


def outcome(folder: Path, threads: int = 1, **traffic: Any) -> Result:
    simulation = Simulation(read_scenario(scenario_file(folder, traffic)), threads)
    simulation.run()
    return summarise(simulation)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    rows().write_csv(tmp_path / "requests.csv")
    return tmp_path / "requests.csv"


def test_a_trace_beside_its_scenario_is_played_whole_by_region_and_time(trace: Path) -> None:
    result = outcome(trace.parent, trace="requests.csv")
    assert result.requests == sum(result.fates.values()) == COUNT
    assert result.seconds == pytest.approx(1000, rel=1e-3)
    assert result.bytes_delivered == rows()["size"].sum()
    asked = {edge.name: edge.requests for edge in result.edges}
    counted = dict(rows().group_by("region").len().iter_rows())
    assert asked == {name: counted.get(name, 0) for name in NAMES}


def test_the_result_is_the_same_for_any_threads_format_and_compression(trace: Path) -> None:
    rows().write_parquet(trace.with_suffix(".parquet"))
    trace.with_suffix(".csv.gz").write_bytes(gzip.compress(trace.read_bytes()))
    one = outcome(trace.parent, trace="requests.csv")
    assert outcome(trace.parent, 2, trace="requests.csv") == one
    assert outcome(trace.parent, 2, trace="requests.parquet", format="parquet") == one
    assert outcome(trace.parent, trace="requests.csv.gz") == one


def test_an_edge_that_gets_every_request_hits_as_that_cache_alone(tmp_path: Path) -> None:
    trace = tmp_path / "requests.csv"
    rows().drop("region").write_csv(trace)
    edge = described()["edges"][0] | {"cache": {"size": 1_000_000, "policy": "sieve"}}
    table = described(
        traffic={"trace": str(trace)},
        edges=[edge],
        shields=[],
        http={"ttl": 1e9, "collapse": False},
        requests=10**9,
    )
    simulation = Simulation(msgspec.convert(table, type(scenario())), 1)
    simulation.run()
    with trace.open("rb") as file:
        alone = replay(read_trace(file, "csv"), Cache("sieve", 1_000_000))
    fates = summarise(simulation).fates
    # Without collapsing, who comes while the body is under way counts as a miss at the edge.
    assert fates["hit"] <= alone.hits
    assert fates["hit"] == pytest.approx(alone.hits, rel=0.01)


def test_a_trace_without_regions_is_spread_by_weight_and_without_times_evenly(
    tmp_path: Path,
) -> None:
    rows().select("id", "size").write_csv(tmp_path / "requests.csv")
    regions = [each | {"weight": weight} for each, weight in zip(
        described()["regions"], (1.0, 2.0, 3.0, 4.0), strict=True)]  # fmt: skip
    file = scenario_file(tmp_path, {"trace": "requests.csv"}, regions=regions, duration=500.0)
    simulation = Simulation(read_scenario(file), 1)
    simulation.run()
    result = summarise(simulation)
    assert result.seconds == 500.0
    shares = [edge.requests / COUNT for edge in result.edges]
    assert shares == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=0.01)


def test_speed_shortens_a_trace_and_requests_cuts_it(trace: Path) -> None:
    assert outcome(trace.parent, trace="requests.csv", speed=10.0).seconds == pytest.approx(
        100, rel=1e-3
    )
    file = scenario_file(trace.parent, {"trace": "requests.csv"}, requests=70_001)
    simulation = Simulation(read_scenario(file), 1)
    simulation.run()
    assert summarise(simulation).requests == 70_001


def test_requests_out_of_order_come_with_the_one_ahead(tmp_path: Path) -> None:
    (tmp_path / "requests.csv").write_text("5,a,1\n3,b,1\n9,c,1\n8,a,1\n")
    result = outcome(tmp_path, trace="requests.csv")
    assert result.requests == 4
    assert result.seconds == pytest.approx(4 * 4 / 3)


@pytest.mark.parametrize(
    ("text", "traffic", "complaint"),
    [
        ("time,id,size,region\n1,a,5,Frankfurt\n2,b,5,Rome\n", {}, "requests.csv: line 3: region"),
        ("1,a,5\n2,b,-5\n", {}, "requests.csv: line 2: size '-5'"),
        ("1,a,5\n2,b,99999999999999999\n", {}, "requests.csv: line 2: size 99999999999999999"),
        ("0,a,5\n5000000000,b,5\n", {}, "raise traffic.speed"),
        ("id,size\n", {}, "holds no request"),
        ("1,a,5\n", {"format": "xml"}, "$.traffic.format"),
        ("1,a,5\n", {"zipf": 0.5}, "$.traffic.zipf"),
        ("1,a,5\n", {"trace": "absent.csv"}, "absent.csv: No such file"),
        ("1,a,5\n", {"trace": "."}, "Is a directory"),
        ("1,a,5\n", {"trace": "a\0b"}, "$.traffic.trace"),
    ],
    ids=range(10),
)
def test_a_wrong_trace_names_file_line_and_key(
    tmp_path: Path, text: str, traffic: dict[str, Any], complaint: str
) -> None:
    (tmp_path / "requests.csv").write_text(text)
    with pytest.raises(ScenarioError, match="at `") as error:
        outcome(tmp_path, **({"trace": "requests.csv"} | traffic))
    assert complaint in str(error.value)


def test_a_trace_that_changes_while_it_is_played_is_refused(trace: Path) -> None:
    file = scenario_file(trace.parent, {"trace": "requests.csv"})
    simulation = Simulation(read_scenario(file), 1)
    rows(200).write_csv(trace)
    with pytest.raises(ScenarioError, match="changed while it was read"):
        simulation.run()
