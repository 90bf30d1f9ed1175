"""Ids to slots: open addressing with linear probing; deletion shifts back, so no tombstones.

An entry is 31 bits of the id's hash above 32 bits of slot + 1. The place of an entry follows from
those hash bits alone, so neither probing nor growing has to touch the nodes.
"""

from insula_simulator.engine.compiled import compiled
from insula_simulator.engine.prefetch import prefetch
from insula_simulator.engine.state import (
    FREE,
    KEY,
    LIVE,
    NEXT,
    NONE,
    PREV,
    SIZE,
    TOP,
    Ints,
    State,
)

_SLOT = 0xFFFFFFFF
_MIX_1 = -0x40A7B892E31B1A47  # the finaliser of splitmix64 (Steele et al. 2014), as signed words
_MIX_2 = -0x6B2FB644ECCEEE15
_LOW_31 = (1 << 31) - 1
AHEAD = 16
"""Requests between the steps in which memory is fetched for one: what a core can have under way,
and long enough for each to arrive."""


@compiled
def hash31(key: int) -> int:
    """31 well-mixed bits of an id."""
    mixed = key
    mixed = (mixed ^ ((mixed >> 30) & 0x3FFFFFFFF)) * _MIX_1
    mixed = (mixed ^ ((mixed >> 27) & 0x1FFFFFFFFF)) * _MIX_2
    return ((mixed >> 31) ^ mixed) & _LOW_31


@compiled
def hash_all(keys: Ints, tags: Ints) -> None:
    """A loop of nothing else, which the processor does for several ids at a time."""
    for i in range(keys.size):
        tags[i] = hash31(keys[i])


@compiled
def find(state: State, key: int) -> int:
    """The slot of an id, or -1."""
    return _find(state, key, hash31(key))


@compiled
def _find(state: State, key: int, tag: int) -> int:
    table = state.table
    mask = table.size - 1
    place = tag & mask
    while True:
        entry = table[place]
        if entry == 0:
            return NONE
        if (entry >> 32) == tag:
            slot: int = (entry & _SLOT) - 1
            if state.nodes[slot, KEY] == key:
                return slot
        place = (place + 1) & mask


@compiled
def find_next(state: State, keys: Ints, tags: Ints, i: int) -> int:
    """The slot of the i-th of these ids, or -1, given their hashes (``hash_all``). What finding
    the ones after it will read is fetched meanwhile: first their places in the table, then their
    nodes, then the neighbours in lists, each when what leads there has arrived."""
    table, nodes = state.table, state.nodes
    mask, last = table.size - 1, tags.size - 1
    prefetch(table, tags[min(i + 3 * AHEAD, last)] & mask)
    slot = (table[tags[min(i + 2 * AHEAD, last)] & mask] & _SLOT) - 1
    prefetch(nodes, max(slot, 0))
    slot = max((table[tags[min(i + AHEAD, last)] & mask] & _SLOT) - 1, 0)
    prefetch(nodes, max(nodes[slot, PREV], 0))
    prefetch(nodes, max(nodes[slot, NEXT], 0))
    return _find(state, keys[i], tags[i])


@compiled
def take_slot(state: State) -> int:
    """A row that nothing uses. The caller made room beforehand (``with_room``)."""
    regs = state.regs
    slot: int = regs[FREE]
    if slot == NONE:
        slot = regs[TOP]
        regs[TOP] += 1
    else:
        regs[FREE] = state.nodes[slot, NEXT]
    return slot


@compiled
def give_slot_back(state: State, slot: int) -> None:
    state.nodes[slot, NEXT] = state.regs[FREE]
    state.regs[FREE] = slot


@compiled
def add(state: State, key: int, size: int) -> int:
    """Know a new id; the answer is its slot, in no list yet."""
    slot = take_slot(state)
    node = state.nodes[slot]
    node[KEY] = key
    node[SIZE] = size
    node[2:] = 0
    table = state.table
    mask = table.size - 1
    tag = hash31(key)
    place = tag & mask
    while table[place] != 0:
        place = (place + 1) & mask
    table[place] = (tag << 32) | (slot + 1)
    state.regs[LIVE] += 1
    return slot


@compiled
def forget(state: State, slot: int) -> None:
    """Drop an id that is in no list any more."""
    table = state.table
    mask = table.size - 1
    place = hash31(state.nodes[slot, KEY]) & mask
    while (table[place] & _SLOT) != slot + 1:
        place = (place + 1) & mask
    _close_gap(table, mask, place)
    state.regs[LIVE] -= 1
    give_slot_back(state, slot)


@compiled
def _close_gap(table: Ints, mask: int, gap: int) -> None:
    """Empty a place and move back each later entry of the run that the gap would hide."""
    place = gap
    while True:
        place = (place + 1) & mask
        entry = table[place]
        if entry == 0:
            break
        home = (entry >> 32) & mask
        if ((place - home) & mask) >= ((place - gap) & mask):
            table[gap] = entry
            gap = place
    table[gap] = 0
