"""Belady's MIN: evicts what is asked for again latest. The bound for objects of one size.

The heap breaks ties as libCacheSim's does (a binary heap in the same order of operations): with
sizes, which of several objects that never return leaves first decides how much room there is.
"""

from insula_simulator.engine.compiled import compiled
from insula_simulator.engine.state import (
    CAPACITY,
    FIRST_OWN,
    NONE,
    REFUSED,
    SIZE,
    USED,
    A,
    B,
    Ints,
    State,
)
from insula_simulator.engine.table import add, find_next, forget

LENGTH = FIRST_OWN
PLACE, RETURNS = A, B


@compiled
def _up(state: State, place: int) -> None:
    heap, nodes = state.heap, state.nodes
    slot = heap[place]
    returns = nodes[slot, RETURNS]
    while place > 1 and nodes[heap[place >> 1], RETURNS] < returns:
        heap[place] = heap[place >> 1]
        nodes[heap[place], PLACE] = place
        place >>= 1
    heap[place] = slot
    nodes[slot, PLACE] = place


@compiled
def _down(state: State, place: int) -> None:
    heap, nodes = state.heap, state.nodes
    length = state.regs[LENGTH]
    slot = heap[place]
    returns = nodes[slot, RETURNS]
    while 2 * place <= length:
        child = 2 * place
        if child < length and nodes[heap[child], RETURNS] < nodes[heap[child + 1], RETURNS]:
            child += 1
        if returns >= nodes[heap[child], RETURNS]:
            break
        heap[place] = heap[child]
        nodes[heap[place], PLACE] = place
        place = child
    heap[place] = slot
    nodes[slot, PLACE] = place


@compiled
def _evict(state: State) -> None:
    heap, regs = state.heap, state.regs
    slot = heap[1]
    heap[1] = heap[regs[LENGTH]]
    regs[LENGTH] -= 1
    if regs[LENGTH] > 0:
        _down(state, 1)
    regs[USED] -= state.nodes[slot, SIZE]
    forget(state, slot)


@compiled
def replay_optimal(state: State, keys: Ints, sizes: Ints, following: Ints, slots: Ints) -> None:
    """``following`` says for each request when its object is asked for next."""
    nodes, regs = state.nodes, state.regs
    capacity = regs[CAPACITY]
    for i in range(keys.size):
        slot = find_next(state, keys, slots, i)
        if slot != NONE:
            before = nodes[slot, RETURNS]
            nodes[slot, RETURNS] = following[i]
            if before < following[i]:
                _up(state, nodes[slot, PLACE])
            else:
                _down(state, nodes[slot, PLACE])
            slots[i] = slot
            continue
        size = sizes[i]
        if size > capacity:
            slots[i] = REFUSED
            continue
        while regs[USED] + size > capacity:
            _evict(state)
        slot = add(state, keys[i], size)
        nodes[slot, RETURNS] = following[i]
        regs[LENGTH] += 1
        state.heap[regs[LENGTH]] = slot
        _up(state, regs[LENGTH])
        regs[USED] += size
        slots[i] = -2 - slot
