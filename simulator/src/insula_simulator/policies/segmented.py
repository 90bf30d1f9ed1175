"""SLRU: four segments of equal size; a hit moves an object up one segment, and what overflows a
segment cools into the one below (Karedla, Love and Wherry 1994)."""

from insula_simulator.engine.compiled import compiled
from insula_simulator.engine.lists import move_to_head, push_head, unlink
from insula_simulator.engine.state import (
    CAPACITY,
    FIRST_OWN,
    LISTS,
    NONE,
    PREV,
    REFUSED,
    SIZE,
    USED,
    A,
    Ints,
    State,
)
from insula_simulator.engine.table import add, find_linked, forget

SEGMENTS = FIRST_OWN
"""How many segments."""
LIMITS = FIRST_OWN + 1
"""Registers with the bytes each segment may hold."""
FIRST = LISTS
SEGMENT = A


@compiled
def segmented_touch(state: State, slot: int) -> None:
    """A hit: up one segment, and cool what overflows."""
    regs, nodes = state.regs, state.nodes
    segment = nodes[slot, SEGMENT]
    if segment == regs[SEGMENTS] - 1:
        move_to_head(state, FIRST + 4 * segment, PREV, slot)
        return
    unlink(state, FIRST + 4 * segment, PREV, slot)
    segment += 1
    nodes[slot, SEGMENT] = segment
    push_head(state, FIRST + 4 * segment, PREV, slot)
    _cool(state, segment)


@compiled
def _cool(state: State, top: int) -> None:
    """Move the oldest of ``top`` down until it fits, and so on below; segment 0 evicts."""
    regs, nodes = state.regs, state.nodes
    segment = top
    while segment <= top:
        base = FIRST + 4 * segment
        if regs[base + 2] <= regs[LIMITS + segment]:
            segment += 1
            continue
        slot = regs[base + 1]
        if segment == 0:
            segmented_drop(state, slot)
            continue
        unlink(state, base, PREV, slot)
        segment -= 1
        nodes[slot, SEGMENT] = segment
        push_head(state, FIRST + 4 * segment, PREV, slot)


@compiled
def segmented_victim(state: State) -> int:
    """The oldest of the lowest segment that holds anything."""
    regs = state.regs
    for segment in range(regs[SEGMENTS]):
        if regs[FIRST + 4 * segment + 2] > 0:
            victim: int = regs[FIRST + 4 * segment + 1]
            return victim
    return NONE


@compiled
def segmented_drop(state: State, slot: int) -> None:
    unlink(state, FIRST + 4 * state.nodes[slot, SEGMENT], PREV, slot)
    state.regs[USED] -= state.nodes[slot, SIZE]
    forget(state, slot)


@compiled
def segmented_place(state: State, size: int, capacity: int) -> int:
    """The lowest segment with room; when none has, evict until the cache has and take 0."""
    regs = state.regs
    for segment in range(regs[SEGMENTS]):
        if regs[FIRST + 4 * segment + 2] + size <= regs[LIMITS + segment]:
            return segment
    while regs[USED] + size > capacity:
        segmented_drop(state, segmented_victim(state))
    return 0


@compiled
def replay_segmented(state: State, keys: Ints, sizes: Ints, following: Ints, slots: Ints) -> None:
    regs, nodes = state.regs, state.nodes
    capacity = regs[CAPACITY]
    for i in range(keys.size):
        slot = find_linked(state, keys, slots, i)
        if slot != NONE:
            segmented_touch(state, slot)
            slots[i] = slot
            continue
        size = sizes[i]
        if size > regs[LIMITS]:
            slots[i] = REFUSED
            continue
        while regs[USED] + size > capacity:
            segmented_drop(state, segmented_victim(state))
        segment = segmented_place(state, size, capacity)
        slot = add(state, keys[i], size)
        nodes[slot, SEGMENT] = segment
        push_head(state, FIRST + 4 * segment, PREV, slot)
        regs[USED] += size
        slots[i] = -2 - slot
