"""LIRS (Jiang and Zhang, SIGMETRICS 2002) as libCacheSim has it, sizes in bytes.

S is the stack of recency, Q the resident objects of high inter-reference recency (HIR), and the
third list those of S that are not resident. Where libCacheSim departs from the paper, so does
this: a hit in Q of an object that left S makes room among the LIR objects without joining them.
"""

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
    C,
    Ints,
    State,
)
from insula_simulator.engine.table import add, find_linked, forget

LIR_LIMIT, HIR_LIMIT, LIR_BYTES, HIR_BYTES = range(FIRST_OWN, FIRST_OWN + 4)
S, Q, GONE = LISTS, LISTS + 4, LISTS + 8
HEAD, TAIL, BYTES = 0, 1, 2
FLAGS = C
IN_S, IN_Q, IN_GONE, LIR, RESIDENT, PINNED = 1, 2, 4, 8, 16, 32
ANYWHERE = IN_S | IN_Q | IN_GONE | PINNED
LINKS = A  # of Q and of the list of the gone: an object is in one of them at most


@compiled
def _flag(state: State, slot: int, flag: int) -> bool:
    return bool(state.nodes[slot, FLAGS] & flag)


@compiled
def _enter(state: State, base: int, slot: int, flag: int) -> None:
    push_head(state, base, PREV if base == S else LINKS, slot)
    state.nodes[slot, FLAGS] |= flag


@compiled
def _leave(state: State, base: int, slot: int, flag: int) -> None:
    """Out of a list; out of the cache's memory when it was in no other."""
    unlink(state, base, PREV if base == S else LINKS, slot)
    state.nodes[slot, FLAGS] &= ~flag
    if state.nodes[slot, FLAGS] & ANYWHERE == 0:
        forget(state, slot)


@compiled
def _prune(state: State) -> None:
    """An LIR object is at the bottom of S."""
    regs = state.regs
    while regs[S + TAIL] != regs[S + HEAD]:
        slot = regs[S + TAIL]
        if _flag(state, slot, LIR):
            return
        if not _flag(state, slot, RESIDENT) and _flag(state, slot, IN_GONE):
            _leave(state, GONE, slot, IN_GONE)
        _leave(state, S, slot, IN_S)


@compiled
def _evict_hir(state: State) -> bool:
    regs = state.regs
    slot = regs[Q + TAIL]
    if slot == NONE:
        return False
    size = state.nodes[slot, SIZE]
    regs[HIR_BYTES] -= size
    regs[USED] -= size
    if _flag(state, slot, IN_S):
        _leave(state, Q, slot, IN_Q)
        state.nodes[slot, FLAGS] &= ~RESIDENT
        _enter(state, GONE, slot, IN_GONE)
    else:
        _leave(state, Q, slot, IN_Q)
    return True


@compiled
def _evict_lir(state: State) -> bool:
    """The bottom of S becomes the newest of Q, or leaves when it does not fit there."""
    regs, nodes = state.regs, state.nodes
    slot = regs[S + TAIL]
    if slot == NONE:
        return False
    size = nodes[slot, SIZE]
    regs[LIR_BYTES] -= size
    regs[USED] -= size
    nodes[slot, FLAGS] |= PINNED
    nodes[slot, FLAGS] &= ~LIR
    _leave(state, S, slot, IN_S)
    if size <= regs[HIR_LIMIT]:
        while regs[HIR_BYTES] + size > regs[HIR_LIMIT] and _evict_hir(state):
            pass
        if not _flag(state, slot, IN_Q):
            _enter(state, Q, slot, IN_Q)
        regs[HIR_BYTES] += size
        regs[USED] += size
    nodes[slot, FLAGS] &= ~PINNED
    if nodes[slot, FLAGS] & ANYWHERE == 0:
        forget(state, slot)
    _prune(state)
    return True


@compiled
def _make_lir_room(state: State, size: int) -> None:
    regs = state.regs
    while regs[LIR_BYTES] + size > regs[LIR_LIMIT] and _evict_lir(state):
        pass


@compiled
def _hit_in_s(state: State, slot: int) -> None:
    """A resident HIR object of S was used again soon: it becomes LIR."""
    regs = state.regs
    size = state.nodes[slot, SIZE]
    if _flag(state, slot, IN_Q):
        regs[HIR_BYTES] -= size
        regs[USED] -= size
        _leave(state, Q, slot, IN_Q)
    _make_lir_room(state, size)
    state.nodes[slot, FLAGS] |= LIR
    regs[LIR_BYTES] += size
    regs[USED] += size


@compiled
def _hit_in_q(state: State, slot: int) -> None:
    """A resident object that S has forgotten was used. Making room may push it out of Q; from then
    on libCacheSim reads the size of what took its place in memory, the newest of Q."""
    nodes, regs = state.nodes, state.regs
    nodes[slot, FLAGS] |= PINNED
    measured = slot
    while regs[LIR_BYTES] + nodes[measured, SIZE] > regs[LIR_LIMIT] and _evict_lir(state):
        if not _flag(state, measured, IN_Q):
            measured = regs[Q + HEAD]
    _enter(state, S, slot, IN_S)
    nodes[slot, FLAGS] |= RESIDENT
    nodes[slot, FLAGS] &= ~(LIR | PINNED)


@compiled
def _touch(state: State, slot: int) -> bool:
    """Note a request for a known object; False when it is not resident."""
    in_s, in_q = _flag(state, slot, IN_S), _flag(state, slot, IN_Q)
    if in_s:
        move_to_head(state, S, PREV, slot)
    if in_q:
        move_to_head(state, Q, LINKS, slot)
    if not in_s:
        _hit_in_q(state, slot)
    elif _flag(state, slot, LIR):
        _prune(state)
    elif _flag(state, slot, RESIDENT):
        _hit_in_s(state, slot)
    else:
        return False
    return True


@compiled
def _return_to_s(state: State, slot: int, size: int) -> int:
    """A miss on an object that S still remembers: it comes back as LIR."""
    regs, nodes = state.regs, state.nodes
    kept = nodes[slot, SIZE]
    _make_lir_room(state, kept)
    if _flag(state, slot, IN_GONE):
        _leave(state, GONE, slot, IN_GONE)
    while regs[USED] + size > regs[CAPACITY]:
        while regs[HIR_BYTES] >= regs[HIR_LIMIT] and _evict_hir(state):
            pass
        if not _evict_lir(state):
            break
    nodes[slot, FLAGS] |= LIR | RESIDENT
    regs[LIR_BYTES] += kept
    regs[USED] += kept
    return -2 - slot


@compiled
def _store(state: State, key: int, size: int) -> int:
    """A miss on an object that is not remembered."""
    regs = state.regs
    if size > regs[LIR_LIMIT] or size > regs[HIR_LIMIT]:
        return REFUSED
    joins_lir = regs[LIR_BYTES] + size <= regs[LIR_LIMIT]
    if not joins_lir:
        while regs[HIR_BYTES] + size > regs[HIR_LIMIT] and _evict_hir(state):
            pass
    while regs[USED] + size > regs[CAPACITY] and _evict_hir(state):
        pass
    slot = add(state, key, size)
    _enter(state, S, slot, IN_S)
    state.nodes[slot, FLAGS] |= RESIDENT
    regs[USED] += size
    if joins_lir:
        state.nodes[slot, FLAGS] |= LIR
        regs[LIR_BYTES] += size
    else:
        _enter(state, Q, slot, IN_Q)
        regs[HIR_BYTES] += size
    return -2 - slot


@compiled
def _limit_stack(state: State) -> None:
    """S remembers at most twice the cache's size."""
    regs = state.regs
    while regs[S + BYTES] > 2 * regs[CAPACITY]:
        slot = regs[GONE + TAIL]
        if slot == NONE:
            return
        _leave(state, S, slot, IN_S)
        _leave(state, GONE, slot, IN_GONE)


@compiled
def replay_recency(state: State, keys: Ints, sizes: Ints, following: Ints, slots: Ints) -> None:
    capacity = state.regs[CAPACITY]
    for i in range(keys.size):
        slot = find_linked(state, keys, slots, i)
        if slot != NONE and _touch(state, slot):
            slots[i] = slot
        elif sizes[i] > capacity:
            slots[i] = REFUSED
        elif slot != NONE:
            slots[i] = _return_to_s(state, slot, sizes[i])
        else:
            slots[i] = _store(state, keys[i], sizes[i])
        _limit_stack(state)
