"""Fates counted by class."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from insula_simulator.batch import Batch
from insula_simulator.content.catalogue import Catalogue
from insula_simulator.network.freshness import FATES

Ints = npt.NDArray[np.int64]
Fates = npt.NDArray[np.uint8]


@dataclass
class Tally:
    """Of one edge: a row a class, first what has none, a column a fate."""

    catalogue: Catalogue
    counts: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros((len(self.catalogue.cacheable), len(FATES)), np.int64)

    def add(self, part: Batch, fates: Fates) -> None:
        places = self.catalogue.kinds(part.keys) * len(FATES) + fates
        self.counts += np.bincount(places, minlength=self.counts.size).reshape(self.counts.shape)
