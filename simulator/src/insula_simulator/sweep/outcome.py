"""The files of a sweep that is over: ``result.json``, ``table.parquet``, ``report.html``."""

import math
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from insula_simulator.placing import placed
from insula_simulator.sweep.page import page
from insula_simulator.sweep.sweeping import Row, Sweep

RESULT, TABLE, REPORT = "result.json", "table.parquet", "report.html"


def write_outcome(
    sweep: Sweep, folder: Path, html: str | None = None, result: bytes | None = None
) -> None:
    """All at once, as those of a run."""
    with placed(folder) as new:
        (new / REPORT).write_text(html or page(sweep), "utf-8")
        frame(sweep).write_parquet(new / TABLE)
        (new / RESULT).write_bytes(result or as_json(told(sweep)))


def frame(sweep: Sweep) -> pl.DataFrame:
    """A row for each run, whole or a miniature (``share`` below 1); a column for each axis and
    each figure."""
    rows = sweep.rows + sweep.screened
    columns: dict[str, Any] = {}
    for i, axis in enumerate(sweep.axes):
        values = [row.point[i] for row in rows]
        mixed = len({isinstance(value, str | bool) for value in values}) > 1
        columns[axis.key] = [str(value) for value in values] if mixed else values
    columns["share"] = [row.share for row in rows]
    for name in rows[0].figures if rows else ():
        columns[name] = [row.figures[name] for row in rows]
    return pl.DataFrame(columns, strict=False)


def told(sweep: Sweep) -> dict[str, Any]:
    """For JSON: ``best`` and the front are among ``rows``; ``met`` tells whether the best keeps the
    bounds."""
    best, goal = sweep.best, sweep.goal
    return {
        "name": sweep.scenario.name,
        "requests": sweep.scenario.requests,
        "keys": [axis.key for axis in sweep.axes],
        "goal": str(goal) if goal else None,
        "best": row_told(sweep, best) if best else None,
        "met": goal.is_met(best.figures) if goal and best else None,
        "front": [row_told(sweep, row) for row in sweep.front],
        "rows": [row_told(sweep, row) for row in sweep.rows],
        "screened": [row_told(sweep, row) for row in sweep.screened],
    }


def row_told(sweep: Sweep, row: Row) -> dict[str, Any]:
    values = {axis.key: value for axis, value in zip(sweep.axes, row.point, strict=True)}
    figures = {name: None if math.isnan(each) else each for name, each in row.figures.items()}
    return {"values": values, "share": row.share, "figures": figures}


def as_json(content: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"
