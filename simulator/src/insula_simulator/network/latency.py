"""How long the network takes: great circles of fibre, handshakes, slow start, jitter, loss.

Light in fibre covers 200 km a millisecond; cables are longer than great circles by ``inflation``
(Singla et al., HotNets 2014, find a median of about 1.5 to 2 for paths of the Internet).
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled
from insula_simulator.network.chance import JITTER, mixed

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


class Network(NamedTuple):
    """Seconds, bytes a second, shares. ``handshake`` is round trips before the first request:
    TLS 1.3 over TCP 2, TLS 1.2 3, QUIC 1, resumed QUIC 0."""

    seed: int
    handshake: float
    reused: float
    jitter: float
    loss: float
    bandwidth: float


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
def transfer(network: Network, rtt: float, size: int, index: int) -> float:
    """Seconds from the first packet of a connection (or of a request on one in use) to the last
    byte, without what the server takes."""
    bits = mixed(network.seed, JITTER, index)  # 24 for jitter, 16 for the connection, 24 for loss
    trips, window = 1.0, INITIAL_WINDOW * SEGMENT
    if float((bits >> _24) & _16_BITS) >= network.reused * _16_PLACES:
        trips += network.handshake
    else:
        window *= WARM_WINDOW
    trips += doublings(size / window)
    took = trips * rtt + size / network.bandwidth
    took -= network.jitter * math.log((float(bits >> _40) + 1.0) / _24_PLACES)
    chance, segments = float(bits & _24_BITS) / _24_PLACES, min(math.ceil(size / SEGMENT), 1000.0)
    # No more than the sum of the segments' chances, so that the power is seldom needed.
    if chance < network.loss * segments and chance < 1.0 - (1.0 - network.loss) ** segments:
        took += rtt
    return took


@compiled
def doublings(windows: float) -> float:
    """Round trips of slow start after the first: for 1 + 2 + 4 ... windows."""
    if windows <= 1.0:
        return 0.0
    # ceil(log2(1 + windows)) - 1, from the exponent of a float just below.
    bits = np.float64(math.ceil(windows)).view(np.int64)
    return float((bits >> 52) - 1023)
