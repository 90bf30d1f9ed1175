"""GDSF: the object with the least ``age + uses / size`` goes, and the age becomes its score
(Cherkasova 1998). Among equal scores the one requested longest ago."""

from insula_simulator.engine.compiled import compiled
from insula_simulator.engine.state import (
    CAPACITY,
    FIRST_OWN,
    NONE,
    NOW,
    REFUSED,
    SIZE,
    USED,
    A,
    B,
    C,
    Ints,
    State,
)
from insula_simulator.engine.table import add, find, find_next, forget

LENGTH = FIRST_OWN
AGE = 0
"""The register (of floats) with the score of the last evicted."""
PLACE, USES, LAST = A, B, C
SCALE = 1.0e6


@compiled
def _before(state: State, one: int, other: int) -> bool:
    scores, nodes = state.scores, state.nodes
    if scores[one] == scores[other]:
        return bool(nodes[one, LAST] < nodes[other, LAST])
    return bool(scores[one] < scores[other])


@compiled
def _settle(state: State, place: int) -> None:
    """Restore the heap order around one place."""
    heap, nodes = state.heap, state.nodes
    length = state.regs[LENGTH]
    slot = heap[place]
    while place > 1 and _before(state, slot, heap[place >> 1]):
        heap[place] = heap[place >> 1]
        nodes[heap[place], PLACE] = place
        place >>= 1
    while 2 * place <= length:
        child = 2 * place
        if child < length and _before(state, heap[child + 1], heap[child]):
            child += 1
        if not _before(state, heap[child], slot):
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
    state.floats[AGE] = state.scores[slot]
    heap[1] = heap[regs[LENGTH]]
    regs[LENGTH] -= 1
    if regs[LENGTH] > 0:
        _settle(state, 1)
    regs[USED] -= state.nodes[slot, SIZE]
    forget(state, slot)


@compiled
def replay_greedy(state: State, keys: Ints, sizes: Ints, following: Ints, slots: Ints) -> None:
    nodes, regs, scores, floats = state.nodes, state.regs, state.scores, state.floats
    capacity = regs[CAPACITY]
    for i in range(keys.size):
        regs[NOW] += 1
        slot = find_next(state, keys, slots, i)
        if slot != NONE:
            nodes[slot, USES] += 1
            nodes[slot, LAST] = regs[NOW]
            scores[slot] = floats[AGE] + nodes[slot, USES] * SCALE / nodes[slot, SIZE]
            _settle(state, nodes[slot, PLACE])
            slots[i] = slot
            continue
        size = sizes[i]
        if size > capacity:
            slots[i] = REFUSED
            continue
        slot = add(state, keys[i], size)
        nodes[slot, USES] = 1
        nodes[slot, LAST] = regs[NOW]
        scores[slot] = floats[AGE] + SCALE / size
        regs[LENGTH] += 1
        state.heap[regs[LENGTH]] = slot
        _settle(state, regs[LENGTH])
        regs[USED] += size
        while regs[USED] > capacity:
            _evict(state)
        # The newcomer itself may have had the least score.
        slots[i] = -2 - slot if find(state, keys[i]) == slot else REFUSED
