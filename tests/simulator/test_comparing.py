"""``insula-cdn compare`` and ``insula-cdn mrc``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from insula_simulator.outcome import write_outcome
from insula_simulator.simulation import Simulation
from simulator.networks import scenario

SCRIPT = Path(sys.executable).with_name("insula-cdn")


def insula_cdn(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_two_runs_are_compared_from_their_folders(tmp_path: Path) -> None:
    for name, made in (("with", scenario()), ("without", scenario(shields=[]))):
        simulation = Simulation(made)
        simulation.run()
        write_outcome(simulation, tmp_path / name)
    done = insula_cdn("compare", tmp_path / "with", tmp_path / "without" / "result.json", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    figures = json.loads(done.stdout)
    shielded, bare = figures["requests spared the origin"]
    assert shielded > bare
    assert figures["hit ratio"][0] == pytest.approx(figures["hit ratio"][1], abs=0.01)
    text = insula_cdn("compare", tmp_path / "with", tmp_path / "without").stdout
    assert "p99 ms" in text


def test_what_is_no_result_exits_2(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text("{}")
    done = insula_cdn("compare", tmp_path, tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no result" in done.stderr


def test_a_curve_has_the_points_of_single_caches(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    rows = [f"{n},{1 + n * n % (1 + n % 700)},10\n" for n in range(20_000)]
    trace.write_text("time,id,size\n" + "".join(rows))
    common = ["--trace", str(trace), "--format", "csv", "--policy", "lru"]
    done = insula_cdn("mrc", *common, "--from", "100", "--to", "6000", "--points", "6", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    points = json.loads(done.stdout)
    assert [points[0]["size"], points[-1]["size"], len(points)] == [100, 6000, 6]
    ratios = [point["miss_ratio"] for point in points]
    assert ratios == sorted(ratios, reverse=True)
    single = insula_cdn("cache", *common, "--size", str(points[2]["size"]), "--json")
    assert json.loads(single.stdout)["miss_ratio"] == points[2]["miss_ratio"]


def test_belady_has_no_curve_in_one_pass(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("0,a,1\n")
    options = ["--trace", str(trace), "--format", "csv", "--policy", "belady"]
    done = insula_cdn("mrc", *options, "--from", "1", "--to", "9")
    assert done.returncode == 2
    assert "one size at a time" in done.stderr
