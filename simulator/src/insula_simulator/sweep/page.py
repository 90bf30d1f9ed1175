"""The page of a sweep."""

import math
from collections.abc import Sequence
from html import escape

from insula_simulator.report.plots import Dot, heat_map, scatter
from insula_simulator.report.style import framed
from insula_simulator.sweep.axes import Axis
from insula_simulator.sweep.goal import FIGURES
from insula_simulator.sweep.sweeping import Row, Sweep
from insula_simulator.sweep.values import Value, shown

MOST_ROWS, MOST_SERIES = 500, 8
COLUMNS = ("hit_ratio", "byte_offload", "p50", "p99", "error_ratio", "origin_bytes", "cost")


def page(sweep: Sweep) -> str:
    """Loads nothing, runs nothing."""
    name = sweep.scenario.name
    return framed(
        f"{name}: a sweep",
        f"<h1>{escape(name)}</h1><p class=text>{escape(_intro(sweep))}</p>"
        f"{charts(sweep)}<h2>Runs</h2>{table(sweep)}"
        f"<p class=legend>{len(sweep.rows)} whole runs of {sweep.scenario.requests:,} requests, "
        f"{len(sweep.screened)} miniatures; seed {sweep.scenario.seed}.</p>",
    )


def _intro(sweep: Sweep) -> str:
    best = sweep.best
    if best is None or sweep.goal is None:
        return "Every combination of what varies."
    met = "" if sweep.goal.is_met(best.figures) else " No run keeps the bounds; nearest:"
    return f"Wanted: {sweep.goal}.{met} Best: {named(sweep.axes, best)}."


def named(axes: Sequence[Axis], row: Row) -> str:
    told = [f"{a.key} = {shown(v)}" for a, v in zip(axes, row.point, strict=True)]
    return ", ".join(told) or "the scenario as it is"


def written(figure: str, value: float) -> str:
    """A figure for people, in its unit."""
    if math.isnan(value):
        return "–"
    unit = FIGURES[figure]
    if unit == "s":
        return f"{value * 1000:,.1f} ms"
    if figure.endswith(("ratio", "offload")):
        return f"{value:.2%}"
    return f"{value / 1e9:,.2f} GB" if unit == "B" else f"{value:,.2f}"


def charts(sweep: Sweep) -> str:
    """Cost against p99 with the front; a heat map of two axes; lines along a range."""
    parts = [_front(sweep)]
    figures = ["hit_ratio", "p99", "cost"]
    if sweep.goal and sweep.goal.minimise not in figures:
        figures.insert(0, sweep.goal.minimise)
    ranged = next((i for i, axis in enumerate(sweep.axes) if _is_numeric(axis)), None)
    if ranged is not None:
        parts += [_along(sweep, ranged, figure) for figure in figures]
    if len([axis for axis in sweep.axes if len(axis.values) > 1]) >= 2:
        parts += [_map(sweep, figure) for figure in figures]
    return "".join(parts)


def _is_numeric(axis: Axis) -> bool:
    numbers = [v for v in axis.values if not isinstance(v, str | bool)]
    return len(numbers) == len(axis.values) > 1


def _front(sweep: Sweep) -> str:
    chosen = set(map(id, sweep.front))
    dots = [
        Dot(row.figures["cost"], row.figures["p99"] * 1000, _hint(sweep, row), id(row) in chosen)
        for row in sweep.rows
        if not math.isnan(row.figures["p99"])
    ]
    limits = [b.limit * 1000 for b in sweep.goal.bounds if b.figure == "p99"] if sweep.goal else []
    return scatter(
        "Cost and p99: no run beats those on the front in both",
        dots,
        ("others", "front"),
        ("cost", "p99, ms"),
        path=[(row.figures["cost"], row.figures["p99"] * 1000) for row in sweep.front],
        limit=limits[0] if limits else None,
    )


def _hint(sweep: Sweep, row: Row) -> str:
    told = ", ".join(f"{name} {written(name, row.figures[name])}" for name in COLUMNS)
    return f"{named(sweep.axes, row)}: {told}"


def _along(sweep: Sweep, ranged: int, figure: str) -> str:
    axis = sweep.axes[ranged]
    others = {_without(row, ranged) for row in sweep.rows}
    names = sorted(others)[:MOST_SERIES]
    factor = 1000 if FIGURES[figure] == "s" else 100 if figure.endswith("ratio") else 1
    dots = [
        Dot(float(row.point[ranged]), row.figures[figure] * factor, _hint(sweep, row),
            names.index(_without(row, ranged)))
        for row in sweep.rows
        if _without(row, ranged) in names and not math.isnan(row.figures[figure])
    ]  # fmt: skip
    unit = {1000: ", ms", 100: ", %", 1: ""}[factor]
    log = axis.spacing == "log" and all(dot.x > 0 for dot in dots)
    label = figure.replace("_", " ")
    return scatter(
        f"{label} along {axis.key}", dots, names, (axis.key, label + unit), log=log, joined=True
    )


def _without(row: Row, place: int) -> str:
    rest = (*row.point[:place], *row.point[place + 1 :])
    return ", ".join(map(_label, rest))


def _label(value: Value) -> str:
    """Short enough for a chart: of many sites two letters each."""
    text = shown(value)
    return text if len(text) <= 20 else "".join(name[:2] for name in text.split("+"))[:20]


def _map(sweep: Sweep, figure: str) -> str:
    """Of two axes; where others vary too, the best of them."""
    wide = [i for i, axis in enumerate(sweep.axes) if len(axis.values) > 1]
    first, second = sorted(wide[:2], key=lambda i: len(sweep.axes[i].values), reverse=True)
    across, down = sweep.axes[first], sweep.axes[second]

    def cell(i: int, j: int) -> tuple[float, str] | None:
        wanted = (across.values[i], down.values[j])
        rows = [row for row in sweep.rows if (row.point[first], row.point[second]) == wanted]
        goal = sweep.goal
        if not rows:
            return None
        row = min(rows, key=lambda r: goal.rank(r.figures) if goal else (0.0, r.figures["cost"]))
        return row.figures[figure], written(figure, row.figures[figure])

    return heat_map(
        figure.replace("_", " "),
        (across.key, [_label(v) for v in across.values]),
        (down.key, [_label(v) for v in down.values]),
        cell,
    )


def table(sweep: Sweep) -> str:
    """The runs, best first where there is a goal."""
    goal, best, rows = sweep.goal, sweep.best, sweep.ranked()
    heads = [axis.key for axis in sweep.axes] + [name.replace("_", " ") for name in COLUMNS]
    lines = []
    for row in rows[:MOST_ROWS]:
        kind = "best" if row is best else "failed" if goal and not goal.is_met(row.figures) else ""
        cells = [shown(value) for value in row.point]
        cells += [written(name, row.figures[name]) for name in COLUMNS]
        lines.append(f'<tr class="{kind}">' + "".join(f"<td>{escape(cell)}" for cell in cells))
    head = "".join(f"<th>{escape(each)}" for each in heads)
    more = f"<p>and {len(rows) - MOST_ROWS} more in table.parquet</p>" * (len(rows) > MOST_ROWS)
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(lines)}</table></div>{more}'
