"""A run's files: ``result.json``, ``series.parquet``, ``report.html``; all or none."""

import os
import tempfile
from pathlib import Path

import msgspec

from insula_simulator.network.account import added
from insula_simulator.report.page import page
from insula_simulator.results import Result, series, summarise
from insula_simulator.simulation import Simulation

RESULT, SERIES, REPORT = "result.json", "series.parquet", "report.html"


def write_outcome(simulation: Simulation, folder: Path) -> Result:
    """Write everything beside its place first, then move it there: who is interrupted leaves the
    files of an earlier run, or none. ``result.json`` comes last."""
    result = summarise(simulation)
    rows = series(simulation)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unfinished-") as name:
        unfinished = Path(name)
        html = page(simulation.scenario, result, rows, added(simulation.ledgers), simulation.watch)
        (unfinished / REPORT).write_text(html, "utf-8")
        rows.write_parquet(unfinished / SERIES)
        (unfinished / RESULT).write_bytes(as_json(result))
        for each in (REPORT, SERIES, RESULT):
            os.replace(unfinished / each, folder / each)
    return result


def as_json(result: Result) -> bytes:
    return msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"
