"""Servers over time; servers one by one, and failures, as tables: nothing where there are none."""

from collections.abc import Sequence
from html import escape

import numpy as np
import numpy.typing as npt

from insula_simulator.report.charts import Line
from insula_simulator.results import Place, Result
from insula_simulator.scenario import Scenario, Servers

MOST_ROWS = 200
MOMENTS = 600
"""Of a chart whose lines are steps."""


def servers_over_time(
    scenario: Scenario, result: Result, sites: Sequence[int]
) -> tuple[list[float], list[Line]]:
    """Seconds, and for each of the sites its servers then; of those that scale also how many of
    them have booted."""
    seconds = np.linspace(0, result.seconds, MOMENTS)
    places = [*result.edges, *result.shields, result.origin]
    described = [site.servers for site in (*scenario.edges, *scenario.shields)]
    described.append(scenario.origin.servers)
    curves: list[Line] = []
    ready: list[Line] = []
    for i in sites:
        about = described[i]
        there, booted = _counts(places[i], about, seconds)
        if places[i].scaled and about.boot > 0:
            ready.append((f"{places[i].name}, booted", booted.tolist()))
        curves.append((places[i].name, there.tolist()))
    return seconds.tolist(), curves + ready


def _counts(
    place: Place, about: Servers, seconds: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """What is taken away has booted: then as many are ready as there are, less those on their
    way."""
    counts = np.array([about.count, *(each.servers for each in place.scaled)])
    times = np.array([each.second for each in place.scaled])
    there = counts[np.searchsorted(times, seconds, side="right")]
    added = np.maximum(np.diff(counts), 0)
    under_way = (times[:, None] <= seconds) & (seconds < times[:, None] + about.boot)
    return there, np.maximum(there - (under_way * added[:, None]).sum(axis=0), 0)


def servers(result: Result) -> str:
    places = [*result.edges, *result.shields, result.origin]
    rows = [
        f"<tr><td>{escape(place.name)} {load.server}<td>{load.requests:,}<td>{load.errors:,}"
        f"<td>{load.busy:.0%}<td>{load.mean_connections:,.2f}<td>{load.most_connections:,}"
        f"<td>{load.mean_seconds * 1000:,.1f} ms<td>{load.ejections:,}"
        for place in places
        for load in place.servers
    ]
    head = "server requests failed busy connections at-most mean-time ejections"
    return _table("Servers", head, rows)


def incidents(result: Result) -> str:
    rows = [
        f"<tr><td>{escape(each.target + (f' – {each.other}' if each.other else ''))}"
        f"<td>{each.kind}<td>{each.start / 60:,.1f}<td>{each.duration / 60:,.1f}"
        for each in result.failures
    ]
    return _table("Failures", "what kind from-minute for-minutes", rows)


def _table(title: str, head: str, rows: list[str]) -> str:
    if not rows:
        return ""
    cells = "".join(f"<th>{name.replace('-', ' ')}" for name in head.split())
    more = f"<p class=legend>and {len(rows) - MOST_ROWS} more</p>" if len(rows) > MOST_ROWS else ""
    return f"<h2>{title}</h2><table><tr>{cells}</tr>{''.join(rows[:MOST_ROWS])}</table>{more}"
