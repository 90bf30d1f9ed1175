"""Who remembers what was asked for lately: a Bloom filter of two generations."""

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled
from insula_simulator.network.chance import mixed, uniform

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

SEEN, ADMIT = 37, 38
HASHES = 4
YOUNG, COUNT = range(2)
"""Registers: which generation is filled, and how many it has."""


@compiled
def note_seen(seen: Ints, registers: Ints, most: int, keys: Ints, known: Flags) -> None:
    """For each key whether it was asked for before, as far as two generations of ``most`` different
    keys reach. ``seen`` has a row of bits a generation; their number is a power of two."""
    mask = seen.shape[1] * 64 - 1
    for i in range(keys.size):
        bits = mixed(keys[i], SEEN, 0)
        first = np.int64(bits & np.uint64(0x7FFFFFFF))
        step = np.int64(bits >> np.uint64(33)) | 1
        young, in_young, in_old = registers[YOUNG], True, True
        for hashed in range(HASHES):
            place = (first + hashed * step) & mask
            bit = np.int64(1) << (place & 63)
            in_young &= (seen[young, place >> 6] & bit) != 0
            in_old &= (seen[1 - young, place >> 6] & bit) != 0
            seen[young, place >> 6] |= bit
        known[i] = in_young or in_old
        registers[COUNT] += not in_young
        if registers[COUNT] >= most:
            registers[YOUNG], registers[COUNT] = 1 - young, 0
            seen[1 - young] = 0


@compiled
def admit_by_size(seed: int, scale: float, numbers: Ints, sizes: Ints, admitted: Flags) -> None:
    """With probability exp(-size / scale)."""
    for i in range(sizes.size):
        admitted[i] &= uniform(seed, ADMIT, numbers[i]) < np.exp(-sizes[i] / scale)
