"""How long the network takes: great circles of fibre, handshakes, slow start, jitter, loss.

Light in fibre covers 200 km a millisecond; cables are longer than great circles by ``inflation``
(Singla et al., HotNets 2014, find a median of about 1.5 to 2 for paths of the Internet).
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled
from insula_simulator.network.chance import CONNECTION, JITTER, LOSS, exponential, uniform

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

EARTH_KM = 6371.0088
FIBRE_KM_PER_SECOND = 200_000.0
SEGMENT = 1460.0
INITIAL_WINDOW = 10.0
"""Segments (RFC 6928)."""
WARM_WINDOW = 4.0
"""A connection in use has a window larger by this factor."""


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
    trips, window = 1.0, INITIAL_WINDOW * SEGMENT
    if uniform(network.seed, CONNECTION, index) >= network.reused:
        trips += network.handshake
    else:
        window *= WARM_WINDOW
    trips += math.ceil(math.log2(1.0 + size / window)) - 1.0 if size > window else 0.0
    took = trips * rtt + size / network.bandwidth
    took += network.jitter * exponential(network.seed, JITTER, index)
    lost = 1.0 - (1.0 - network.loss) ** min(math.ceil(size / SEGMENT), 1000.0)
    if uniform(network.seed, LOSS, index) < lost:
        took += rtt
    return took
