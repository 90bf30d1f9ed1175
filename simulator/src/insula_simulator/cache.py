"""One cache that requests are played through, a chunk at a time."""

import numpy as np

from insula_simulator.engine.log import with_log
from insula_simulator.engine.state import TOP, Ints, with_room
from insula_simulator.engine.table import hash_all
from insula_simulator.policies import POLICIES

NEVER = np.iinfo(np.int64).max
"""When an object is asked for next that is not asked for again."""


class Cache:
    """A cache of ``capacity`` bytes. What a policy shares with libCacheSim: a miss larger than the
    whole cache is not stored, and an object keeps the size it was stored with.

    Raises:
        KeyError: there is no such policy.
        CacheTooSmall: the policy's parts do not fit.
    """

    def __init__(self, policy: str, capacity: int) -> None:
        self.policy = POLICIES[policy]
        self.state = self.policy.empty(capacity)

    def replay(
        self, keys: Ints, sizes: Ints, following: Ints | None = None, slots: Ints | None = None
    ) -> Ints:
        """Ask for objects in order. The answer has for each the slot of a hit (0 or more), -1 for
        a miss that was not stored, and ``-2 - slot`` for a miss that was.

        ``following`` is needed by Belady's policy: positions of the next request of each object.
        ``slots`` is memory for the answer.
        """
        if slots is None:
            slots = np.empty(len(keys), np.int64)
        if following is None:
            following = keys
        self.state = with_room(self.state, self.policy.rows * len(keys))
        if self.policy.logged:
            self.state = with_log(self.state, len(keys))
        hash_all(keys, slots)
        self.policy.kernel(self.state, keys, sizes, following, slots)
        return slots

    @property
    def known(self) -> int:
        """Slots are below it."""
        return int(self.state.regs[TOP])

    @property
    def used(self) -> int:
        """Bytes held."""
        return int(self.state.regs[1])
