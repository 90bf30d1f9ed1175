"""Random numbers as a function of seed, stream and index: the same for any number of threads and
any length of chunk (splitmix64; Steele, Lea and Flood 2014)."""

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled
from insula_simulator.network.logarithm import logarithm

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1, _M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_STREAM = np.uint64(0xD1B54A32D192ED03)
_30, _27, _31, _11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_UNIT = 1.0 / (1 << 53)

(
    TIME, RANK, REGION, KIND, SERVICE, JITTER, LOSS, CONNECTION, CHANGED, ROUTE, BALANCE, FAULT,
) = range(12)  # fmt: skip
"""Streams: each kind of chance has its own."""


@compiled
def mixed(seed: int, stream: int, index: int) -> np.uint64:
    """64 well-mixed bits."""
    z = np.uint64(seed) + np.uint64(stream + 1) * _STREAM + np.uint64(index + 1) * _GOLDEN
    z = (z ^ (z >> _30)) * _M1
    z = (z ^ (z >> _27)) * _M2
    return z ^ (z >> _31)


@compiled
def uniform(seed: int, stream: int, index: int) -> float:
    """In [0, 1)."""
    return float(mixed(seed, stream, index) >> _11) * _UNIT


@compiled
def exponential(seed: int, stream: int, index: int) -> float:
    """Of mean 1."""
    return -logarithm(1.0 - uniform(seed, stream, index))


@compiled
def fill_exponential(seed: int, stream: int, first: int, chances: npt.NDArray[np.float64]) -> None:
    """Those of indices from ``first`` on."""
    for i in range(chances.size):
        chances[i] = exponential(seed, stream, first + i)


@compiled
def fill_uniform(
    seed: int, stream: int, indices: npt.NDArray[np.int64], chances: npt.NDArray[np.float64]
) -> None:
    for i in range(indices.size):
        chances[i] = uniform(seed, stream, indices[i])
