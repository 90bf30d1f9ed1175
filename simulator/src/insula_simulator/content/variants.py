"""Variants of objects by ``Vary``: which one a client gets follows from its headers, and caches
keep each apart (RFC 9111, section 4.1). The variant stands where a key of an object that is seen
piece by piece has the piece."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from insula_simulator.batch import Batch
from insula_simulator.network.chance import fill_uniform
from insula_simulator.network.mixes import CLASS_SHIFT
from insula_simulator.network.traffic import FLASH_KEYS
from insula_simulator.scenario import Content

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

VARIANT = 39
"""A stream of chance."""


@dataclass(frozen=True)
class Variants:
    """Of one class; ``cumulative`` shares of requests."""

    kind: int
    cumulative: Floats
    factors: Floats

    def choose(self, seed: int, batch: Batch, wanted: Ints) -> None:
        """Change keys and sizes of the class's requests to those of variants."""
        rows = np.flatnonzero((batch.keys >> CLASS_SHIFT == self.kind) & (batch.keys < FLASH_KEYS))
        chances = np.empty(len(rows))
        fill_uniform(seed, VARIANT, batch.numbers[rows], chances)
        which = np.searchsorted(self.cumulative, chances, side="right")
        batch.keys[rows] |= which
        batch.sizes[rows] = wanted[rows] = self.sized(batch.sizes[rows], which)

    def sized(self, sizes: Ints, which: Ints) -> Ints:
        """Bytes of variants of objects with these sizes."""
        return np.maximum(1, sizes * self.factors[which]).astype(np.int64)


def variants_of(classes: list[Content]) -> list[Variants]:
    """Of those that have any."""
    return [
        Variants(
            i,
            np.cumsum([each.share for each in of.vary])[:-1] / sum(each.share for each in of.vary),
            np.array([each.size for each in of.vary]),
        )
        for i, of in enumerate(classes, 1)
        if of.vary
    ]
