"""A queue as a log: slots in the order in which they joined. What leaves, or joins anew, leaves its
old entry behind, which is recognised by the node's place being another one, and passed over.

Who leaves a linked list changes two neighbours, each somewhere else in memory. A log is read and
written in order, and says long before who may leave next. It is a ring: positions count up for
ever, their low bits are indices. A node has its index doubled, plus one if it was visited.
"""

from insula_simulator.engine.compiled import compiled
from insula_simulator.engine.memory import zeros
from insula_simulator.engine.prefetch import prefetch
from insula_simulator.engine.state import HAND, LISTS, LIVE, NONE, WHERE, State
from insula_simulator.engine.table import fetch_for_drop

HEAD, TAIL = LISTS, LISTS + 1
"""Registers: where the next joins, and where the oldest may be."""
ROOM = 4
"""The log has so many entries for each object, most of them left behind."""
SOON, LATER = 8, 16
"""Entries between the steps in which memory is fetched for one."""


def with_log(state: State, more: int) -> State:
    """The same cache with room for so many to join."""
    regs, length = state.regs, len(state.log)
    if int(regs[HEAD] - regs[TAIL]) + more <= length:
        return state
    while length < ROOM * (int(regs[LIVE]) + more):
        length *= 2
    log = state.log if length == len(state.log) else zeros((length,), state.log.dtype)
    shorter = state._replace(log=log)
    _shorten(state, shorter)
    return shorter


@compiled
def _shorten(old: State, new: State) -> None:
    """Pass over what was left behind for good. Both may be the same."""
    regs, hand = old.regs, NONE
    kept = regs[TAIL]
    for position in range(regs[TAIL], regs[HEAD]):
        at = position & (old.log.size - 1)
        ahead = (position + LATER) & (old.log.size - 1)
        prefetch(old.nodes, old.log[ahead])
        if position == regs[HAND]:
            hand = kept
        slot = old.log[at]
        place = old.nodes[slot, WHERE]
        if place >> 1 == at:
            there = kept & (new.log.size - 1)
            new.log[there] = slot
            new.nodes[slot, WHERE] = (there << 1) | (place & 1)
            kept += 1
    regs[HEAD] = kept
    regs[HAND] = hand


@compiled
def join(state: State, slot: int) -> None:
    """As the newest, not visited."""
    regs, log = state.regs, state.log
    at = regs[HEAD] & (log.size - 1)
    log[at] = slot
    state.nodes[slot, WHERE] = at << 1
    regs[HEAD] += 1


@compiled
def visit(state: State, slot: int) -> None:
    state.nodes[slot, WHERE] |= 1


@compiled
def visited(state: State, slot: int) -> bool:
    """Whether it was since it joined or was last asked; and it is not any more."""
    place = state.nodes[slot, WHERE]
    state.nodes[slot, WHERE] = place & ~1
    return bool(place & 1)


@compiled
def at_position(state: State, position: int) -> int:
    slot: int = state.log[position & (state.log.size - 1)]
    return slot


@compiled
def next_entry(state: State, position: int) -> int:
    """The first position from this one on whose entry counts; the head's if there is none."""
    log, nodes, mask, head = state.log, state.nodes, state.log.size - 1, state.regs[HEAD]
    while position < head:
        prefetch(nodes, log[(position + LATER) & mask])
        at = (position + SOON) & mask
        coming = log[at]
        if nodes[coming, WHERE] >> 1 == at:
            fetch_for_drop(state, coming)
        at = position & mask
        if nodes[log[at], WHERE] >> 1 == at:
            break
        position += 1
    return position
