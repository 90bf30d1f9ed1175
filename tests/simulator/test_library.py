"""The library, as the guide shows it; and runs that are interrupted."""

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import insula_simulator
import numpy as np
import polars as pl
import pytest
from insula_simulator import Run, simulate
from simulator.networks import described, scenario
from simulator.test_run import as_toml

ROOT = Path(__file__).parents[2]
SCRIPT = Path(sys.executable).with_name("insula-cdn")


def test_the_example_of_the_guide_works(monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (ROOT / "docs" / "guides" / "cdn.md").read_text("utf-8")
    example = re.search(r"```python\n(import insula_simulator.*?)```", guide, re.DOTALL)
    assert example
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    exec(example[1], names)
    run, table = names["run"], names["table"]
    assert isinstance(run, Run)
    assert isinstance(table, pl.DataFrame)
    assert run.result.requests == run.series["requests"].sum() == 50_000
    assert table["hit_ratio"][1] > table["hit_ratio"][0]


def test_distributions_are_of_all_requests_and_looks_of_all_sites() -> None:
    run = simulate(scenario(), requests=20_000)
    seconds, share = run.latencies()
    assert share[-1] == 1.0
    assert (np.diff(share) >= 0).all()
    p99 = float(seconds[np.searchsorted(share, 0.99)])
    assert p99 == pytest.approx(run.result.latency["p99"], rel=0.05)
    assert set(run.servers["site"]) == {
        "edge:Frankfurt", "edge:New York", "edge:Singapore", "edge:Sydney", "shield:Frankfurt",
        "origin",
    }  # fmt: skip
    with pytest.raises(KeyError):
        run.latencies("Rome")


def test_what_the_package_gives_is_there() -> None:
    for name in insula_simulator.__all__:
        assert getattr(insula_simulator, name)
    with pytest.raises(AttributeError):
        insula_simulator.nothing  # noqa: B018


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_leaves_what_was_there(tmp_path: Path, number: signal.Signals) -> None:
    file, out = tmp_path / "long.toml", tmp_path / "out"
    file.write_text(as_toml(described(requests=2_000_000_000)))
    out.mkdir()
    (out / "result.json").write_text("of an earlier run")
    master, slave = pty.openpty()
    command = [str(SCRIPT), "run", str(file), "--out", str(out), "--threads", "1", "--progress"]
    about = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=slave, env=about)
    os.close(slave)
    told = b""
    try:
        while b"of 2,000,000,000" not in told:  # a terminal that is closed ends this with an error
            told += os.read(master, 4096)
        process.send_signal(number)
        assert process.wait(30) != 0
    finally:
        process.kill()
        process.wait()
        os.close(master)
    assert [(each.name, each.read_text()) for each in out.iterdir()] == [
        ("result.json", "of an earlier run")
    ]
