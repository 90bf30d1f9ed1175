"""``insula-cdn sweep``: the grid, the search, going on after an interruption."""

import itertools
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result
from fixtures.waiting import eventually
from insula_simulator.cli import main
from insula_simulator.results import summarise
from insula_simulator.simulation import Simulation
from insula_simulator.sweep.axes import Axis, Point, changed, parse_axis
from insula_simulator.sweep.goal import Figures, front, parse_goal
from insula_simulator.sweep.miniature import miniature
from insula_simulator.sweep.search import halve, refine
from insula_simulator.sweep.values import SweepError, parse_values
from simulator.networks import described, scenario
from simulator.test_run import as_toml

SCRIPT = Path(sys.executable).with_name("insula-cdn")
GRID = [
    "--vary", "edges[*].cache.policy=lru,sieve", "--vary", "edges[*].cache.size=5MB..20MB:2log",
    "--minimise", "miss_ratio",
]  # fmt: skip


def sweep(*arguments: str | Path) -> Result:
    """In this process, which has the kernels at hand."""
    return CliRunner().invoke(main, ["sweep", *map(str, arguments)])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(as_toml(described(requests=20_000)))
    return path


def killed(file: Path, out: Path, number: signal.Signals) -> None:
    """Start a sweep in two processes and end it after its first run; nothing stays behind."""
    process = subprocess.Popen(
        [SCRIPT, "sweep", file, *GRID, "--out", out, "--jobs", "2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    journal = out / "runs.jsonl"
    eventually(lambda: journal.exists() and journal.read_bytes().count(b"\n") >= 2)
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    process.wait(60)
    eventually(lambda: not is_alive(process.pid))
    assert [each.name for each in out.iterdir()] == ["runs.jsonl"]


def is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_sweep_goes_on_and_finds_what_one_process_finds(
    file: Path, tmp_path: Path, number: signal.Signals
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    killed(file, parts, number)
    before = (parts / "runs.jsonl").read_text()
    with (parts / "runs.jsonl").open("a") as journal:
        journal.write('{"point":["lru",')  # a line that was torn
    for out, jobs in ((parts, "2" if number == signal.SIGKILL else "1"), (whole, "1")):
        done = sweep(file, *GRID, "--out", out, "--jobs", jobs)
        assert (done.exit_code, done.stderr) == (0, "")
    after = (parts / "runs.jsonl").read_text()
    assert after.startswith(before)
    assert after.count("\n") == 1 + 4
    assert (parts / "result.json").read_bytes() == (whole / "result.json").read_bytes()
    rows = pl.read_parquet(whole / "table.parquet")
    assert rows["edges[*].cache.size"].to_list() == [5_000_000, 20_000_000] * 2
    assert rows["hit_ratio"][1] > rows["hit_ratio"][0]
    page = (whole / "report.html").read_text()
    assert page.count("<svg") == 9
    assert "<script" not in page


def test_a_grid_that_grows_keeps_its_runs_and_another_scenario_is_refused(
    file: Path, tmp_path: Path
) -> None:
    policies = ["--vary", "edges[*].cache.policy=lru"]
    out = tmp_path / "small-sweep"
    assert sweep(file, *policies, "--json").exit_code == 0
    first = (out / "runs.jsonl").read_text()
    done = sweep(file, "--vary", "edges[*].cache.policy=lru,sieve", "--json", "--jobs", "1")
    assert done.exit_code == 0
    assert (out / "runs.jsonl").read_text().startswith(first)
    assert [row["values"] for row in json.loads(done.stdout)["rows"]] == [
        {"edges[*].cache.policy": "lru"}, {"edges[*].cache.policy": "sieve"},
    ]  # fmt: skip
    refused = sweep(file, *policies, "--seed", "9")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--restart begins anew" in refused.stderr
    assert sweep(file, *policies, "--seed", "9", "--restart", "--jobs", "1").exit_code == 0


def test_bounds_that_no_run_keeps_exit_1_and_a_file_says_the_same(
    file: Path, tmp_path: Path
) -> None:
    grid = tmp_path / "grid.toml"
    grid.write_text(
        '[sweep]\nminimise = "cost"\nsubject_to = ["p99 < 1ms"]\n'
        '[sweep.vary]\n"http.ttl" = [60, 3600]\n'
    )
    done = sweep(file, "--grid", grid, "--jobs", "1")
    assert done.exit_code == 1
    assert "no run keeps the bounds; nearest" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "nothing varies"),
        (["--vary", "http.tll=1"], "'http.tll'"),
        (["--vary", "edges[Rome].weight=1"], "there is no [Rome]"),
        (["--vary", "edges[*].cache.policy=lru,magic"], "$.edges[0].cache.policy"),
        (["--vary", "http.ttl=-5"], "$.http.ttl"),
        (["--vary", "http.ttl=9..1:3"], "a range goes upwards"),
        (["--vary", "edges=Frankfurt+Rome"], "'Rome' is not among"),
        (["--vary", "name=x2"], "no number that 'x2' could multiply"),
        (["--vary", "http.ttl=1,2", "--subject-to", "p99<1"], "needs --minimise"),
        (["--vary", "http.ttl=1,2", "--minimise", "speed"], "'speed' is none of"),
        (["--vary", "http.ttl=1,2", "--search", "adaptive"], "needs --minimise"),
    ],
    ids=range(11),
)
def test_what_cannot_be_swept_is_said_before_anything_runs(
    file: Path, arguments: list[str], complaint: str
) -> None:
    done = sweep(file, *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert complaint in done.stderr
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("lru,sieve", ("lru", "sieve")),
        ("1GB..16GB:5log", tuple(10**9 * 2**i for i in range(5))),
        ("0..1:3", (0, 0.5, 1)),
        ("512MiB, 30s,5min,50ms,true", (1 << 29, 30, 300, 0.05, True)),
    ],
)
def test_values_have_units_and_ranges(text: str, values: tuple[Any, ...]) -> None:
    assert parse_values(text).values == pytest.approx(values) if ".." in text else values


def test_sites_are_chosen_and_numbers_multiplied() -> None:
    down = [{"target": "edge:Sydney", "start": 0.0, "duration": 1.0}]
    axes = [parse_axis("edges=Frankfurt+Singapore"), parse_axis("shields=none"),
            parse_axis("edges[*].cache.size=x0.5")]  # fmt: skip
    made = changed(scenario(failures=down), axes, tuple(axis.values[0] for axis in axes))
    assert [edge.name for edge in made.edges] == ["Frankfurt", "Singapore"]
    assert made.edges[0].cache.size == 15_000_000
    assert (made.shields, made.failures) == ([], [])


def test_a_sweep_on_ray_without_ray_says_what_to_do(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    done = sweep(file, "--vary", "http.ttl=60", "--ray", "--requests", "1000")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "pip install 'ray>=2.40'" in done.stderr


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is large: pip install ray to see this")
def test_a_sweep_on_ray_finds_the_same(file: Path, tmp_path: Path) -> None:
    found = []
    for how in (["--ray"], ["--jobs", "1"]):
        out = tmp_path / how[0]
        command: list[str | Path] = [SCRIPT, "sweep", file, *GRID, "--out", out, *how]
        assert subprocess.run(command, capture_output=True, timeout=300, check=False).stderr == b""
        lines = (out / "runs.jsonl").read_text().splitlines()
        found.append((sorted(lines), (out / "result.json").read_bytes()))
    assert found[0] == found[1]


def evaluated(at: dict[str, float], seen: list[Point]) -> Any:
    """Cost falls and rises again along a range (least at 3e9); p99 falls."""

    def evaluate(points: Sequence[Point], share: float) -> list[Figures]:
        seen.extend(points)
        return [
            {
                "cost": at[str(name)] + math.log(float(size) / 3e9) ** 2,
                "p99": 1e9 / float(size),
            }
            for name, size in points
        ]

    return evaluate


@pytest.mark.parametrize(
    ("bounds", "expected"), [([], 3e9), (["p99<=0.2"], 5e9)], ids=["inside", "at the bound"]
)
def test_a_search_finds_the_least_cost_with_fewer_runs_than_the_grid(
    bounds: list[str], expected: float
) -> None:
    goal = parse_goal("cost", bounds)
    assert goal
    range_ = parse_values("1GB..64GB:7log")
    axes = [Axis("policy", tuple("abcdef")), Axis("size", range_.values, range_.spacing)]
    points = [(a, b) for a in axes[0].values for b in axes[1].values]
    seen: list[Point] = []
    evaluate = evaluated({name: 1.0 + i for i, name in enumerate("cabdef")}, seen)
    found = refine(axes, halve(points, 10**6, goal, evaluate), goal, evaluate, 20)
    best = min(found, key=lambda point: goal.rank(found[point]))
    assert best[0] == "c"
    assert best[1] == pytest.approx(expected, rel=0.05)
    assert len(found) < len(points) / 2 + 20


def test_the_front_holds_what_nothing_beats() -> None:
    pairs = [(1.0, 9.0), (2.0, 5.0), (2.0, 6.0), (3.0, 5.0), (4.0, 1.0), (5.0, 2.0)]
    assert front(pairs, pairs) == [(1.0, 9.0), (2.0, 5.0), (4.0, 1.0)]


def test_a_miniature_ranks_as_the_whole() -> None:
    whole = scenario(requests=80_000, traffic={"objects": 8_000})
    size = parse_axis("edges[*].cache.size=10MB,40MB,160MB")
    ratios: dict[float, list[float]] = {}
    for share, value in itertools.product((1, 0.25), size.values):
        simulation = Simulation(miniature(changed(whole, [size], (value,)), share))
        simulation.run()
        ratios.setdefault(share, []).append(summarise(simulation).hit_ratio)
    assert ratios[0.25] == sorted(ratios[0.25])
    assert ratios[0.25] == pytest.approx(ratios[1], abs=0.1)


def test_errors_of_keys_say_what_there_is() -> None:
    with pytest.raises(SweepError, match="there are name, text"):
        changed(scenario(), [Axis("tittle", ("a",))], ("a",))


def test_what_the_scenario_leaves_out_can_be_swept() -> None:
    keys = (
        "edges[*].cache.admission.window=5000", "routing.policy=latency",
        "routing.measured.noise=0.5",
    )  # fmt: skip
    axes = [parse_axis(key) for key in keys]
    made = changed(scenario(), axes, tuple(axis.values[0] for axis in axes))
    assert {edge.cache.admission.window for edge in made.edges if edge.cache.admission} == {5000}
    assert made.routing.measured
    assert made.routing.measured.noise == 0.5
    for key in ("routing.measured.nose", "edges[*].cache.admission.windows[0]"):
        with pytest.raises(SweepError, match=r"nose|\[0\] is for lists"):
            changed(scenario(), [Axis(key, (1,))], (1,))
