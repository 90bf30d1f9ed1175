"""How long the network takes: great circles of fibre, handshakes, slow start, jitter, loss.

Light in fibre covers 200 km a millisecond; cables are longer than great circles by ``inflation``
(Singla et al., HotNets 2014, find a median of about 1.5 to 2 for paths of the Internet).
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled
from insula_simulator.network.logarithm import logarithm

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

EARTH_KM = 6371.0088
FIBRE_KM_PER_SECOND = 200_000.0
SEGMENT = 1460.0
INITIAL_WINDOW = 10.0
"""Segments (RFC 6928)."""
WARM_WINDOW = 4.0
"""A connection in use has a window larger by this factor."""


_24, _40 = np.uint64(24), np.uint64(40)
_16_BITS, _24_BITS = np.uint64(0xFFFF), np.uint64(0xFFFFFF)
_16_PLACES, _24_PLACES = 2.0**16, 2.0**24
ROUND_TRIP, TCP, QUIC = range(3)
"""What a loss costs: see ``lost``."""
LEAST_TIMEOUT = 0.2
"""Seconds that TCP waits at least for a packet that nothing follows (Linux; RFC 6298 has 1 s)."""
ACK_DELAY = 0.025
"""How long a QUIC peer may wait with an acknowledgement (RFC 9000, section 18.2)."""


class Network(NamedTuple):
    """Seconds, bytes a second, shares. ``handshake`` is round trips before the first request:
    TLS 1.3 over TCP 2, TLS 1.2 3, QUIC 1, resumed QUIC 0. ``loss`` and ``bandwidth`` by region."""

    seed: int
    handshake: float
    reused: float
    jitter: float
    recovery: int
    loss: Floats
    bandwidth: Floats


def kilometres(one: Floats, other: Floats) -> Floats:
    """Great-circle distances between rows of latitude and longitude in degrees (haversine)."""
    a, b = np.radians(one)[:, None, :], np.radians(other)[None, :, :]
    half = np.sin((a - b) / 2) ** 2
    chord = half[..., 0] + np.cos(a[..., 0]) * np.cos(b[..., 0]) * half[..., 1]
    distance: Floats = 2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(chord, 0, 1)))
    return distance


def round_trips(one: Floats, other: Floats, inflation: float, last_mile: float) -> Floats:
    """Seconds there and back."""
    return 2 * kilometres(one, other) * inflation / FIBRE_KM_PER_SECOND + last_mile


@compiled
def jitter(network: Network, bits: np.uint64) -> float:
    """Seconds. Of the request's chances 24 bits are for jitter, 16 for the connection, 24 for
    loss."""
    return -network.jitter * logarithm((float(bits >> _40) + 1.0) / _24_PLACES)


@compiled
def round_trips_of(network: Network, bits: np.uint64, size: int) -> float:
    """Handshake, request, and slow start."""
    fresh = is_fresh(network, bits)
    return 1.0 + (network.handshake if fresh else 0.0) + doublings(size / first_window(fresh))


@compiled
def is_fresh(network: Network, bits: np.uint64) -> bool:
    """Whether it is a connection's first request."""
    return float((bits >> _24) & _16_BITS) >= network.reused * _16_PLACES


@compiled
def first_window(fresh: bool) -> float:
    """Bytes."""
    return INITIAL_WINDOW * SEGMENT * (1.0 if fresh else WARM_WINDOW)


@compiled
def may_lose(loss: float, size: int, bits: np.uint64) -> bool:
    """False where surely nothing is lost: no chance is above the sum of the segments' chances. So
    the power that it takes to be sure is seldom needed."""
    return float(bits & _24_BITS) < loss * (size + SEGMENT) * (_24_PLACES / SEGMENT)


@compiled
def lost(network: Network, region: int, rtt: float, size: int, bits: np.uint64) -> float:
    """Seconds that a loss costs: a round trip, and no more (ROUND_TRIP), or what ``_repaired``
    says; 0 where nothing is lost."""
    loss: float = network.loss[region]
    chance, segments = float(bits & _24_BITS) / _24_PLACES, float(math.ceil(size / SEGMENT))
    if network.recovery == ROUND_TRIP:
        segments = min(segments, 1000.0)
    if chance >= 1.0 - (1.0 - loss) ** segments:
        return 0.0
    if network.recovery == ROUND_TRIP:
        return rtt
    window, bandwidth = first_window(is_fresh(network, bits)), network.bandwidth[region]
    return _repaired(network.recovery, loss, bandwidth, rtt, window, size, chance)


@compiled
def doublings(windows: float) -> float:
    """Round trips of slow start after the first: for 1 + 2 + 4 ... windows."""
    # ceil(log2(1 + windows)) - 1, from the exponent of a float just below.
    bits = np.float64(np.ceil(max(windows, 1.0))).view(np.int64)
    return float((bits >> 52) - 1023)


@compiled
def _repaired(
    recovery: int, loss: float, bandwidth: float, rtt: float, window: float, size: int,
    chance: float,
) -> float:  # fmt: skip
    """Seconds more than without a loss, as Cardwell, Savage and Anderson have it (INFOCOM 2000):
    slow start ends with the loss, it is repaired, and the rest comes at the rate of Mathis et al.
    (1997), as with Reno, and with CUBIC on short paths (RFC 9438, section 4.3). Three packets after
    a loss tell of it; where they are lacking TCP waits for its timer, QUIC for its probe (RFC 9002,
    section 6.2.1, at a variance of an eighth)."""
    segments = math.ceil(size / SEGMENT)
    # Of the same chance as the loss: how many segments arrive before the first that is lost.
    before = min(math.floor(math.log1p(-chance) / math.log1p(-loss)), segments - 1.0)
    repair = rtt
    if min(segments - before - 1.0, window / SEGMENT + before) < 3:
        repair = max(LEAST_TIMEOUT, 2 * rtt) if recovery == TCP else 1.5 * rtt + ACK_DELAY
    spared = (doublings(size / window) - doublings(before * SEGMENT / window)) * rtt
    left = (segments - before) * SEGMENT
    rate = min(bandwidth, SEGMENT / rtt * math.sqrt(1.5 / loss))
    return repair + left / rate - left / bandwidth - spared
