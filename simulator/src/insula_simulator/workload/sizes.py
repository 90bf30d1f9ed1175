"""How large objects are: lognormal, with a Pareto tail."""

from math import erf

import msgspec
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

BEYOND = 0.02275
"""The share of a normal law beyond two deviations: where the scenario's tail begins."""
ROUNDS = 4
TAIL = 50
"""Objects that a tail needs to be told."""


class SizeLaw(msgspec.Struct, frozen=True):
    """As a scenario's ``[traffic.sizes]``; ``pareto_error`` is the standard error of the tail's
    exponent, by Hill (1975); ``distance`` as with Zipf's law."""

    median: float
    sigma: float
    pareto_share: float
    pareto_alpha: float
    pareto_error: float
    largest: int
    mean: float
    distance: float


def fit_sizes(sizes: Ints) -> SizeLaw:
    """Median and deviation by quantiles, of what is left once the tail is set apart."""
    logs = np.log(np.maximum(sizes, 1).astype(np.float64))
    kept = 0.0
    for _ in range(ROUNDS):
        low, median, high = np.quantile(logs, np.array([0.1587, 0.5, 0.8413]) * (1 - kept))
        sigma = min(5.0, float(high - low) / 2)
        tail = logs[logs > median + 2 * sigma] - median - 2 * sigma
        share = len(tail) / len(logs)
        told = len(tail) >= TAIL and sigma > 0 and share > BEYOND
        kept = min(1.0, (share - BEYOND) / (1 - BEYOND)) if told else 0.0
    excess = float(tail.mean()) if len(tail) else 0.0
    alpha = min(10.0, 1 / excess) if excess > 0 else 10.0
    return SizeLaw(
        median=float(np.exp(median)),
        sigma=sigma,
        pareto_share=kept,
        pareto_alpha=alpha if told else 1.2,
        pareto_error=alpha / len(tail) ** 0.5 if told else 0.0,
        largest=int(sizes.max()),
        mean=float(sizes.mean()),
        distance=_distance(logs, float(median), sigma),
    )


def _distance(
    logs: np.ndarray[tuple[int], np.dtype[np.float64]], median: float, sigma: float
) -> float:
    """From the lognormal law alone."""
    if sigma == 0:
        return 0.0
    grid = np.linspace(-4, 4, 400)
    law = np.array([0.5 * (1 + erf(x / 2**0.5)) for x in grid])
    found = np.searchsorted(np.sort(logs), median + sigma * grid, side="right") / len(logs)
    return float(np.abs(found - law).max())
