"""The objects of a trace, numbered in order of first request, with what is known of each."""

import numpy as np
import numpy.typing as npt

from insula_simulator.cache import Cache

Ints = npt.NDArray[np.int64]

NEVER = -1
_UNLIMITED = 1 << 60


class Objects:
    """Memory grows with the number of objects, not of requests. ``counts`` are requests, ``last``
    the position of the last one, ``sizes`` the size at the first, ``times`` the last one's."""

    def __init__(self) -> None:
        # A cache that evicts nothing is a table from keys to rows, in machine code.
        self._rows = Cache("fifo", _UNLIMITED)
        self.requests = self.number = 0
        self.counts, self.last, self.sizes = (np.zeros(0, np.int64) for _ in range(3))
        self.times = np.zeros(0)

    def ask(
        self, keys: Ints, sizes: Ints, times: npt.NDArray[np.float64]
    ) -> tuple[Ints, npt.NDArray[np.float64]]:
        """For each request the position of the one before for the same object, or ``NEVER``, and
        its time."""
        slots = self._rows.replay(keys, np.ones_like(keys))
        rows = np.where(slots >= 0, slots, -2 - slots)
        self._grow(int(rows.max()) + 1)
        new = slots < 0
        self.number += int(new.sum())
        self.sizes[rows[new]] = sizes[new]
        self.last[rows[new]] = NEVER
        before, then = self._before(rows, times)
        self.counts += np.bincount(rows, minlength=len(self.counts))
        self.last[rows] = self.requests + np.arange(len(rows))
        self.times[rows] = times
        self.requests += len(rows)
        return before, then

    def _before(
        self, rows: Ints, times: npt.NDArray[np.float64]
    ) -> tuple[Ints, npt.NDArray[np.float64]]:
        before, then = self.last[rows], self.times[rows]
        order = np.argsort(rows, kind="stable")
        again = np.flatnonzero(rows[order[1:]] == rows[order[:-1]])
        before[order[again + 1]] = self.requests + order[again]
        then[order[again + 1]] = times[order[again]]
        return before, then

    def _grow(self, rows: int) -> None:
        more = max(rows, 2 * len(self.counts)) - len(self.counts)
        if rows <= len(self.counts):
            return
        for name in ("counts", "last", "sizes", "times"):
            column = getattr(self, name)
            setattr(self, name, np.concatenate([column, np.zeros(more, column.dtype)]))

    def known(self) -> tuple[Ints, Ints]:
        """Requests and size of each object."""
        seen = self.counts > 0
        return self.counts[seen], self.sizes[seen]
