"""The memory of one cache. Rows of ``nodes`` are objects, resident or remembered (ghosts); a row
is one cache line of 64 bytes, or half of one. ``regs`` holds counters and the heads of lists.

Nothing here depends on how many different objects a trace has, only on how many a cache knows.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled
from insula_simulator.engine.memory import anything, lengthened, lengthened_by_anything

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Columns of a node. PREV is towards the head of a list (newest), NEXT towards its tail.
KEY, SIZE, PREV, NEXT, A, B, C, D = range(8)
COLUMNS = 8
LINK = SIZE
"""Of a row that nothing uses: the next such row, as ``-2 - row``."""
WHERE, EXPIRES, READY = 1, 2, 3
"""Columns of a small node: where it is in its queue (see ``log`` and ``chain``) beside the key, and
two for whoever looks after the freshness of what is cached: floats, which the cache leaves alone.
So all that a hit needs is in one cache line; ``sizes`` are asked for when something leaves."""
SMALL_COLUMNS = 4

# Registers every policy has.
CAPACITY, USED, FREE, TOP, LIVE, HAND, NOW = range(7)
FIRST_OWN = 8
"""Registers 8 to 15 are a policy's own limits and flags."""
LISTS = 16
"""From here on lists, four registers each: head, tail, bytes, objects."""
REGISTERS = 48
RESERVED, AHEAD = 1 << 22, 4
"""Room is made for so many rows at once, or so many times those needed: rows that nobody uses take
no memory, and to move those in use takes time."""
_BLOCK = 1024
"""Entries of the table that are moved together."""

NONE = -1
REFUSED = -1
"""What a policy answers for a miss that it does not store. A hit is answered by the object's slot,
a stored miss by ``-2 - slot``."""


class State(NamedTuple):
    """One cache. ``table`` is the first part of ``room``, into which it grows. ``scores`` (floats),
    ``heap`` (slots), ``sketch`` (counters), ``log`` (slots) and ``sizes`` (bytes, where nodes are
    small) are of length one where a policy has no use for them.
    """

    nodes: npt.NDArray[np.int64]
    table: npt.NDArray[np.int64]
    room: npt.NDArray[np.int64]
    regs: npt.NDArray[np.int64]
    floats: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]
    heap: npt.NDArray[np.int64]
    sketch: npt.NDArray[np.uint32]
    log: npt.NDArray[np.int32]
    sizes: npt.NDArray[np.int64]


def empty_state(
    capacity: int, *, small: bool, logged: bool, scored: bool, heaped: bool, counters: int
) -> State:
    """Memory for a cache of ``capacity`` bytes that knows nothing yet."""
    rows, table = 1024, np.zeros(4096, np.int64)
    regs = np.zeros(REGISTERS, np.int64)
    regs[CAPACITY] = capacity
    regs[FREE] = regs[HAND] = NONE
    for base in range(LISTS, REGISTERS, 4):
        regs[base] = regs[base + 1] = NONE
    return State(
        nodes=np.zeros((rows, SMALL_COLUMNS if small else COLUMNS), np.int64),
        table=table,
        room=table,
        regs=regs,
        floats=np.zeros(4, np.float64),
        scores=np.zeros(rows if scored else 1, np.float64),
        heap=np.zeros(rows + 1 if heaped else 1, np.int64),
        sketch=np.zeros(max(1, counters), np.uint32),
        log=np.zeros(len(table) if logged else 1, np.int32),
        sizes=np.zeros(rows if small else 1, np.int64),
    )


def with_room(state: State, more: int) -> State:
    """The same cache with room for ``more`` further objects."""
    used = int(state.regs[TOP])
    if used + more > len(state.nodes):
        rows = max(AHEAD * (used + more), RESERVED)
        state = state._replace(nodes=lengthened_by_anything(state.nodes, used, rows))
        if len(state.scores) > 1:
            state = state._replace(scores=lengthened(state.scores, used, rows))
        if len(state.sizes) > 1:
            state = state._replace(sizes=lengthened_by_anything(state.sizes, used, rows))
        if len(state.heap) > 1:
            state = state._replace(heap=lengthened(state.heap, used + 1, rows + 1))
    places = len(state.table)
    while 2 * (int(state.regs[LIVE]) + more) > places:
        places *= 2
    return state if places == len(state.table) else _with_places(state, places)


def _with_places(state: State, places: int) -> State:
    """The same cache with a longer table."""
    room, kept = state.room, len(state.table)
    if places > len(room):
        room, kept = anything((max(places, 2 * RESERVED),), np.int64), 0
    table = room[:places]
    _rehash(state.table, table, kept, np.empty(_BLOCK, np.int64))
    return state._replace(table=table, room=room)


@compiled
def _rehash(old: Ints, new: Ints, kept: int, block: Ints) -> None:
    """Move all entries to a table that is longer, and may begin with the old one (``kept`` places).

    From behind an empty place on, so that none has to go to where another one still is: of those
    before it some are gone, and it moves towards its own place or far ahead. A block is brought
    together first: nobody could guess which places are empty, and guessing wrong costs more than
    moving an entry.
    """
    for place in range(kept, new.size):
        new[place] = 0
    size, mask, first = old.size, new.size - 1, 0
    while old[first] != 0:
        first += 1
    for start in range(first, first + size, block.size):
        count = 0
        for at in range(start, min(start + block.size, first + size)):
            place = at & (size - 1)
            block[count] = old[place]
            count += old[place] != 0
            old[place] = 0
        for i in range(count):
            place = (block[i] >> 32) & mask
            while new[place] != 0:
                place = (place + 1) & mask
            new[place] = block[i]
