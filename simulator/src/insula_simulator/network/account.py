"""What clients saw, counted: fates, bytes and latencies by time, latencies by region."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled
from insula_simulator.network.chance import JITTER, mixed
from insula_simulator.network.freshness import ERROR, FATES, NEGATIVE
from insula_simulator.network.latency import Network, jitter, lost, may_lose, round_trips_of
from insula_simulator.network.logarithm import logarithm

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
    trips: Floats,
) -> None:
    """Requests of one edge. ``inside`` is the seconds behind the edge's door, which become those
    that each request took in all; ``fetched`` the bytes that it got from upstream, ``rtts`` from
    each region, ``trips`` memory to work in."""
    # Loops of their own are those of which the processor does several requests at a time.
    _draw_ways(network, numbers, sizes, fates, inside, trips)
    _count(ledger, network, bin_width, rtts, numbers, times, regions, sizes, fates, inside, fetched,
           trips)  # fmt: skip
    _count_seconds(ledger, bin_width, times, inside)
    for i in range(times.size):
        trips[i] = logarithm(max(inside[i], FASTEST) / FASTEST) * _PER_FOLD
    latency, by_region = ledger.latency, ledger.by_region
    bins, a_second = latency.shape[0], 1.0 / bin_width
    for i in range(times.size):
        bucket = min(int(trips[i]), BUCKETS - 1)
        latency[min(int(times[i] * a_second), bins - 1), bucket] += 1
        by_region[regions[i], bucket] += 1


@compiled
def _draw_ways(
    network: Network, numbers: Ints, sizes: Ints, fates: Fates, inside: Floats, trips: Floats
) -> None:
    """Jitter on top of ``inside``, and how many round trips each takes, negative of those that may
    lose something."""
    most = 0.0
    for region in range(network.loss.size):
        most = max(most, network.loss[region])
    for i in range(numbers.size):
        fate = fates[i]
        size = 0 if (fate == ERROR) | (fate == NEGATIVE) else sizes[i]
        bits = mixed(network.seed, JITTER, numbers[i])
        inside[i] = max(inside[i], 0.0) + jitter(network, bits)
        taken = round_trips_of(network, bits, size)
        trips[i] = -taken if may_lose(most, size, bits) else taken


@compiled
def _count(
    ledger: Ledger, network: Network, bin_width: float, rtts: Floats, numbers: Ints, times: Floats,
    regions: Ints, sizes: Ints, fates: Fates, inside: Floats, fetched: Ints, trips: Floats,
) -> None:  # fmt: skip
    """Fates and bytes; and what depends on the region."""
    by_time, sent, bandwidth = ledger.fates, ledger.bytes, network.bandwidth
    bins, a_second = by_time.shape[0], 1.0 / bin_width
    for i in range(times.size):
        at = min(int(times[i] * a_second), bins - 1)
        fate, region = fates[i], regions[i]
        size = 0 if (fate == ERROR) | (fate == NEGATIVE) else sizes[i]
        inside[i] += abs(trips[i]) * rtts[region] + size / bandwidth[region]
        if trips[i] < 0:
            bits = mixed(network.seed, JITTER, numbers[i])
            inside[i] += lost(network, region, rtts[region], size, bits)
        by_time[at, fate] += 1
        sent[at, DELIVERED] += size
        sent[at, FETCHED] += fetched[i]


@compiled
def _count_seconds(ledger: Ledger, bin_width: float, times: Floats, took: Floats) -> None:
    instants = CENSUS / (ledger.fates.shape[0] * bin_width)
    seconds, census = 0.0, 0
    for i in range(times.size):
        seconds += took[i]
        census += int((times[i] + took[i]) * instants) - int(times[i] * instants)
    ledger.seconds[0] += seconds
    ledger.census[0] += census


def quantile(histogram: Ints, share: float) -> float:
    """Seconds that ``share`` of the requests took at most; NaN of none."""
    total = int(histogram.sum())
    if total == 0:
        return math.nan
    bucket = int(np.searchsorted(np.cumsum(histogram), share * total))
    return float(FASTEST * 10 ** ((bucket + 0.5) / PER_DECADE))
