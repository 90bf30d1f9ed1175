"""Times of answers as a time before the first byte and a rate of the bytes."""

import msgspec
import numpy as np
import numpy.typing as npt

LEAST = 3
FASTEST = 1e-6
"""Seconds: nothing answers sooner."""
NORMAL = 1.4826
"""The deviation of a normal law by its median absolute deviation."""


class Fit(msgspec.Struct, frozen=True):
    """Seconds are ``fixed`` plus a body's bytes by ``bytes_per_second`` (0: too fast to see).
    ``spread`` is the deviation from that as a share of ``fixed``, at most 1: what a scenario calls
    ``servers.spread``. ``p50`` and ``p99`` are of the times themselves."""

    samples: int
    fixed: float
    bytes_per_second: float
    spread: float
    p50: float
    p99: float


def fitted(sizes: npt.NDArray[np.int64], seconds: npt.NDArray[np.float64]) -> Fit:
    """A line through the times by size, by Theil and Sen (1968): medians, so that the requests that
    waited for the machine's other work do not count."""
    if len(sizes) < LEAST:
        return Fit(len(sizes), 0.0, 0.0, 0.0, 0.0, 0.0)
    one, other = np.triu_indices(len(sizes), 1)
    apart = (sizes[other] - sizes[one]).astype(np.float64)
    slopes = (seconds[other] - seconds[one])[apart != 0] / apart[apart != 0]
    per_byte = max(0.0, float(np.median(slopes))) if len(slopes) else 0.0
    fixed = max(float(np.median(seconds - per_byte * sizes)), FASTEST)
    rest = np.abs(seconds - fixed - per_byte * sizes)
    p50, p99 = np.quantile(seconds, [0.5, 0.99])
    return Fit(
        samples=len(sizes),
        fixed=fixed,
        bytes_per_second=1 / per_byte if per_byte > 0 else 0.0,
        spread=min(1.0, NORMAL * float(np.median(rest)) / fixed),
        p50=float(p50),
        p99=float(p99),
    )
