"""``insula-cdn advise``."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from insula_simulator.advise.placements import placements
from insula_simulator.cli import main
from simulator.networks import PLACES, described, scenario
from simulator.test_run import as_toml

PRICES = {"cost": {"site_hour": 1.0, "cache_gigabyte_hour": 20.0, "server_hour": 0.0}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(as_toml(described(requests=20_000, **PRICES)))
    return path


def advise(file: Path, *arguments: str) -> Result:
    command = ["advise", str(file), *arguments, "--jobs", "1", "--json"]
    return CliRunner().invoke(main, [*command, "--policies", "lru", "--sizes", "5MB..40MB:3log"])


def met(row: dict[str, Any], p99: float) -> bool:
    return bool(row["figures"]["p99"] <= p99)


def test_the_advice_is_the_cheapest_that_was_tried_and_says_why_the_next_fails(file: Path) -> None:
    done = advise(file, "--p99", "470ms", "--budget", "1000000")
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    rows = told["evidence"]["rows"]
    costs = sorted(row["figures"]["cost"] for row in rows if met(row, 0.47))
    best = told["advice"]
    assert met(best, 0.47)
    assert best["figures"]["cost"] == costs[0]
    assert best["cost_per_month"] == pytest.approx(720 * costs[0])
    cheaper = told["next_cheaper"]
    assert cheaper["figures"]["cost"] < costs[0]
    assert not met(cheaper, 0.47)
    assert cheaper["fails"][0].startswith("p99")
    dropped = {row["values"]["edges"] for row in rows}
    assert len(dropped) > 1
    page = (file.parent / "small-advice" / "report.html").read_text()
    assert "Next cheaper" in page
    assert "<script" not in page


def test_without_a_way_it_says_what_comes_nearest_and_exits_1(file: Path) -> None:
    first = advise(file, "--p99", "1ms", "--budget", "1000000")
    assert first.exit_code == 1
    told = json.loads(first.stdout)
    assert (told["met"], told["advice"]) == (False, None)
    assert told["nearest"]["fails"][0].startswith("p99")
    poor = advise(file, "--p99", "10", "--budget", "0.01")  # the same runs, another question
    assert poor.exit_code == 1
    assert "cost a month" in json.loads(poor.stdout)["nearest"]["fails"][0]


def test_of_many_edges_those_are_left_out_first_whose_users_have_another_near() -> None:
    where = PLACES | {"London": (51.5, -0.1), "Paris": (48.9, 2.4)}
    regions = [{"name": n, "latitude": at[0], "longitude": at[1]} for n, at in where.items()]
    made = scenario(regions=regions, edges=[each | {"cache": {"size": 10**8}} for each in regions])
    chain = placements(made)
    assert [len(each) for each in chain] == [6, 5, 4, 3, 2, 1]
    assert {"Frankfurt", "London", "Paris"} - set(chain[2])
    assert {"New York", "Sydney"} <= set(chain[2])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--p99", "fast", "--budget", "1"], "no bound"),
        (["--p99", "1", "--budget", "1", "--sizes", "9..1:3"], "upwards"),
        (["--p99", "1", "--budget", "1", "--policies", "magic"], "magic"),
    ],
    ids=range(3),
)
def test_what_cannot_be_advised_on_exits_2(
    file: Path, arguments: list[str], complaint: str
) -> None:
    done = CliRunner().invoke(main, ["advise", str(file), *arguments])
    assert (done.exit_code, done.stdout) == (2, "")
    assert complaint in done.stderr
