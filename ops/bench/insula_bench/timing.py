"""Times of something that was done several times."""

from statistics import median
from typing import NamedTuple


class Times(NamedTuple):
    """In seconds, one for each time."""

    title: str
    seconds: list[float]

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def p95(self) -> float:
        """The nearest rank: with fewer than 20 times, the longest."""
        ordered = sorted(self.seconds)
        return ordered[-(-len(ordered) * 95 // 100) - 1]

    @property
    def p99(self) -> float:
        """The nearest rank: with fewer than 100 times, the longest."""
        ordered = sorted(self.seconds)
        return ordered[-(-len(ordered) * 99 // 100) - 1]
