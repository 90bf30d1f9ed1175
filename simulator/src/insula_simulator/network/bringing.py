"""Objects that edges fetch before anybody asks: what follows in a film, and what is pushed."""

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled
from insula_simulator.network.freshness import COLLAPSED, HIT, MISS, STALE
from insula_simulator.network.mixes import CHUNK_BITS, CLASS_SHIFT, OBJECT_BITS, Mix, object_size
from insula_simulator.network.traffic import FLASH_KEYS

Ints = npt.NDArray[np.int64]
Fates = npt.NDArray[np.uint8]

PREFETCHED, PUSHED = range(2)
PUSH_NUMBERS = -(1 << 62)
"""What edges fetch of themselves has numbers below 0; what is pushed, below this."""
FETCHES, FETCHED_BYTES, USED, USED_BYTES = range(4)


@compiled
def follow(mix: Mix, ahead: Ints, keys: Ints, sources: Ints, after: Ints, sizes: Ints) -> int:
    """For each request for a piece the next ones of the same object, ``ahead`` of its class: the
    request's row, keys, sizes. Answers how many."""
    count = 0
    for i in range(keys.size):
        kind = (keys[i] >> CLASS_SHIFT) - 1
        if keys[i] >= FLASH_KEYS or kind < 0 or ahead[kind] == 0:
            continue
        thing = (keys[i] >> CHUNK_BITS) & ((1 << OBJECT_BITS) - 1)
        chunk, size = keys[i] & ((1 << CHUNK_BITS) - 1), object_size(mix, kind, thing)
        for step in range(1, ahead[kind] + 1):
            start = (chunk + step) * mix.chunk[kind]
            if start >= size:
                break
            sources[count] = i
            after[count] = keys[i] + step
            sizes[count] = min(mix.chunk[kind], size - start)
            count += 1
    return count


@compiled
def note_use(
    numbers: Ints, sizes: Ints, slots: Ints, fates: Fates, brought: Ints, counts: Ints
) -> None:
    """Requests of an edge in order, its own among them. ``brought`` has for each slot the bytes
    that nobody has asked for yet, of pushed objects below 0. ``counts`` has a row a kind."""
    for i in range(numbers.size):
        own = numbers[i] < 0
        kind = PUSHED if numbers[i] < PUSH_NUMBERS else PREFETCHED
        if own and fates[i] == MISS:
            counts[kind, FETCHES] += 1
            counts[kind, FETCHED_BYTES] += sizes[i]
        if slots[i] == -1:
            continue
        slot = slots[i] if slots[i] >= 0 else -2 - slots[i]
        if slots[i] < 0 or fates[i] == MISS:
            brought[slot] = 0
        if own and fates[i] == MISS:
            brought[slot] = sizes[i] if kind == PREFETCHED else -sizes[i]
        elif not own and brought[slot] != 0 and fates[i] in (HIT, STALE, COLLAPSED):
            kind = PREFETCHED if brought[slot] > 0 else PUSHED
            counts[kind, USED] += 1
            counts[kind, USED_BYTES] += abs(brought[slot])
            brought[slot] = 0
