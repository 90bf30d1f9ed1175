"""One queue: LRU, FIFO, CLOCK with one bit, and SIEVE (Zhang et al., NSDI 2024)."""

from insula_simulator.engine.compiled import compiled
from insula_simulator.engine.lists import move_to_head, push_head, unlink
from insula_simulator.engine.state import (
    CAPACITY,
    FIRST_OWN,
    HAND,
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
from insula_simulator.engine.table import add, find_next, forget

KIND = FIRST_OWN
LRU, FIFO, CLOCK, SIEVE = range(4)
QUEUE = LISTS
TAIL = QUEUE + 1
VISITED = A


@compiled
def replay_queue(state: State, keys: Ints, sizes: Ints, following: Ints, slots: Ints) -> None:
    """Requests in order; ``slots`` receives what became of each (see ``state.REFUSED``)."""
    regs, nodes = state.regs, state.nodes
    kind, capacity = regs[KIND], regs[CAPACITY]
    for i in range(keys.size):
        slot = find_next(state, keys, slots, i)
        if slot != NONE:
            if kind == LRU:
                move_to_head(state, QUEUE, PREV, slot)
            elif kind != FIFO:
                nodes[slot, VISITED] = 1
            slots[i] = slot
            continue
        size = sizes[i]
        if size > capacity:
            slots[i] = REFUSED
            continue
        while regs[USED] + size > capacity:
            _evict(state, kind)
        slot = add(state, keys[i], size)
        push_head(state, QUEUE, PREV, slot)
        regs[USED] += size
        slots[i] = -2 - slot


@compiled
def _evict(state: State, kind: int) -> None:
    regs, nodes = state.regs, state.nodes
    slot = regs[TAIL]
    if kind == CLOCK:
        while nodes[slot, VISITED]:
            nodes[slot, VISITED] = 0
            move_to_head(state, QUEUE, PREV, slot)
            slot = regs[TAIL]
    elif kind == SIEVE:
        if regs[HAND] != NONE:
            slot = regs[HAND]
        while nodes[slot, VISITED]:
            nodes[slot, VISITED] = 0
            slot = nodes[slot, PREV]
            if slot == NONE:
                slot = regs[TAIL]
        regs[HAND] = nodes[slot, PREV]
    unlink(state, QUEUE, PREV, slot)
    regs[USED] -= nodes[slot, SIZE]
    forget(state, slot)
