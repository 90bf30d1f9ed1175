"""Servers one by one, and failures, as tables; nothing where there are none."""

from html import escape

from insula_simulator.results import Result

MOST_ROWS = 200


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
