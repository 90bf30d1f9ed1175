"""Charts as inline SVG."""

import math
from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 28
COLOURS = ("#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f")

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

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(value, high) / high

    parts = [_axes(high, right, unit, across_unit, x, y)]
    for start, end, name in spans:
        parts.append(
            f'<rect class="span" x="{x(start):.1f}" y="{TOP}" height="{HEIGHT - TOP - BOTTOM}" '
            f'width="{max(1, x(min(end, right)) - x(start)):.1f}">'
            f"<title>{escape(name)}</title></rect>"
            f'<text class="note" x="{x(start) + 3:.1f}" y="{TOP + 11}">{escape(name)}</text>'
        )
    for i, (name, values) in enumerate(curves):
        points = " ".join(
            f"{x(at):.1f},{y(value):.1f}"
            for at, value in zip(across, values, strict=True)
            if math.isfinite(value)
        )
        parts.append(
            f'<polyline points="{points}" style="stroke:{COLOURS[i % len(COLOURS)]}">'
            f"<title>{escape(name)}</title></polyline>"
        )
    legend = "".join(
        f'<span><i style="background:{COLOURS[i % len(COLOURS)]}"></i>{escape(name)}</span>'
        for i, (name, _) in enumerate(curves)
    )
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f'{"".join(parts)}</svg><p class="legend">{legend}</p></figure>'
    )


def _axes(high: float, right: float, unit: str, across_unit: str, x, y) -> str:  # type: ignore[no-untyped-def]
    parts = []
    for step in range(5):
        value = high * step / 4
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" '
            f'y2="{y(value):.1f}"/><text class="tick" text-anchor="end" x="{LEFT - 6}" '
            f'y="{y(value) + 4:.1f}">{_short(value)}{escape(unit)}</text>'
        )
    for step in range(6):
        value = right * step / 5
        parts.append(
            f'<text class="tick" text-anchor="{"end" if step == 5 else "middle"}" '
            f'x="{WIDTH - 2 if step == 5 else x(value):.1f}" y="{HEIGHT - 8}">'
            f"{_short(value)}{' ' + across_unit if step == 5 else ''}</text>"
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
