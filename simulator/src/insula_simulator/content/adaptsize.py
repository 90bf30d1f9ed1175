"""How large an object may be to be let into an LRU cache, found from the requests themselves:
AdaptSize (Berger, Sitaraman and Harchol-Balter, NSDI 2017, section 4).

An object of size s that is asked for r times a second is let in with probability exp(-s / c). Under
independent references it is in the cache for the share
p = x / (1 + x), x = (exp(r T) - 1) exp(-s / c), of the time, where T is such that what is in the
cache fills it. The hit ratio follows for any c, and the best c by search.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MOST_OBJECTS = 8192
"""That the model looks at: a sample by key, as of a cache that is smaller by as much."""
MEMORY = 0.3
"""What a window leaves of the counts of those before it, as in the authors' code."""
HALVINGS = 30
FOREVER = 1e100
HORIZON = 10.0
"""Windows. The authors' model is of the steady state, where the smallest c is best: none but the
objects asked for most often for their bytes ever get in. To get there takes ages, so what counts
here (and not with them) is what gets in within ten windows; from one to thirty of them do as well
in the tests' cache."""
GOLDEN = (5**0.5 - 1) / 2


@dataclass
class Tuner:
    """Of one cache: ``scale`` is c. It is found anew at the end of every ``window``."""

    capacity: int
    window: int
    scale: float
    keys: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    counts: Floats = field(default_factory=lambda: np.zeros(0))
    sizes: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    seen: int = 0

    def hear(self, keys: Ints, sizes: Ints) -> None:
        """Some requests in order of time."""
        fresh, first, counts = np.unique(keys, return_index=True, return_counts=True)
        every = np.concatenate([self.keys, fresh])
        self.keys, first_of, places = np.unique(every, return_index=True, return_inverse=True)
        self.sizes = np.concatenate([self.sizes, sizes[first]])[first_of]
        self.counts = np.bincount(places, np.concatenate([self.counts, counts])).astype(np.float64)
        self.seen += len(keys)
        if self.seen >= self.window:
            self._tune()

    def _tune(self) -> None:
        part = np.arange(len(self.keys))
        if len(part) > MOST_OBJECTS:
            part = np.argsort(_scattered(self.keys), kind="stable")[:MOST_OBJECTS]
        share = self.sizes[part].sum() / self.sizes.sum()
        self.scale = best_scale(self.counts[part], self.sizes[part], self.capacity * share)
        kept = self.counts * MEMORY >= MEMORY  # asked for less than once of late: forgotten
        self.keys, self.sizes = self.keys[kept], self.sizes[kept]
        self.counts, self.seen = self.counts[kept] * MEMORY, 0


def _scattered(keys: Ints) -> npt.NDArray[np.uint64]:
    """Fibonacci hashing (Knuth 6.4)."""
    return keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)


def hit_ratio(
    rates: Floats, sizes: Ints, capacity: float, scale: float, horizon: float = FOREVER
) -> float:
    """Of an LRU cache that lets in with probability exp(-size / scale), by the model. Within the
    ``horizon`` (in the unit of ``rates``) only those count that are let in once by then."""
    admitted = np.exp(-sizes / scale)
    met = -np.expm1(-rates * admitted * horizon)
    if sizes.sum() <= capacity:
        return 1.0

    def present(time: float) -> Floats:
        odds = np.expm1(np.minimum(rates * time, 500.0)) * admitted
        found: Floats = met * odds / (1.0 + odds)
        return found

    low, high = -60.0, 60.0  # of log2 T, in units of the mean time between requests
    unit = 1.0 / rates.sum()
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if present(unit * 2.0**middle) @ sizes > capacity:
            high = middle
        else:
            low = middle
    return float(present(unit * 2.0**low) @ rates / rates.sum())


def best_scale(rates: Floats, sizes: Ints, capacity: float) -> float:
    """Of objects asked for so often of late: a coarse look at powers of four, and golden section
    beside the best of them."""

    def ratio(power: float) -> float:
        return hit_ratio(rates, sizes, capacity, 2.0**power, HORIZON)

    least, most = np.log2(max(1, int(sizes.min()))) - 1, np.log2(float(sizes.max())) + 6
    powers = np.append(np.arange(least, most, 2.0), most)
    best = float(powers[int(np.argmax([ratio(power) for power in powers]))])
    low, high = best - 2, best + 2
    one, other = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    ratios = ratio(one), ratio(other)
    while high - low > 0.1:
        if ratios[0] >= ratios[1]:
            high, other = other, one
            one = high - GOLDEN * (high - low)
            ratios = ratio(one), ratios[0]
        else:
            low, one = one, other
            other = low + GOLDEN * (high - low)
            ratios = ratios[1], ratio(other)
    return float(2.0 ** ((low + high) / 2))
