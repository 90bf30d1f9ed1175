"""Ids to slots: open addressing with linear probing; deletion shifts back, so no tombstones.

An entry is 31 bits of the id's hash above 32 bits of slot + 1. The place of an entry follows from
those hash bits alone, so neither probing nor growing has to touch the nodes.
"""

from insula_simulator.engine.compiled import compiled
from insula_simulator.engine.prefetch import prefetch
from insula_simulator.engine.state import (
    FREE,
    KEY,
    LINK,
    LIVE,
    NEXT,
    NONE,
    PREV,
    SIZE,
    TOP,
    USED,
    Ints,
    State,
)

_SLOT = 0xFFFFFFFF
_MIX_1 = -0x40A7B892E31B1A47  # the finaliser of splitmix64 (Steele et al. 2014), as signed words
_MIX_2 = -0x6B2FB644ECCEEE15
_LOW_31 = (1 << 31) - 1
AHEAD = 24
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
    return find_hashed(state, key, hash31(key))


@compiled
def find_hashed(state: State, key: int, tag: int) -> int:
    """As ``find``, given the id's hash."""
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
    nodes, when what leads there has arrived."""
    table, last = state.table, tags.size - 1
    prefetch(table, tags[min(i + 2 * AHEAD, last)] & (table.size - 1))
    prefetch(state.nodes, _likely(state, tags[min(i + AHEAD, last)]))
    return find_hashed(state, keys[i], tags[i])


@compiled
def find_linked(state: State, keys: Ints, tags: Ints, i: int) -> int:
    """As ``find_next`` for what is in lists: their neighbours there are fetched too."""
    nodes, slot = state.nodes, fetch_next(state, tags, i)
    prefetch(nodes, max(nodes[slot, PREV], 0))
    prefetch(nodes, max(nodes[slot, NEXT], 0))
    return find_hashed(state, keys[i], tags[i])


@compiled
def fetch_next(state: State, tags: Ints, i: int) -> int:
    """What ``find_next`` fetches, a step earlier. Answers a slot whose node has arrived, likely
    that of an id to come."""
    table, last = state.table, tags.size - 1
    prefetch(table, tags[min(i + 3 * AHEAD, last)] & (table.size - 1))
    prefetch(state.nodes, _likely(state, tags[min(i + 2 * AHEAD, last)]))
    return _likely(state, tags[min(i + AHEAD, last)])


@compiled
def _likely(state: State, tag: int) -> int:
    """The slot at an id's own place, where most are; 0 if there is none."""
    entry = state.table[tag & (state.table.size - 1)]
    slot: int = max((entry & _SLOT) - 1, 0)
    return slot


@compiled
def take_slot(state: State) -> int:
    """A row that nothing uses. The caller made room beforehand (``with_room``)."""
    regs = state.regs
    slot: int = regs[FREE]
    if slot == NONE:
        slot = regs[TOP]
        regs[TOP] += 1
    else:
        regs[FREE] = -2 - state.nodes[slot, LINK]
    return slot


@compiled
def give_slot_back(state: State, slot: int) -> None:
    state.nodes[slot, LINK] = -2 - state.regs[FREE]
    state.regs[FREE] = slot


@compiled
def add(state: State, key: int, size: int) -> int:
    """Know a new id; the answer is its slot, in no list yet."""
    slot = enter(state, key, hash31(key))
    node = state.nodes[slot]
    node[SIZE] = size
    node[2:] = 0
    return slot


@compiled
def enter(state: State, key: int, tag: int) -> int:
    """Know a new id, given its hash; the answer is its slot, which has the key and nothing else."""
    slot = take_slot(state)
    state.nodes[slot, KEY] = key
    table = state.table
    mask = table.size - 1
    place = tag & mask
    while table[place] != 0:
        place = (place + 1) & mask
    table[place] = (tag << 32) | (slot + 1)
    state.regs[LIVE] += 1
    return slot


@compiled
def store(state: State, key: int, tag: int, size: int) -> int:
    """As ``add`` where nodes are small."""
    slot = enter(state, key, tag)
    state.sizes[slot] = size
    state.regs[USED] += size
    return slot


@compiled
def drop(state: State, slot: int) -> None:
    """The reverse of ``store``, of an id that is in no queue any more."""
    state.regs[USED] -= state.sizes[slot]
    forget(state, slot)


@compiled
def fetch_for_drop(state: State, slot: int) -> None:
    """``drop`` is to come; the node is there already."""
    prefetch(state.sizes, slot)
    prefetch(state.table, hash31(state.nodes[slot, KEY]) & (state.table.size - 1))


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
