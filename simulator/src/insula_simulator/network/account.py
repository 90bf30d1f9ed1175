"""What clients saw, counted: fates, bytes and latencies by time, latencies by region."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled
from insula_simulator.network.freshness import ERROR, FATES, NEGATIVE
from insula_simulator.network.latency import Network, transfer

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Fates = npt.NDArray[np.uint8]

BUCKETS = 640
PER_DECADE = 128
FASTEST = 1e-4
"""Seconds of the first bucket; 128 buckets a decade are 1.8 % wide, up to ten seconds; the last
bucket takes the rest."""
_PER_FOLD = PER_DECADE / math.log(10.0)
DELIVERED, FETCHED = range(2)
CENSUS = 1 << 16
"""Instants of a run at which it is counted how many requests are under way: the other side of
Little's law, which says nothing when both sides are the same sum of latencies."""


class Ledger(NamedTuple):
    """Rows are time bins, but for ``by_region``."""

    fates: Ints
    bytes: Ints
    latency: Ints
    by_region: Ints
    seconds: Floats
    """Latency summed."""
    census: Ints
    """Requests found under way, summed over equidistant instants (see ``CENSUS``)."""


def new_ledger(bins: int, regions: int) -> Ledger:
    return Ledger(
        np.zeros((bins, len(FATES)), np.int64),
        np.zeros((bins, 2), np.int64),
        np.zeros((bins, BUCKETS), np.int64),
        np.zeros((regions, BUCKETS), np.int64),
        np.zeros(1),
        np.zeros(1, np.int64),
    )


def added(ledgers: list[Ledger]) -> Ledger:
    """One ledger of many, added in their order."""
    return Ledger(*(np.sum(part, axis=0) for part in zip(*ledgers, strict=True)))


@compiled
def account(
    ledger: Ledger,
    network: Network,
    bin_width: float,
    rtts: Floats,
    numbers: Ints,
    times: Floats,
    regions: Ints,
    sizes: Ints,
    fates: Fates,
    inside: Floats,
    fetched: Ints,
) -> None:
    """Requests of one edge. ``inside`` is the seconds behind the edge's door, ``fetched`` the bytes
    that it got from upstream, ``rtts`` from each region."""
    by_time, sent, latency, by_region = ledger.fates, ledger.bytes, ledger.latency, ledger.by_region
    bins = by_time.shape[0]
    instants, a_second = CENSUS / (bins * bin_width), 1.0 / bin_width
    seconds, census = 0.0, 0
    for i in range(times.size):
        at = min(int(times[i] * a_second), bins - 1)
        fate, region = fates[i], regions[i]
        size = 0 if fate in (ERROR, NEGATIVE) else sizes[i]
        took = transfer(network, region, rtts[region], size, numbers[i]) + max(inside[i], 0.0)
        bucket = int(math.log(max(took, FASTEST) / FASTEST) * _PER_FOLD)
        bucket = min(bucket, BUCKETS - 1)
        by_time[at, fate] += 1
        sent[at, DELIVERED] += size
        sent[at, FETCHED] += fetched[i]
        latency[at, bucket] += 1
        by_region[region, bucket] += 1
        seconds += took
        census += int((times[i] + took) * instants) - int(times[i] * instants)
    ledger.seconds[0] += seconds
    ledger.census[0] += census


def quantile(histogram: Ints, share: float) -> float:
    """Seconds that ``share`` of the requests took at most; NaN of none."""
    total = int(histogram.sum())
    if total == 0:
        return math.nan
    bucket = int(np.searchsorted(np.cumsum(histogram), share * total))
    return float(FASTEST * 10 ** ((bucket + 0.5) / PER_DECADE))
