"""Points on two axes, and heat maps, as inline SVG."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from insula_simulator.report.charts import COLOURS

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 84, 16, 14, 46


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    text: str
    series: int = 0


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to places; ``log`` needs values above 0."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        a, b, at = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        return self.start + (self.end - self.start) * ((at - a) / (b - a) if b > a else 0.5)

    def ticks(self, count: int = 5) -> list[float]:
        shares = [i / (count - 1) for i in range(count)]
        if self.log:
            return [self.low * (self.high / self.low) ** share for share in shares]
        return [self.low + (self.high - self.low) * share for share in shares]


def scatter(
    title: str,
    dots: Sequence[Dot],
    names: Sequence[str],
    axes: tuple[str, str],
    *,
    log: bool = False,
    joined: bool = False,
    path: Sequence[tuple[float, float]] = (),
    limit: float | None = None,
) -> str:
    """Dots of several series. ``joined``: a line through each; ``path``: a line of its own through
    these places, as a Pareto front; ``limit``: a line across, above which nobody wants to be."""
    ups = [dot.y for dot in dots] + ([limit] if limit is not None else [])
    x = Scale(*_range([dot.x for dot in dots], log=log), LEFT, WIDTH - RIGHT, log)
    y = Scale(*_range(ups, log=False), HEIGHT - BOTTOM, TOP)
    parts = [_grid(x, y, axes)]
    if limit is not None:
        parts.append(f'<path class="limit" d="M{LEFT} {y(limit):.1f}H{WIDTH - RIGHT}"/>')
    if path:
        parts.append(_line([(x(a), y(b)) for a, b in path], "front", ""))
    for i, _ in enumerate(names):
        own = sorted((d for d in dots if d.series == i), key=lambda d: d.x)
        colour = COLOURS[i % len(COLOURS)]
        if joined:
            parts.append(_line([(x(d.x), y(d.y)) for d in own], "", f"stroke:{colour}"))
        parts += [
            f'<circle cx="{x(d.x):.1f}" cy="{y(d.y):.1f}" r="4" fill="{colour}">'
            f"<title>{escape(d.text)}</title></circle>"
            for d in own
        ]
    return figure(title, "".join(parts), HEIGHT, names)


def figure(title: str, shapes: str, height: int, names: Sequence[str]) -> str:
    legend = "".join(
        f'<span><i style="background:{COLOURS[i % len(COLOURS)]}"></i>{escape(name)}</span>'
        for i, name in enumerate(names)
        if name
    )
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f'{shapes}</svg><p class="legend">{legend}</p></figure>'
    )


def heat_map(
    title: str,
    across: tuple[str, Sequence[str]],
    down: tuple[str, Sequence[str]],
    cells: Callable[[int, int], tuple[float, str] | None],
) -> str:
    """``cells`` answers for a column and a row the value and what to write there. The darker, the
    larger."""
    columns, rows = across[1], down[1]
    left = 24 + 8 * max(map(len, rows), default=0)
    wide, high = (WIDTH - left - RIGHT) / len(columns), 34
    found = [cells(i, j) for j in range(len(rows)) for i in range(len(columns))]
    values = [cell[0] for cell in found if cell and math.isfinite(cell[0])]
    low, top = min(values, default=0.0), max(values, default=1.0)
    parts = []
    for place, cell in enumerate(found):
        j, i = divmod(place, len(columns))
        if cell is None or not math.isfinite(cell[0]):
            continue
        shade = (cell[0] - low) / (top - low) if top > low else 0.0
        at = f'x="{left + i * wide:.1f}" y="{TOP + j * high:.1f}"'
        parts.append(
            f'<rect class="cell" {at} width="{wide - 2:.1f}" height="{high - 2}" '
            f'fill-opacity="{0.08 + 0.72 * shade:.2f}"/>'
            f'<text class="value" text-anchor="middle" x="{left + (i + 0.5) * wide - 1:.1f}" '
            f'y="{TOP + (j + 0.5) * high + 3:.1f}">{escape(cell[1])}</text>'
        )
    below = TOP + len(rows) * high
    for j, name in enumerate(rows):
        parts.append(_text(left - 8, TOP + (j + 0.5) * high + 3, name, "end"))
    for i, name in enumerate(columns):
        parts.append(_text(left + (i + 0.5) * wide, below + 14, name, "middle"))
    parts.append(_text((left + WIDTH) / 2, below + 32, across[0], "middle"))
    return figure(f"{title}, by {down[0]}", "".join(parts), int(below + 40), ())


def short(value: float, digits: int = 3) -> str:
    """A number on an axis."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.{digits}g}{letter}"
    return f"{value:.{digits}g}"


def _ticks(values: Sequence[float]) -> list[str]:
    """With as many digits as it takes to tell them apart."""
    for digits in range(3, 10):
        texts = [short(value, digits) for value in values]
        if len(set(texts)) == len(set(values)):
            return texts
    return texts


def _range(values: Sequence[float], *, log: bool) -> tuple[float, float]:
    known = [value for value in values if math.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    if log and low > 0:
        return (low, high) if high > low else (low / 2, low * 2)
    room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    return (max(0.0, low - room) if low >= 0 else low - room), high + room


def _grid(x: Scale, y: Scale, axes: tuple[str, str]) -> str:
    parts = [
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(v):.1f}" y2="{y(v):.1f}"/>'
        + _text(LEFT - 6, y(v) + 4, text, "end")
        for v, text in zip(y.ticks(), _ticks(y.ticks()), strict=True)
    ]
    parts += [
        _text(x(v), HEIGHT - BOTTOM + 18, text, "end" if v == x.ticks()[-1] else "middle")
        for v, text in zip(x.ticks(), _ticks(x.ticks()), strict=True)
    ]
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, axes[0], "middle"))
    parts.append(
        f'<text class="tick" text-anchor="middle" transform="translate(13 {HEIGHT / 2 - 10}) '
        f'rotate(-90)">{escape(axes[1])}</text>'
    )
    return "".join(parts)


def _line(places: Sequence[tuple[float, float]], kind: str, style: str) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return f'<polyline class="{kind}" points="{points}" style="{style}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text class="tick" text-anchor="{anchor}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
    )
