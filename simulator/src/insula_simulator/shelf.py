"""Memory that is used again from chunk to chunk."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.memory import anything


@dataclass(slots=True)
class Shelf:
    """Arrays by name. What was taken is overwritten when the same name is taken next: fresh memory
    costs more than filling it does."""

    least: int = 0
    """An array's length at first, where no more is wanted."""
    kept: dict[str, npt.NDArray[Any]] = field(default_factory=dict)

    def take(self, name: str, length: int, dtype: npt.DTypeLike = np.int64) -> npt.NDArray[Any]:
        """With anything in it."""
        kept = self.kept.get(name)
        if kept is None or len(kept) < length:
            # A chunk's columns fill large pages exactly; who wants more may want still more.
            room = max(length, self.least) if kept is None else length + length // 8
            kept = self.kept[name] = anything((room,), dtype)
        return kept[:length]

    def take_zeros(self, name: str, length: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """For who leaves them zeros again."""
        before = self.kept.get(name)
        taken = self.take(name, length, dtype)
        if self.kept[name] is not before:
            self.kept[name].fill(0)
        return taken
