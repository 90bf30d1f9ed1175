"""2Q (Johnson and Shasha 1994) and S3-FIFO (Yang et al., SOSP 2023): a small queue on probation, a
main queue, and a queue of ghosts that remembers what left probation lately."""

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
    B,
    Ints,
    State,
)
from insula_simulator.engine.table import add, find_linked, forget

SMALL_LIMIT, MAIN_LIMIT, GHOST_LIMIT, HAS_EVICTED = range(FIRST_OWN, FIRST_OWN + 4)
SMALL, MAIN, GHOST = LISTS, LISTS + 4, LISTS + 8
WHERE, USES = A, B
TAIL, BYTES = 1, 2


@compiled
def _forget_ghost(state: State, slot: int) -> None:
    unlink(state, GHOST, PREV, slot)
    forget(state, slot)


@compiled
def _become_ghost(state: State, slot: int) -> None:
    """What leaves probation is remembered, as far as the ghosts' queue reaches."""
    nodes, regs = state.nodes, state.regs
    size = nodes[slot, SIZE]
    unlink(state, SMALL, PREV, slot)
    regs[USED] -= size
    if size > regs[GHOST_LIMIT]:
        forget(state, slot)
        return
    while regs[GHOST + BYTES] + size > regs[GHOST_LIMIT]:
        _forget_ghost(state, regs[GHOST + TAIL])
    nodes[slot, WHERE] = GHOST
    push_head(state, GHOST, PREV, slot)


@compiled
def _drop_from_main(state: State, slot: int) -> None:
    unlink(state, MAIN, PREV, slot)
    state.regs[USED] -= state.nodes[slot, SIZE]
    forget(state, slot)


@compiled
def _store(state: State, key: int, size: int, queue: int) -> int:
    slot = add(state, key, size)
    state.nodes[slot, WHERE] = queue
    push_head(state, queue, PREV, slot)
    state.regs[USED] += size
    return slot


@compiled
def replay_two_queues(state: State, keys: Ints, sizes: Ints, following: Ints, slots: Ints) -> None:
    nodes, regs = state.nodes, state.regs
    capacity = regs[CAPACITY]
    for i in range(keys.size):
        slot = find_linked(state, keys, slots, i)
        remembered = False
        if slot != NONE:
            if nodes[slot, WHERE] != GHOST:
                if nodes[slot, WHERE] == MAIN:
                    move_to_head(state, MAIN, PREV, slot)
                slots[i] = slot
                continue
            _forget_ghost(state, slot)
            remembered = True
        size = sizes[i]
        if size > regs[SMALL_LIMIT] or size > capacity:
            slots[i] = REFUSED
            continue
        while regs[USED] + size > capacity:
            if regs[MAIN + BYTES] > 0 and regs[SMALL + BYTES] <= regs[SMALL_LIMIT]:
                _drop_from_main(state, regs[MAIN + TAIL])
            else:
                _become_ghost(state, regs[SMALL + TAIL])
        if not remembered:
            slots[i] = -2 - _store(state, keys[i], size, SMALL)
            continue
        if size > regs[MAIN_LIMIT]:
            slots[i] = REFUSED
            continue
        while regs[MAIN + BYTES] + size > regs[MAIN_LIMIT]:
            _drop_from_main(state, regs[MAIN + TAIL])
        slots[i] = -2 - _store(state, keys[i], size, MAIN)


MOVES_TO_MAIN = 2
"""Uses on probation that earn S3-FIFO's main queue."""
MOST_USES = 3


@compiled
def _evict_small(state: State) -> None:
    nodes, regs = state.nodes, state.regs
    while regs[SMALL + BYTES] > 0:
        slot = regs[SMALL + TAIL]
        if nodes[slot, USES] < MOVES_TO_MAIN:
            _become_ghost(state, slot)
            return
        unlink(state, SMALL, PREV, slot)
        nodes[slot, WHERE] = MAIN
        nodes[slot, USES] = 0
        push_head(state, MAIN, PREV, slot)


@compiled
def _evict_main(state: State) -> None:
    nodes, regs = state.nodes, state.regs
    while regs[MAIN + BYTES] > 0:
        slot = regs[MAIN + TAIL]
        if nodes[slot, USES] == 0:
            _drop_from_main(state, slot)
            return
        nodes[slot, USES] = min(nodes[slot, USES], MOST_USES) - 1
        move_to_head(state, MAIN, PREV, slot)


@compiled
def _place(state: State, size: int, remembered: bool) -> int:
    """The queue of a newcomer; while the cache first fills, main takes what probation cannot."""
    regs = state.regs
    if remembered:
        return MAIN
    if size >= regs[SMALL_LIMIT]:
        return NONE
    if regs[HAS_EVICTED] == 0 and regs[SMALL + BYTES] >= regs[SMALL_LIMIT]:
        return MAIN
    return SMALL


@compiled
def replay_s3fifo(state: State, keys: Ints, sizes: Ints, following: Ints, slots: Ints) -> None:
    nodes, regs = state.nodes, state.regs
    capacity = regs[CAPACITY]
    for i in range(keys.size):
        slot = find_linked(state, keys, slots, i)
        remembered = False
        if slot != NONE:
            if nodes[slot, WHERE] != GHOST:
                nodes[slot, USES] += 1
                slots[i] = slot
                continue
            _forget_ghost(state, slot)
            remembered = True
        size = sizes[i]
        if size > regs[SMALL_LIMIT] or size > capacity:
            slots[i] = REFUSED
            continue
        while regs[USED] + size > capacity:
            regs[HAS_EVICTED] = 1
            if regs[MAIN + BYTES] > regs[MAIN_LIMIT] or regs[SMALL + BYTES] == 0:
                _evict_main(state)
            else:
                _evict_small(state)
        queue = _place(state, size, remembered)
        slots[i] = REFUSED if queue == NONE else -2 - _store(state, keys[i], size, queue)
