"""A run's files: ``result.json``, ``series.parquet``, ``report.html``; all or none."""

from pathlib import Path

import msgspec

from insula_simulator.network.account import added
from insula_simulator.placing import placed
from insula_simulator.report.page import page
from insula_simulator.results import Result, series, summarise
from insula_simulator.simulation import Simulation

RESULT, SERIES, REPORT = "result.json", "series.parquet", "report.html"


def write_outcome(simulation: Simulation, folder: Path) -> Result:
    """All files change at once (see ``placed``)."""
    result = summarise(simulation)
    rows = series(simulation)
    with placed(folder) as new:
        html = page(simulation.scenario, result, rows, added(simulation.ledgers), simulation.watch)
        (new / REPORT).write_text(html, "utf-8")
        rows.write_parquet(new / SERIES)
        (new / RESULT).write_bytes(as_json(result))
    return result


def as_json(result: Result) -> bytes:
    return msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"
