"""A site that keeps on disk what it has, and in RAM what was asked for lately."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from insula_simulator.batch import Batch
from insula_simulator.cache import Cache
from insula_simulator.content.looks import UNSTORABLE
from insula_simulator.engine.state import REFUSED
from insula_simulator.network.disks import use_disks
from insula_simulator.network.freshness import FATES, HIT, MISS, REVALIDATED, STALE, STALE_ERROR
from insula_simulator.scenario import Disk

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Fates = npt.NDArray[np.uint8]

FROM_STORE = np.zeros(len(FATES), bool)
FROM_STORE[[HIT, STALE, STALE_ERROR, REVALIDATED]] = True
"""Fates of requests that get what the cache has."""


@dataclass
class Storage:
    """RAM in front of disks, which hold everything: what is read from disk goes to RAM too."""

    ram: Cache | None
    disk: Disk
    from_ram: int = 0
    from_disk: int = 0
    free_at: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.free_at = np.zeros(self.disk.count)

    def read(self, batch: Batch, slots: Ints, fates: Fates, asked: Flags | None) -> Floats:
        """Seconds that each request waits for a disk. ``slots`` is what the cache on disk
        answered, ``asked`` which requests are not the site's own (None: all)."""
        reads, writes = FROM_STORE[fates], (fates == MISS) & (slots != REFUSED)
        if asked is not None:
            reads &= asked
        if self.ram is not None:
            storable = np.where(slots == REFUSED, UNSTORABLE, batch.sizes)
            in_ram = self.ram.replay(batch.keys, storable) >= 0
            self.from_ram += int((reads & in_ram).sum())
            reads &= ~in_ram
        self.from_disk += int(reads.sum())
        seconds = np.empty(len(batch))
        use_disks(
            self.disk.seek, self.disk.throughput, self.free_at, batch.keys, batch.sizes,
            batch.times, reads, writes, seconds,
        )  # fmt: skip
        return seconds

    def shares(self, requests: int) -> tuple[float, float]:
        """Of requests: those answered from RAM, those from disk."""
        return self.from_ram / max(1, requests), self.from_disk / max(1, requests)
