"""Which points of a grid to run: all of them, or those that a search finds worth it.

The search is the same for any number of processes: what comes next depends on the outcomes of a
whole round, never on which came first.
"""

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

from insula_simulator.sweep.axes import Axis, Point
from insula_simulator.sweep.goal import Figures, Goal
from insula_simulator.sweep.miniature import LEAST_REQUESTS
from insula_simulator.sweep.values import middle

Evaluate: TypeAlias = Callable[[Sequence[Point], float], list[Figures]]
"""Runs of points with a share of the requests, in the order of the points."""

SHARES = (1 / 16, 1 / 4)
KEEP = 1 / 3
"""The part of the candidates that a round leaves; the best first."""
LEAST_KEPT = 4
CLOSE = 0.05
"""Gaps narrower than this share are not halved any more."""


def halve(
    points: Sequence[Point], requests: int, goal: Goal, evaluate: Evaluate
) -> dict[Point, Figures]:
    """Successive halving (Jamieson and Talwalkar, AISTATS 2016): all candidates as miniatures, the
    better third of them larger, and what is left whole. ``requests`` is 0 where there can be no
    miniatures, as of a recorded trace."""
    left = list(points)
    for share in SHARES:
        if len(left) <= LEAST_KEPT or requests * share < LEAST_REQUESTS:
            continue
        ranks = [goal.rank(figures) for figures in evaluate(left, share)]
        order = sorted(range(len(left)), key=lambda i: (ranks[i], i))
        kept = sorted(order[: max(LEAST_KEPT, math.ceil(len(left) * KEEP))])
        left = [left[i] for i in kept]
    return dict(zip(left, evaluate(left, 1.0), strict=True))


def refine(
    axes: Sequence[Axis],
    known: dict[Point, Figures],
    goal: Goal,
    evaluate: Evaluate,
    most: int,
) -> dict[Point, Figures]:
    """Halve the gaps beside the best, along each range, until they are narrow or ``most`` runs are
    spent. Finds a least cost inside a range as well as one where a bound begins to be kept."""
    found = dict(known)
    spent = 0
    while True:
        best = min(found, key=lambda point: (goal.rank(found[point]), smaller(point)))
        tries = [point for point in _beside(axes, found, best) if point not in found]
        tries = tries[: most - spent]
        if not tries:
            return found
        found |= zip(tries, evaluate(tries, 1.0), strict=True)
        spent += len(tries)


def smaller(point: Point) -> tuple[tuple[float, str], ...]:
    """Of points that are equally good the one with the smaller numbers is preferred."""
    return tuple((0.0, each) if isinstance(each, str) else (float(each), "") for each in point)


def _beside(axes: Sequence[Axis], found: dict[Point, Figures], best: Point) -> list[Point]:
    tries = []
    for i, axis in enumerate(axes):
        if not axis.spacing:
            continue
        line = {p[i] for p in found if p[:i] == best[:i] and p[i + 1 :] == best[i + 1 :]}
        for neighbour in _neighbours(best[i], line | set(axis.values)):
            if _is_wide(best[i], neighbour, axis):
                tries.append((*best[:i], middle(best[i], neighbour, axis.spacing), *best[i + 1 :]))
    return tries


def _neighbours(value: object, values: set[bool | int | float | str]) -> list[float]:
    assert isinstance(value, int | float)
    numbers = sorted(each for each in values if isinstance(each, int | float))
    place = numbers.index(value)
    return numbers[max(0, place - 1) : place] + numbers[place + 1 : place + 2]


def _is_wide(one: object, other: float, axis: Axis) -> bool:
    assert isinstance(one, int | float)
    low, high = sorted((one, other))
    if isinstance(one, int) and isinstance(other, int) and high - low < 2:
        return False
    if axis.spacing == "log":
        return high / low > 1 + CLOSE
    width = float(axis.values[-1]) - float(axis.values[0])
    return high - low > width * CLOSE / 2
