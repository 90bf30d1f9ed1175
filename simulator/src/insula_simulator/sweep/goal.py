"""What is wanted of a run: one figure as small as can be, others within bounds."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from insula_simulator.results import Result
from insula_simulator.sweep.values import SweepError, parse_value

Figures = Mapping[str, float]
T = TypeVar("T")

FIGURES = {
    "cost": "money",
    "p50": "s", "p90": "s", "p99": "s", "mean": "s",
    "hit_ratio": "", "miss_ratio": "", "request_offload": "", "byte_offload": "",
    "error_ratio": "",
    "origin_requests": "", "origin_bytes": "B",
    "server_hours": "h",
}  # fmt: skip
"""The figures of a run and their units. Ratios are between 0 and 1."""

_BOUND = re.compile(r"\s*([a-z_0-9]+)\s*(<=|>=|<|>)\s*(\S+)\s*")


@dataclass(frozen=True, slots=True)
class Bound:
    figure: str
    sign: str
    limit: float

    def excess(self, figures: Figures) -> float:
        """0 where it is kept; else by what share it is broken, which is never 0."""
        value = figures[self.figure]
        if math.isnan(value):
            return math.inf
        over = value - self.limit if self.sign.startswith("<") else self.limit - value
        if over < 0 or (over == 0 and self.sign.endswith("=")):
            return 0.0
        return max(over / max(abs(self.limit), 1e-12), 1e-12)

    def __str__(self) -> str:
        return f"{self.figure} {self.sign} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Goal:
    minimise: str
    bounds: tuple[Bound, ...] = ()

    def rank(self, figures: Figures) -> tuple[float, float]:
        """Smaller is better: what keeps the bounds comes first, then what breaks them least."""
        value = figures[self.minimise]
        excess = sum(bound.excess(figures) for bound in self.bounds)
        return excess, math.inf if math.isnan(value) else value

    def is_met(self, figures: Figures) -> bool:
        return not any(bound.excess(figures) for bound in self.bounds)

    def __str__(self) -> str:
        bounds = " and ".join(map(str, self.bounds))
        return f"least {self.minimise}" + (f" with {bounds}" if bounds else "")


def parse_goal(minimise: str | None, bounds: Sequence[str]) -> Goal | None:
    """Raises SweepError."""
    if minimise is None:
        if bounds:
            raise SweepError("--subject-to needs --minimise")
        return None
    return Goal(_figure(minimise), tuple(parse_bound(each) for each in bounds))


def parse_bound(text: str) -> Bound:
    """``p99<0.2``, ``p99 <= 200ms``. Raises SweepError."""
    found = _BOUND.fullmatch(text)
    limit = parse_value(found[3]) if found else ""
    if not found or isinstance(limit, str):
        raise SweepError(f"{text!r} is no bound like p99<0.2")
    return Bound(_figure(found[1]), found[2], float(limit))


def _figure(name: str) -> str:
    if name not in FIGURES:
        raise SweepError(f"{name!r} is none of {', '.join(FIGURES)}")
    return name


def figures_of(result: Result) -> dict[str, float]:
    """The figures of a run."""
    places = [*result.edges, *result.shields, result.origin]
    return {
        "cost": result.cost["total"],
        **{name: result.latency[name] for name in ("p50", "p90", "p99", "mean")},
        "hit_ratio": result.hit_ratio,
        "miss_ratio": 1 - result.hit_ratio,
        "request_offload": result.request_offload,
        "byte_offload": result.byte_offload,
        "error_ratio": result.error_ratio,
        "origin_requests": float(result.origin.requests),
        "origin_bytes": float(result.bytes_from_origin),
        "server_hours": sum(place.server_hours for place in places),
    }


def front(rows: Sequence[T], figures: Sequence[tuple[float, float]]) -> list[T]:
    """The rows that no other beats in both figures (Pareto), by the first of them."""
    order = sorted(range(len(rows)), key=lambda i: (figures[i], i))
    best, kept = math.inf, []
    for i in order:
        if figures[i][1] < best:
            best = figures[i][1]
            kept.append(rows[i])
    return kept
