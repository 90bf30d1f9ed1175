"""Advice in words, as JSON, and as a page."""

from html import escape
from typing import Any

from insula_simulator.advise.advising import Advice
from insula_simulator.report.style import framed
from insula_simulator.sweep.outcome import row_told, told
from insula_simulator.sweep.page import charts, named, table
from insula_simulator.sweep.sweeping import Row


def as_told(advice: Advice) -> dict[str, Any]:
    """For JSON. ``advice`` is null where nothing meets the target."""
    sweep = advice.sweep
    return {
        "met": advice.chosen is not None,
        "advice": _row(advice, advice.chosen),
        "nearest": None if advice.chosen else _row(advice, advice.nearest),
        "next_cheaper": _row(advice, advice.cheaper),
        "notes": list(advice.notes),
        "evidence": told(sweep),
    }


def _row(advice: Advice, row: Row | None) -> dict[str, Any] | None:
    if row is None:
        return None
    own = {"cost_per_month": advice.monthly(row), "fails": advice.failures(row)}
    return row_told(advice.sweep, row) | own


def sentences(advice: Advice) -> list[str]:
    """The answer first, then why."""
    row = advice.chosen or advice.nearest
    kept = str(row.point[0]).split("+")
    every = len(advice.sweep.scenario.edges)
    _, policy, size = row.point
    means = (
        f"{len(kept)} of {every} edges ({', '.join(kept)}), each with {float(size) / 1e9:.4g} GB "
        f"under {policy}: p99 {row.figures['p99'] * 1000:.0f} ms, "
        f"{advice.monthly(row):,.2f} a month"
    )
    if advice.chosen:
        lines = [means]
    else:
        why = ", ".join(advice.failures(row))
        lines = [f"Nothing that was tried meets the target. Nearest: {means}; {why}"]
    if advice.cheaper:
        why = ", ".join(advice.failures(advice.cheaper))
        lines.append(
            f"Next cheaper: {named(advice.sweep.axes, advice.cheaper)}, "
            f"{advice.monthly(advice.cheaper):,.2f} a month; it fails: {why}"
        )
    elif advice.chosen:
        lines.append("Nothing cheaper was worth a whole run.")
    if size == advice.sweep.axes[2].values[0]:
        lines.append("That is the smallest size tried: --sizes tries others.")
    return [*lines, *advice.notes]


def page(advice: Advice) -> str:
    """Loads nothing, runs nothing."""
    sweep = advice.sweep
    first, *rest = sentences(advice)
    more = "".join(f"<li>{escape(each)}" for each in rest)
    return framed(
        f"{sweep.scenario.name}: advice",
        f"<h1>{escape(sweep.scenario.name)}: advice</h1><p class=text>Wanted: "
        f"{escape(str(sweep.goal))} (cost of a run, of which {advice.months:,.4g} make a month)."
        f"</p><p><strong>{escape(first)}</strong></p><ul>{more}</ul>"
        f"{charts(sweep)}<h2>What was tried</h2>{table(sweep)}"
        f"<p class=legend>{len(sweep.rows)} whole runs of {sweep.scenario.requests:,} requests, "
        f"{len(sweep.screened)} miniatures.</p>",
    )
