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

    kept: dict[str, npt.NDArray[Any]] = field(default_factory=dict)

    def take(self, name: str, length: int, dtype: npt.DTypeLike = np.int64) -> npt.NDArray[Any]:
        """With anything in it, at first zeros."""
        kept = self.kept.get(name)
        if kept is None:  # chunks are as long as a large page
            kept = self.kept[name] = anything((length,), dtype)
            kept[:] = 0
        elif len(kept) < length:
            kept = self.kept[name] = anything((length + length // 8,), dtype)
            kept[:] = 0
        return kept[:length]
