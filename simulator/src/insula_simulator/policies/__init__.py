"""Eviction policies by name. Each is exact to libCacheSim's definition and defaults (0.3.5)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from insula_simulator.engine import log
from insula_simulator.engine.state import NONE, Ints, State, empty_state
from insula_simulator.policies import (
    adaptive,
    frequency,
    ghosts,
    greedy,
    optimal,
    queues,
    recency,
    segmented,
    sketched,
)

Kernel = Callable[[State, Ints, Ints, Ints, Ints], None]
"""state, ids, sizes, when each is asked for next (Belady only), and the answers (see ``state``)."""

NO_GHOSTS, BY_LIST, BY_FLAG = range(3)
"""Whether a policy remembers what it has evicted among what it has, and what tells them apart: the
list that an object is in (those from the third on), or LIRS's flag."""
SKETCH_LIMIT = 1 << 28
"""Counters of W-TinyLFU's sketch at most (1 GB). libCacheSim takes 14.4 for each byte of the main
cache, so beyond a cache of 18 MB ours has fewer."""


class CacheTooSmall(ValueError):
    """The policy's parts do not fit into the size."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy: its kernel, and how an empty cache of it is laid out."""

    name: str
    kernel: Kernel
    prepare: Callable[[State], None] = lambda state: None
    smallest: int = 1
    scored: bool = False
    heaped: bool = False
    small: bool = False
    """Its nodes have a place for freshness."""
    logged: bool = False
    rows: int = 1
    """Rows of nodes that a request may need at most."""
    ghosts: int = NO_GHOSTS
    counters: Callable[[int], int] = lambda capacity: 0

    def empty(self, capacity: int) -> State:
        """Raises CacheTooSmall: the parts of this policy need more than ``capacity``."""
        if capacity < self.smallest:
            raise CacheTooSmall(f"{self.name} needs a size of at least {self.smallest}")
        state = empty_state(
            capacity,
            small=self.small,
            logged=self.logged,
            scored=self.scored,
            heaped=self.heaped,
            counters=self.counters(capacity),
        )
        self.prepare(state)
        return state


def _queue(kind: int) -> Callable[[State], None]:
    def prepare(state: State) -> None:
        state.regs[queues.KIND] = kind
        state.regs[[log.HEAD, log.TAIL]] = 0

    return prepare


def _frequency(state: State) -> None:
    state.regs[frequency.RAREST] = NONE


def _segmented(state: State) -> None:
    state.regs[segmented.SEGMENTS] = 4
    state.regs[segmented.LIMITS : segmented.LIMITS + 4] = state.regs[0] // 4


def _two_queues(state: State) -> None:
    capacity = int(state.regs[0])
    small = int(capacity * 0.25)
    state.regs[ghosts.SMALL_LIMIT] = small
    state.regs[ghosts.MAIN_LIMIT] = capacity - small
    state.regs[ghosts.GHOST_LIMIT] = int(capacity * 0.5)


def _s3fifo(state: State) -> None:
    capacity = int(state.regs[0])
    small = int(capacity * 0.1)
    state.regs[ghosts.SMALL_LIMIT] = small
    state.regs[ghosts.MAIN_LIMIT] = capacity - small
    state.regs[ghosts.GHOST_LIMIT] = int(capacity * 0.9)


def _recency(state: State) -> None:
    capacity = int(state.regs[0])
    state.regs[recency.HIR_LIMIT] = max(1, int(0.01 * capacity))
    state.regs[recency.LIR_LIMIT] = capacity - state.regs[recency.HIR_LIMIT]


def _main_part(capacity: int) -> int:
    return capacity - int(capacity * 0.01)


def _sketched(state: State) -> None:
    capacity = int(state.regs[0])
    main = _main_part(capacity)
    state.regs[sketched.WINDOW_LIMIT] = capacity - main
    state.regs[sketched.MAIN_LIMIT] = main
    state.regs[segmented.SEGMENTS] = 2
    state.regs[segmented.LIMITS] = int(1 / 5 * main)
    state.regs[segmented.LIMITS + 1] = int(4 / 5 * main)


def _sketch_counters(capacity: int) -> int:
    """Counters for an error of 0.001 an entry, an entry for each byte of main, as a C int."""
    entries = int(np.array(_main_part(capacity)).astype(np.int32))
    a_byte = -np.log(0.001) / 0.480453013918201
    counters = int(min(np.ceil(a_byte * entries), 2**31 - 1))
    if counters < sketched.HASHES:
        return 2 * sketched.HASHES
    return min(counters, SKETCH_LIMIT)


POLICIES = {
    policy.name: policy
    for policy in (
        Policy("lru", queues.replay_lru, small=True),
        Policy("fifo", queues.replay_queue, _queue(queues.FIFO), small=True, logged=True),
        Policy("clock", queues.replay_queue, _queue(queues.CLOCK), small=True, logged=True),
        Policy("slru", segmented.replay_segmented, _segmented, smallest=4),
        Policy("lfu", frequency.replay_frequency, _frequency, rows=2),
        Policy("gdsf", greedy.replay_greedy, scored=True, heaped=True),
        Policy("twoq", ghosts.replay_two_queues, _two_queues, smallest=4, ghosts=BY_LIST),
        Policy("arc", adaptive.replay_adaptive, ghosts=BY_LIST),
        Policy("lirs", recency.replay_recency, _recency, smallest=2, ghosts=BY_FLAG),
        Policy("s3fifo", ghosts.replay_s3fifo, _s3fifo, smallest=10, ghosts=BY_LIST),
        Policy("sieve", queues.replay_queue, _queue(queues.SIEVE), small=True, logged=True),
        Policy("wtinylfu", sketched.replay_sketched, _sketched, 100, counters=_sketch_counters),
        Policy("belady", optimal.replay_optimal, heaped=True),
    )
}
