"""ARC (Megiddo and Modha, FAST 2003): a list of what was used once and one of what was used more
often, each with ghosts; a hit on a ghost moves the target between them. Sizes count in bytes."""

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

T1, T2, B1, B2 = LISTS, LISTS + 4, LISTS + 8, LISTS + 12
WHERE = A
TARGET = 0
"""The register (of floats) with the bytes that T1 should have."""
GHOST_OF_OFTEN = FIRST_OWN
"""1 while the request at hand hit B2. It outlives a request that is too large to be stored."""
TAIL, BYTES = 1, 2


@compiled
def _retire(state: State, source: int, ghosts: int) -> None:
    slot = state.regs[source + TAIL]
    unlink(state, source, PREV, slot)
    state.regs[USED] -= state.nodes[slot, SIZE]
    if ghosts == NONE:
        forget(state, slot)
        return
    state.nodes[slot, WHERE] = ghosts
    push_head(state, ghosts, PREV, slot)


@compiled
def _replace(state: State) -> None:
    regs = state.regs
    once, target = regs[T1 + BYTES], state.floats[TARGET]
    over = once > target or (once == target and regs[GHOST_OF_OFTEN] == 1)
    if (once > 0 and over) or regs[T2 + BYTES] == 0:
        _retire(state, T1, B1)
    else:
        _retire(state, T2, B2)


@compiled
def _forget_oldest(state: State, ghosts: int) -> None:
    slot = state.regs[ghosts + TAIL]
    unlink(state, ghosts, PREV, slot)
    forget(state, slot)


@compiled
def _make_room_for_new(state: State, size: int) -> None:
    """Case IV of the paper: the object is in none of the four lists."""
    regs = state.regs
    capacity = regs[CAPACITY]
    once = regs[T1 + BYTES] + regs[B1 + BYTES]
    if once + size > capacity:
        if regs[B1 + BYTES] == 0:
            _retire(state, T1, NONE)
            return
        _forget_oldest(state, B1)
    elif once + regs[T2 + BYTES] + regs[B2 + BYTES] >= 2 * capacity and regs[B2 + BYTES] > 0:
        _forget_oldest(state, B2)
    _replace(state)


@compiled
def _learn_from_ghost(state: State, slot: int) -> None:
    """Cases II and III: move the target towards the list that should have been longer."""
    regs, floats = state.regs, state.floats
    where = state.nodes[slot, WHERE]
    once, often = float(regs[B1 + BYTES]), float(regs[B2 + BYTES])
    if where == B1:
        floats[TARGET] = min(floats[TARGET] + max(often / once, 1.0), float(regs[CAPACITY]))
    else:
        floats[TARGET] = max(floats[TARGET] - max(once / often, 1.0), 0.0)
    regs[GHOST_OF_OFTEN] = 1 if where == B2 else 0
    unlink(state, where, PREV, slot)
    forget(state, slot)


@compiled
def _touch(state: State, slot: int) -> None:
    if state.nodes[slot, WHERE] == T2:
        move_to_head(state, T2, PREV, slot)
        return
    unlink(state, T1, PREV, slot)
    state.nodes[slot, WHERE] = T2
    push_head(state, T2, PREV, slot)


@compiled
def replay_adaptive(state: State, keys: Ints, sizes: Ints, following: Ints, slots: Ints) -> None:
    nodes, regs = state.nodes, state.regs
    capacity = regs[CAPACITY]
    for i in range(keys.size):
        slot = find_linked(state, keys, slots, i)
        remembered = False
        if slot != NONE:
            if nodes[slot, WHERE] == T1 or nodes[slot, WHERE] == T2:
                regs[GHOST_OF_OFTEN] = 0
                _touch(state, slot)
                slots[i] = slot
                continue
            _learn_from_ghost(state, slot)
            remembered = True
        size = sizes[i]
        if size > capacity:
            slots[i] = REFUSED
            continue
        while regs[USED] + size > capacity:
            if remembered:
                _replace(state)
            else:
                _make_room_for_new(state, size)
        slot = add(state, keys[i], size)
        where = T2 if remembered else T1
        if remembered:
            regs[GHOST_OF_OFTEN] = 0
        nodes[slot, WHERE] = where
        push_head(state, where, PREV, slot)
        regs[USED] += size
        slots[i] = -2 - slot
