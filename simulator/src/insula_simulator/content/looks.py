"""What a cache has to know of a batch of requests besides keys and sizes."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from insula_simulator.batch import Batch
from insula_simulator.content.admission import Doorkeeper
from insula_simulator.content.catalogue import Catalogue
from insula_simulator.content.purges import Purges
from insula_simulator.network.bringing import PUSH_NUMBERS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

UNSTORABLE = np.int64(1 << 61)
"""More bytes than any cache has: policies keep what they hold of such an object, and store none."""


class Look(NamedTuple):
    """``sizes`` are UNSTORABLE where the cache must not store, ``purged`` has no rows where there
    are no purges, ``passed`` is None where all may be cached."""

    sizes: Ints
    terms: Floats
    purged: Floats
    passed: Flags | None


@dataclass
class Looks:
    """Of one site. ``way`` is how long news of purges are on their way to it, in seconds."""

    catalogue: Catalogue
    purges: Purges | None
    way: float
    doorkeeper: Doorkeeper | None

    def at(self, batch: Batch) -> Look:
        of = self.catalogue.kinds(batch.keys)
        sizes, passed = batch.sizes, None
        if not self.catalogue.cacheable.all():
            passed = ~self.catalogue.cacheable[of]
            sizes = np.where(passed, UNSTORABLE, sizes)
        if self.doorkeeper is not None:
            # What is pushed is wanted: nobody asks the doorkeeper.
            admitted = self.doorkeeper.admitted(batch, passed) | (batch.numbers < PUSH_NUMBERS)
            sizes = np.where(admitted, sizes, UNSTORABLE)
        purged = np.empty((0, 2))
        if self.purges is not None:
            purged = self.purges.heard(batch.keys, batch.times, self.way)
        return Look(sizes, self.catalogue.terms[of], purged, passed)
