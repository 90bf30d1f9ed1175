"""One queue: LRU, a list; FIFO, CLOCK with one bit, and SIEVE (Zhang et al., NSDI 2024), logs, for
nothing moves there because it is asked for."""

from insula_simulator.engine.chain import find_chained, move_first, put_first, take_oldest
from insula_simulator.engine.compiled import compiled
from insula_simulator.engine.log import HEAD, TAIL, at_position, join, next_entry, visit, visited
from insula_simulator.engine.state import (
    CAPACITY,
    FIRST_OWN,
    HAND,
    NONE,
    REFUSED,
    USED,
    Ints,
    State,
)
from insula_simulator.engine.table import drop, find_next, store

KIND = FIRST_OWN
FIFO, CLOCK, SIEVE = range(3)


@compiled
def replay_lru(state: State, keys: Ints, sizes: Ints, following: Ints, slots: Ints) -> None:
    """Requests in order; ``slots`` receives what became of each (see ``state.REFUSED``)."""
    regs = state.regs
    capacity = regs[CAPACITY]
    for i in range(keys.size):
        slot = find_chained(state, keys, slots, i)
        if slot != NONE:
            move_first(state, slot)
            slots[i] = slot
        elif sizes[i] > capacity:
            slots[i] = REFUSED
        else:
            while regs[USED] + sizes[i] > capacity:
                drop(state, take_oldest(state))
            slot = store(state, keys[i], slots[i], sizes[i])
            put_first(state, slot)
            slots[i] = -2 - slot


@compiled
def replay_queue(state: State, keys: Ints, sizes: Ints, following: Ints, slots: Ints) -> None:
    regs = state.regs
    kind, capacity = regs[KIND], regs[CAPACITY]
    for i in range(keys.size):
        slot = find_next(state, keys, slots, i)
        if slot != NONE:
            if kind != FIFO:
                visit(state, slot)
            slots[i] = slot
        elif sizes[i] > capacity:
            slots[i] = REFUSED
        else:
            while regs[USED] + sizes[i] > capacity:
                _evict(state, kind)
            slot = store(state, keys[i], slots[i], sizes[i])
            join(state, slot)
            slots[i] = -2 - slot


@compiled
def _evict(state: State, kind: int) -> None:
    if kind == SIEVE:
        _sift(state)
        return
    regs = state.regs
    while True:
        oldest = next_entry(state, regs[TAIL])
        slot = at_position(state, oldest)
        regs[TAIL] = oldest + 1
        if kind != CLOCK or not visited(state, slot):
            break
        join(state, slot)
    drop(state, slot)


@compiled
def _sift(state: State) -> None:
    """The hand goes from the oldest to the newest, spares whom was visited, and begins again."""
    regs = state.regs
    hand = regs[HAND] if regs[HAND] != NONE else regs[TAIL]
    while True:
        hand = next_entry(state, hand)
        if hand == regs[HEAD]:
            hand = regs[TAIL]
            continue
        slot = at_position(state, hand)
        hand += 1
        if not visited(state, slot):
            break
    drop(state, slot)
    hand = next_entry(state, hand)
    regs[HAND] = hand if hand < regs[HEAD] else NONE
    regs[TAIL] = next_entry(state, regs[TAIL])
