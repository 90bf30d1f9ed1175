"""How popular objects are: a Zipf law fitted to counts."""

import msgspec
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SURE = 10
"""Requests from which on an object's rank by count says its rank by popularity."""
STEEPEST = 3.0
MOST_OBJECTS = 20_000_000


class Zipf(msgspec.Struct, frozen=True):
    """``exponent`` by maximum likelihood over the ``ranks`` that were asked for often enough, with
    its standard error; ``distance`` is the largest difference between the shares of requests for
    the first ranks and what the law says (Kolmogorov and Smirnov)."""

    exponent: float
    error: float
    distance: float
    ranks: int


def fit_zipf(counts: Ints, lives: float = 1.0) -> Zipf:
    """Conditional on the ranks taken, so that rare objects, whose order is chance, have no say.
    With ``lives`` each rank of the law has so many objects one after the other."""
    sorted_ = np.sort(counts)[::-1].astype(np.float64)
    ranks = max(min(SURE, len(sorted_)), int((sorted_ >= SURE).sum()))
    taken = sorted_[:ranks]
    logs = np.log((np.arange(ranks) + 0.5) / lives + 0.5).clip(0)
    wanted = float((taken * logs).sum() / taken.sum())
    low, high = 0.0, STEEPEST
    for _ in range(60):  # the mean of the ranks' logarithms falls with the exponent
        exponent = (low + high) / 2
        low, high = (exponent, high) if _mean(logs, exponent)[0] > wanted else (low, exponent)
    variance = _mean(logs, exponent)[1]
    law = np.cumsum(np.exp(-exponent * logs))
    shares = np.cumsum(taken) / taken.sum()
    return Zipf(
        exponent=exponent,
        error=float(1 / np.sqrt(taken.sum() * variance)) if variance > 0 else 0.0,
        distance=float(np.abs(law / law[-1] - shares).max()),
        ranks=ranks,
    )


def _mean(logs: Floats, exponent: float) -> tuple[float, float]:
    weights = np.exp(-exponent * logs)
    weights /= weights.sum()
    mean = float((weights * logs).sum())
    return mean, float((weights * (logs - mean) ** 2).sum())


def expected(
    requests: float, objects: int, exponent: float, turns: float = 0.0
) -> tuple[float, float]:
    """How many objects are asked for at all, and once only, when ``requests`` are drawn from a Zipf
    law whose ranks each get a new object ``turns`` times, at moments of their own."""
    edges = np.unique(np.geomspace(1, objects + 1, 4000).astype(np.int64))
    widths = np.diff(edges).astype(np.float64)
    weights = ((edges[:-1] + edges[1:] - 1) / 2) ** -exponent
    means = requests / max(1.0, turns) * weights / (weights * widths).sum()
    never = np.exp(-means)
    # Whole lives between two turns, and the lives that the trace's start and end cut short.
    whole, short = (turns - 1, 2.0) if turns >= 1 else (1 - turns, 2 * turns)
    every = whole * (1 - never) + short * (1 - (1 - never) / means)
    once = whole * means * never + short * (1 - never * (1 + means)) / means
    return float((widths * every).sum()), float((widths * once).sum())


def catalogue(
    requests: int, asked: int, once: int, exponent: float, turns: float
) -> tuple[int, float]:
    """How many objects there must be that as many as seen are asked for more than once; and the
    share of requests for one-hit wonders that the law does not explain."""
    wonders = 0.0
    objects = asked
    for _ in range(4):
        drawn = requests * (1 - wonders)
        low, high = 1, MOST_OBJECTS
        while high - low > max(1, low // 1000):
            objects = (low + high) // 2
            every, single = expected(drawn, objects, exponent, turns)
            # More objects are asked for more than once, until they are too many to be.
            more = every - single < asked - once and every < asked
            low, high = (objects, high) if more else (low, objects)
        objects = low
        single = expected(drawn, objects, exponent, turns)[1]
        wonders = min(0.99, max(0.0, (once - single) / requests))
    return objects, wonders
