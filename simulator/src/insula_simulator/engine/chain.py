"""One doubly linked list of all small nodes: both neighbours in one word, each plus one."""

from insula_simulator.engine.compiled import compiled
from insula_simulator.engine.prefetch import prefetch
from insula_simulator.engine.state import LISTS, NONE, WHERE, Ints, State
from insula_simulator.engine.table import fetch_for_drop, fetch_next, find_hashed

NEWEST, OLDEST = LISTS, LISTS + 1
"""Registers."""
_LOW = 0xFFFFFFFF
_HIGH = ~_LOW


@compiled
def _set_newer(nodes: Ints, slot: int, newer: int) -> None:
    nodes[slot, WHERE] = ((newer + 1) << 32) | (nodes[slot, WHERE] & _LOW)


@compiled
def _set_older(nodes: Ints, slot: int, older: int) -> None:
    nodes[slot, WHERE] = (nodes[slot, WHERE] & _HIGH) | (older + 1)


@compiled
def newer_than(state: State, slot: int) -> int:
    """-1 of the newest."""
    newer: int = (state.nodes[slot, WHERE] >> 32) - 1
    return newer


@compiled
def older_than(state: State, slot: int) -> int:
    """-1 of the oldest."""
    older: int = (state.nodes[slot, WHERE] & _LOW) - 1
    return older


@compiled
def find_chained(state: State, keys: Ints, tags: Ints, i: int) -> int:
    """As ``table.find_linked``."""
    slot = fetch_next(state, tags, i)
    prefetch(state.nodes, max(newer_than(state, slot), 0))
    prefetch(state.nodes, max(older_than(state, slot), 0))
    return find_hashed(state, keys[i], tags[i])


@compiled
def put_first(state: State, slot: int) -> None:
    nodes, regs = state.nodes, state.regs
    newest = regs[NEWEST]
    nodes[slot, WHERE] = newest + 1
    if newest == NONE:
        regs[OLDEST] = slot
    else:
        _set_newer(nodes, newest, slot)
    regs[NEWEST] = slot


@compiled
def move_first(state: State, slot: int) -> None:
    nodes, regs = state.nodes, state.regs
    newest = regs[NEWEST]
    if newest == slot:
        return
    newer, older = newer_than(state, slot), older_than(state, slot)
    _set_older(nodes, newer, older)
    if older == NONE:
        regs[OLDEST] = newer
    else:
        _set_newer(nodes, older, newer)
    nodes[slot, WHERE] = newest + 1
    _set_newer(nodes, newest, slot)
    regs[NEWEST] = slot


@compiled
def take_oldest(state: State) -> int:
    """What leaving will ask of those after it is fetched meanwhile."""
    regs = state.regs
    slot: int = regs[OLDEST]
    newer = newer_than(state, slot)
    regs[OLDEST] = newer
    if newer == NONE:
        regs[NEWEST] = NONE
    else:
        _set_older(state.nodes, newer, NONE)
        fetch_for_drop(state, newer)
        prefetch(state.nodes, max(newer_than(state, newer), 0))
    return slot
