"""Charts as inline SVG."""

import math
from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 74, 14, 12, 28
NOTE_ROWS, NOTE_HEIGHT, LETTER = 3, 13, 6.7
"""Where spans are named, above the curves: lines of text, and how wide a letter is."""
COLOURS = ("#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f")
OWN_COLOURS = {"error": "#dc2626"}

Line = tuple[str, Sequence[float]]


def lines(
    title: str,
    across: Sequence[float],
    curves: Sequence[Line],
    *,
    unit: str,
    spans: Sequence[tuple[float, float, str]] = (),
    across_unit: str = "min",
    top: float | None = None,
) -> str:
    """Curves over a common axis from 0; ``spans`` are shaded and named."""
    right = max(max(across, default=1.0), 1e-9)
    known = [value for _, values in curves for value in values if math.isfinite(value)]
    high = top if top is not None else _round_up(max(known, default=1.0))

    def x(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * value / right

    notes, rows = _notes([(x(start), name) for start, _, name in spans])
    top_edge, bottom = TOP + rows * NOTE_HEIGHT, HEIGHT - BOTTOM + rows * NOTE_HEIGHT

    def y(value: float) -> float:
        return bottom - (bottom - top_edge) * min(value, high) / high

    parts = [_axes(high, right, unit, across_unit, x, y), *notes]
    for start, end, name in spans:
        wide = x(min(end, right)) - x(start)
        parts.append(
            f'<rect class="{"span" if wide > 1 else "moment"}" x="{x(start):.1f}" y="{top_edge}" '
            f'height="{bottom - top_edge}" width="{max(1, wide):.1f}">'
            f"<title>{escape(name)}</title></rect>"
        )
    for i, (name, values) in enumerate(curves):
        points = " ".join(
            f"{x(at):.1f},{y(value):.1f}"
            for at, value in zip(across, values, strict=True)
            if math.isfinite(value)
        )
        parts.append(
            f'<polyline points="{points}" style="stroke:{_colour(i, name)}">'
            f"<title>{escape(name)}</title></polyline>"
        )
    legend = "".join(
        f'<span><i style="background:{_colour(i, name)}"></i>{escape(name)}</span>'
        for i, (name, _) in enumerate(curves)
    )
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {bottom + BOTTOM}" role="img" aria-label="{escape(title)}">'
        f'{"".join(parts)}</svg><p class="legend">{legend}</p></figure>'
    )


def _colour(place: int, name: str) -> str:
    return OWN_COLOURS.get(name, COLOURS[place % len(COLOURS)])


def time_axis(duration: float) -> tuple[float, str]:
    """Seconds of the unit that a run of so many is best told in, and its name."""
    if duration < 300:
        return 1.0, "s"
    return (60.0, "min") if duration <= 6 * 3600 else (3600.0, "h")


def _notes(wanted: Sequence[tuple[float, str]]) -> tuple[list[str], int]:
    """Names of spans where there is room, and how many lines they take: one that would cover
    another is left to the tooltip, and to the table of failures."""
    free, parts = [0.0] * NOTE_ROWS, []
    for at, name in sorted(wanted):
        wide = LETTER * len(name)
        start = max(min(at + 3, WIDTH - RIGHT - wide), LEFT)
        row = next((row for row, end in enumerate(free) if start >= end), None)
        if row is None:
            continue
        free[row] = start + wide + LETTER
        parts.append(
            f'<text class="note" x="{start:.1f}" y="{TOP + 8 + row * NOTE_HEIGHT}">'
            f"{escape(name)}</text>"
        )
    return parts, sum(end > 0 for end in free)


def _axes(high: float, right: float, unit: str, across_unit: str, x, y) -> str:  # type: ignore[no-untyped-def]
    parts = []
    for step in range(5):
        value = high * step / 4
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" '
            f'y2="{y(value):.1f}"/><text class="tick" text-anchor="end" x="{LEFT - 6}" '
            f'y="{y(value) + 4:.1f}">{_short(value)}{escape(unit)}</text>'
        )
    every = _round_up(right / 6)
    marks = [every * i for i in range(int(right / every + 1e-9) + 1)]
    for value in marks:
        is_last = value == marks[-1]
        parts.append(
            f'<text class="tick" text-anchor="middle" x="{min(x(value), WIDTH - 34):.1f}" '
            f'y="{y(0) + 20:.1f}">{_short(value)}{" " + across_unit if is_last else ""}</text>'
        )
    return "".join(parts)


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _round_up(value: float) -> float:
    if value <= 0:
        return 1.0
    scale = 10.0 ** math.floor(math.log10(value))
    return next(step * scale for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * scale >= value)
