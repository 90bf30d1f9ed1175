"""What a cache stores at all: not what is too large, rarely what is large (AdaptSize: Berger,
Sitaraman and Harchol-Balter, NSDI 2017), not what is asked for once (Maggs and Sitaraman, CCR
2015)."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from insula_simulator.batch import Batch
from insula_simulator.content.adaptsize import Tuner
from insula_simulator.network.admitting import admit_by_size, note_seen
from insula_simulator.scenario import Admission

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

BITS = 16
"""Of the filter for each object remembered: with four hashes one in 400 is taken for another."""


@dataclass
class Doorkeeper:
    """Of one cache of ``capacity`` bytes."""

    rules: Admission
    seed: int
    capacity: int
    seen: Ints = field(init=False)
    registers: Ints = field(default_factory=lambda: np.zeros(2, np.int64))
    tuner: Tuner | None = None

    def __post_init__(self) -> None:
        bits = 1 << max(6, (self.rules.seen * BITS - 1).bit_length())
        self.seen = np.zeros((2, bits // 64), np.int64)
        if self.rules.window:
            start = self.rules.scale or float(self.capacity)
            self.tuner = Tuner(self.capacity, self.rules.window, start)

    def admitted(self, batch: Batch, passed: Flags | None = None) -> Flags:
        """Which of these may be stored if they are not there. Those ``passed`` never are."""
        admitted, rules = np.ones(len(batch), bool), self.rules
        if rules.seen:
            # A generation is half of what is remembered: the older one is dropped as a whole.
            most = max(1, rules.seen // 2)
            note_seen(self.seen, self.registers, most, batch.keys, admitted)
        if rules.largest is not None:
            admitted &= batch.sizes <= rules.largest
        if self.tuner:
            rows = np.ones(len(batch), bool) if passed is None else ~passed
            self._admit_tuned(self.tuner, batch, rows, admitted)
        elif rules.scale is not None:
            admit_by_size(self.seed, rules.scale, batch.numbers, batch.sizes, admitted)
        return admitted

    def _admit_tuned(self, tuner: Tuner, batch: Batch, rows: Flags, admitted: Flags) -> None:
        """Each window by the scale that those before it led to. Of ``rows`` it learns."""
        start = 0
        while start < len(batch):
            part = slice(start, start + tuner.window - tuner.seen)
            admit_by_size(
                self.seed, tuner.scale, batch.numbers[part], batch.sizes[part], admitted[part]
            )
            heard = rows[part]
            tuner.hear(batch.keys[part][heard], batch.sizes[part][heard])
            start = part.stop
