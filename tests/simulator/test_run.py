"""``insula-cdn run`` as a script sees it."""

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from insula_simulator.scenario import ScenarioError, read_scenario
from simulator.networks import described

SCRIPT = Path(sys.executable).with_name("insula-cdn")
SCENARIOS = Path(__file__).parents[2] / "simulator" / "scenarios"


def as_toml(table: dict[str, Any]) -> str:
    """Enough of TOML for these scenarios: everything inline."""
    return "".join(f"{key} = {_inline(value)}\n" for key, value in table.items())


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_inline(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(each) for each in value) + "]"
    return json.dumps(value)


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, "run", *arguments], capture_output=True, text=True, timeout=120, check=False
    )


class _Loaded(HTMLParser):
    """What a page would load, and how many charts it has."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.charts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.charts += tag == "svg"
        self.loads += [tag for name, _ in attrs if name in ("src", "href")]
        self.loads += [tag] if tag in ("script", "link", "iframe") else []


def test_a_run_leaves_json_parquet_and_a_page_that_loads_nothing(tmp_path: Path) -> None:
    file = tmp_path / "small.toml"
    file.write_text(as_toml(described(name="a <small> one")))
    done = run(file, "--requests", "20000", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    folder = tmp_path / "small"
    assert sorted(each.name for each in folder.iterdir()) == [
        "report.html", "result.json", "series.parquet",
    ]  # fmt: skip
    assert json.loads((folder / "result.json").read_text()) == result
    rows = pl.read_parquet(folder / "series.parquet")
    assert rows["requests"].sum() == result["requests"] == 20_000
    page = (folder / "report.html").read_text()
    seen = _Loaded()
    seen.feed(page)
    assert (seen.loads, seen.charts) == ([], 9)
    assert "a &lt;small&gt; one" in page


def origin_with(servers: dict[str, Any]) -> dict[str, Any]:
    return {"origin": {"latitude": 0.0, "longitude": 0.0, "servers": servers}}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"edges": []}, "$.edges"),
        ({"speed": 1}, "speed"),
        ({"traffic": {"zipf": "much"}}, "$.traffic.zipf"),
        ({"origin": {"latitude": 91.0, "longitude": 0.0}}, "$.origin.latitude"),
        ({"failures": [{"target": "edge:Rome", "start": 0.0, "duration": 1.0}]},
         "$.failures[0].target"),
        ({"shields": [{"name": "s", "latitude": 0.0, "longitude": 0.0,
                       "cache": {"size": 10, "policy": "magic"}}]}, "$.shields[0].cache.policy"),
        ({"shields": [{"name": "s", "latitude": 0.0, "longitude": 0.0,
                       "cache": {"size": 9, "policy": "s3fifo"}}]}, "$.shields[0].cache.size"),
        (origin_with({"speeds": [1.0]}), "$.origin.servers.speeds"),
        (origin_with({"balancing": "p2c", "count": 2000}), "$.origin.servers.balancing"),
        (origin_with({"balancing": "random", "weights": [2.0]}), "$.origin.servers.weights"),
        (origin_with({"balancing": "maglev", "slow_start": 1.0}), "$.origin.servers.slow_start"),
        ({"failures": [{"target": "origin/1", "start": 0.0, "duration": 1.0}]},
         "$.failures[0].target"),
        ({"failures": [{"target": "origin", "kind": "drain", "start": 0.0, "duration": 1.0}]},
         "$.failures[0].kind"),
        ({"routing": {"policy": "geo", "measured": {}}}, "$.routing.measured"),
    ],
    ids=range(14),
)  # fmt: skip
def test_a_wrong_scenario_names_the_key(
    tmp_path: Path, change: dict[str, Any], complaint: str
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(as_toml(described(**change)))
    with pytest.raises(ScenarioError) as error:
        read_scenario(file)
    assert complaint in str(error.value)


def test_broken_toml_exits_2_with_its_line_and_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "broken.toml"
    file.write_text('name = "x"\nedges = [,\n')
    done = run(file)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: {file}: ")
    assert "line" in done.stderr
    assert list(tmp_path.iterdir()) == [file]


def test_the_page_shows_servers_one_by_one_and_what_failed(tmp_path: Path) -> None:
    file = tmp_path / "small.toml"
    failures = [{"target": "region:Sydney", "start": 60.0, "duration": 60.0}]
    servers = origin_with({"balancing": "p2c", "count": 3})
    file.write_text(as_toml(described(failures=failures, **servers)))
    assert run(file, "--requests", "5000").returncode == 0
    page = (tmp_path / "small" / "report.html").read_text()
    assert "<td>origin 3<td>" in page
    assert "<td>edge:Sydney<td>down<td>1.0<td>1.0" in page


@pytest.mark.parametrize("name", sorted(file.stem for file in SCENARIOS.glob("*.toml")))
def test_the_scenarios_that_come_with_it_are_valid_and_say_what_to_expect(name: str) -> None:
    assert "Expected:" in read_scenario(SCENARIOS / f"{name}.toml").text
