"""W-TinyLFU (Einziger, Friedman and Manes 2017): a small LRU window before a segmented main cache;
what leaves the window enters main only if a counting sketch saw it more often than main's victim.

The sketch is libCacheSim's, hash by hash: ten positions from two halves of XXH64, every counter of
an object incremented, all halved after 32 hits a byte of the main cache.
"""

import numpy as np

from insula_simulator.engine.compiled import compiled
from insula_simulator.engine.lists import move_to_head, push_head, unlink
from insula_simulator.engine.state import (
    CAPACITY,
    KEY,
    LISTS,
    NONE,
    PREV,
    REFUSED,
    SIZE,
    USED,
    Ints,
    State,
)
from insula_simulator.engine.table import add, find_linked, forget
from insula_simulator.policies.segmented import (
    FIRST,
    LIMITS,
    SEGMENT,
    segmented_drop,
    segmented_place,
    segmented_touch,
    segmented_victim,
)

COUNTED, MAIN_LIMIT, WINDOW_LIMIT = 13, 14, 15
WINDOW = LISTS + 16
IN_WINDOW = -1
TAIL, BYTES = 1, 2
HASHES = 10
HALVED_AFTER = 32

_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)
_SEED_A = np.uint64(0x12345678)
_SEED_B = np.uint64(0x12344321)
_LOW = np.uint64(0xFFFFFFFF)
_8, _27, _29, _31, _32, _33, _37 = (np.uint64(n) for n in (8, 27, 29, 31, 32, 33, 37))


@compiled
def _xxh64(key: int, seed: np.uint64) -> np.uint64:
    """XXH64 of the eight bytes of an id (xxHash specification, section XXH64)."""
    lane = np.uint64(key) * _P2
    lane = ((lane << _31) | (lane >> _33)) * _P1
    mixed = (seed + _P5 + _8) ^ lane
    mixed = ((mixed << _27) | (mixed >> _37)) * _P1 + _P4
    mixed = (mixed ^ (mixed >> _33)) * _P2
    mixed = (mixed ^ (mixed >> _29)) * _P3
    return mixed ^ (mixed >> _32)


@compiled
def _estimate(state: State, key: int, more: int) -> int:
    """The least of an object's counters, each of them incremented by ``more`` after reading."""
    sketch = state.sketch
    first, step = _xxh64(key, _SEED_A) & _LOW, _xxh64(key, _SEED_B) & _LOW
    length = np.uint64(sketch.size)
    least = _LOW
    for i in range(HASHES):
        place = ((first + np.uint64(i) * step) & _LOW) % length
        least = min(least, np.uint64(sketch[place]))
    if more:
        for i in range(HASHES):
            place = ((first + np.uint64(i) * step) & _LOW) % length
            sketch[place] += np.uint32(1)
    return np.int64(least)  # type: ignore[return-value]


@compiled
def _count_hit(state: State, key: int) -> None:
    regs, sketch = state.regs, state.sketch
    _estimate(state, key, 1)
    regs[COUNTED] += 1
    if regs[COUNTED] >= HALVED_AFTER * regs[MAIN_LIMIT]:
        regs[COUNTED] = 0
        for i in range(sketch.size):
            sketch[i] >>= np.uint32(1)


@compiled
def _enter_main(state: State, slot: int) -> None:
    size = state.nodes[slot, SIZE]
    segment = segmented_place(state, size, state.regs[MAIN_LIMIT])
    state.nodes[slot, SEGMENT] = segment
    push_head(state, FIRST + 4 * segment, PREV, slot)
    state.regs[USED] += size


@compiled
def _evict(state: State) -> None:
    """Decide about the oldest of the window, until one object has left the cache."""
    regs, nodes = state.regs, state.nodes
    while regs[WINDOW + BYTES] > 0:
        slot = regs[WINDOW + TAIL]
        key = nodes[slot, KEY]
        fits = regs[USED] + nodes[slot, SIZE] <= regs[MAIN_LIMIT]
        if fits:
            unlink(state, WINDOW, PREV, slot)
            _enter_main(state, slot)
        else:
            victim = segmented_victim(state)
            wins = _estimate(state, key, 0) > _estimate(state, nodes[victim, KEY], 0)
            unlink(state, WINDOW, PREV, slot)
            if wins:
                segmented_drop(state, victim)
                _enter_main(state, slot)
            else:
                forget(state, slot)
        _estimate(state, key, 1)
        if not fits:
            return
    segmented_drop(state, segmented_victim(state))


@compiled
def replay_sketched(state: State, keys: Ints, sizes: Ints, following: Ints, slots: Ints) -> None:
    regs, nodes = state.regs, state.nodes
    capacity = regs[CAPACITY]
    for i in range(keys.size):
        slot = find_linked(state, keys, slots, i)
        if slot != NONE:
            if nodes[slot, SEGMENT] == IN_WINDOW:
                move_to_head(state, WINDOW, PREV, slot)
            else:
                segmented_touch(state, slot)
                _count_hit(state, keys[i])
            slots[i] = slot
            continue
        size = sizes[i]
        if size > regs[WINDOW_LIMIT] or size > regs[LIMITS] or size > capacity:
            slots[i] = REFUSED
            continue
        while regs[USED] + regs[WINDOW + BYTES] + size > capacity:
            _evict(state)
        slot = add(state, keys[i], size)
        nodes[slot, SEGMENT] = IN_WINDOW
        push_head(state, WINDOW, PREV, slot)
        _estimate(state, keys[i], 1)
        slots[i] = -2 - slot
