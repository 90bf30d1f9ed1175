"""LFU: evicts the least often used; among equals, the one that reached its count first.

Counts are kept in buckets, a list of objects for each count, themselves in a list from rare to
often: every operation is O(1) (Shah, Mitra and Matani 2010). Buckets are rows of ``nodes`` too.
"""

from insula_simulator.engine.compiled import compiled
from insula_simulator.engine.state import (
    CAPACITY,
    FIRST_OWN,
    NEXT,
    NONE,
    PREV,
    REFUSED,
    SIZE,
    USED,
    A,
    B,
    C,
    Ints,
    State,
)
from insula_simulator.engine.table import add, find_linked, forget, give_slot_back, take_slot

RAREST = FIRST_OWN
"""The bucket with the smallest count."""
BUCKET = A  # of an object
COUNT, OLDEST, NEWEST = A, B, C  # of a bucket; PREV is the rarer bucket, NEXT the one more often


@compiled
def _bucket_after(state: State, rarer: int, count: int) -> int:
    """The bucket of ``count``, which belongs right after ``rarer`` (none: at the front)."""
    nodes, regs = state.nodes, state.regs
    after = regs[RAREST] if rarer == NONE else nodes[rarer, NEXT]
    if after != NONE and nodes[after, COUNT] == count:
        found: int = after
        return found
    bucket = take_slot(state)
    nodes[bucket, COUNT] = count
    nodes[bucket, OLDEST] = nodes[bucket, NEWEST] = NONE
    nodes[bucket, PREV] = rarer
    nodes[bucket, NEXT] = after
    if rarer == NONE:
        regs[RAREST] = bucket
    else:
        nodes[rarer, NEXT] = bucket
    if after != NONE:
        nodes[after, PREV] = bucket
    return bucket


@compiled
def _enter(state: State, bucket: int, slot: int) -> None:
    nodes = state.nodes
    newest = nodes[bucket, NEWEST]
    nodes[slot, BUCKET] = bucket
    nodes[slot, PREV] = newest
    nodes[slot, NEXT] = NONE
    if newest == NONE:
        nodes[bucket, OLDEST] = slot
    else:
        nodes[newest, NEXT] = slot
    nodes[bucket, NEWEST] = slot


@compiled
def _leave(state: State, slot: int) -> None:
    """Take an object out of its bucket; an empty bucket goes."""
    nodes, regs = state.nodes, state.regs
    bucket, older, newer = nodes[slot, BUCKET], nodes[slot, PREV], nodes[slot, NEXT]
    if older == NONE:
        nodes[bucket, OLDEST] = newer
    else:
        nodes[older, NEXT] = newer
    if newer == NONE:
        nodes[bucket, NEWEST] = older
    else:
        nodes[newer, PREV] = older
    if nodes[bucket, OLDEST] != NONE:
        return
    rarer, after = nodes[bucket, PREV], nodes[bucket, NEXT]
    if rarer == NONE:
        regs[RAREST] = after
    else:
        nodes[rarer, NEXT] = after
    if after != NONE:
        nodes[after, PREV] = rarer
    give_slot_back(state, bucket)


@compiled
def replay_frequency(state: State, keys: Ints, sizes: Ints, following: Ints, slots: Ints) -> None:
    nodes, regs = state.nodes, state.regs
    capacity = regs[CAPACITY]
    for i in range(keys.size):
        slot = find_linked(state, keys, slots, i)
        if slot != NONE:
            bucket = nodes[slot, BUCKET]
            higher = _bucket_after(state, bucket, nodes[bucket, COUNT] + 1)
            _leave(state, slot)
            _enter(state, higher, slot)
            slots[i] = slot
            continue
        size = sizes[i]
        if size > capacity:
            slots[i] = REFUSED
            continue
        while regs[USED] + size > capacity:
            victim = nodes[regs[RAREST], OLDEST]
            _leave(state, victim)
            regs[USED] -= nodes[victim, SIZE]
            forget(state, victim)
        slot = add(state, keys[i], size)
        _enter(state, _bucket_after(state, NONE, 1), slot)
        regs[USED] += size
        slots[i] = -2 - slot
