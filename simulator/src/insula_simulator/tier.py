"""One site with a cache: what it makes of its requests, and what it has to ask upstream."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from insula_simulator.batch import Batch
from insula_simulator.cache import Cache
from insula_simulator.network import freshness
from insula_simulator.network.chance import CHANGED, fill_uniform
from insula_simulator.network.servers import Pool, PoolRules, new_pool, serve

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Fates = npt.NDArray[np.uint8]

ASKS_UPSTREAM = np.zeros(len(freshness.FATES), bool)
ASKS_UPSTREAM[[freshness.MISS, freshness.REVALIDATED, freshness.STALE]] = True


@dataclass(slots=True)
class Answers:
    """What a site did with a batch. ``waits`` are seconds for a fetch under way, ``served`` seconds
    in the site's own servers (-1: its queue was too long), ``asked`` the rows sent upstream."""

    fates: Fates
    waits: Floats
    served: Floats
    asked: Ints

    def inside(self, took: Floats) -> Floats:
        """Seconds behind the site's door, given what upstream took for the rows asked. -1: failed.
        Nobody waits for a revalidation in the background."""
        inside = self.served + self.waits
        waited = self.fates[self.asked] != freshness.STALE
        rows = self.asked[waited]
        inside[rows] = np.where(took[waited] >= 0, inside[rows] + took[waited], -1.0)
        inside[(self.served < 0) | (self.fates == freshness.ERROR)] = -1.0
        return inside


@dataclass
class Tier:
    """A site. Its state grows with what the cache knows; ``down`` has rows of from and to."""

    cache: Cache
    rules: freshness.Rules
    pool_rules: PoolRules
    fetch: float
    """Seconds that a fetch from upstream takes; follows what the last chunk saw."""
    down: Floats
    unchanged: float
    seed: int
    pool: Pool = field(init=False)
    expires: Floats = field(default_factory=lambda: np.zeros(0))
    ready: Floats = field(default_factory=lambda: np.zeros(0))
    arrived: int = 0
    asked: int = 0
    failed: int = 0
    retries: int = 0
    bytes_fetched: int = 0

    def __post_init__(self) -> None:
        rules = self.pool_rules
        self.pool = new_pool(rules.least, rules.most, rules.interval)

    def answer(self, batch: Batch) -> Answers:
        """Requests of this site in order of time; while it is down they fail."""
        dead = np.zeros(len(batch), bool)
        for start, end, _ in self.down:
            dead |= (batch.times >= start) & (batch.times < end)
        if not dead.any():
            fates, waits, served = self._answer(batch)
        else:
            fates = np.full(len(batch), freshness.ERROR, np.uint8)
            waits, served = np.zeros(len(batch)), np.zeros(len(batch))
            fates[~dead], waits[~dead], served[~dead] = self._answer(batch.only(~dead))
        asked = np.flatnonzero(ASKS_UPSTREAM[fates])
        self.arrived += len(batch)
        self.asked += len(asked)
        return Answers(fates, waits, served, asked)

    def _answer(self, batch: Batch) -> tuple[Fates, Floats, Floats]:
        slots = self.cache.replay(batch.keys, batch.sizes)
        self._grow(len(self.cache.state.nodes))
        fates, waits = np.empty(len(batch), np.uint8), np.empty(len(batch))
        served = np.empty(len(batch))
        freshness.judge(
            self.rules, slots, batch.times, self.fetch, self.expires, self.ready, fates, waits
        )
        self.retries += serve(self.pool, self.pool_rules, batch.times, self.arrived, served)
        fates[served < 0] = freshness.ERROR
        return fates, waits, served

    def bodies(self, batch: Batch, answers: Answers) -> Ints:
        """Bytes of each answer from upstream: none where a revalidation finds nothing new."""
        sizes, fates = batch.sizes[answers.asked], answers.fates[answers.asked]
        revalidates = fates != freshness.MISS
        if not revalidates.any():
            return sizes
        chances = np.empty(len(sizes))
        fill_uniform(self.seed, CHANGED, batch.numbers[answers.asked], chances)
        return np.where(revalidates & (chances < self.unchanged), 0, sizes)

    def learn(self, took: Floats) -> None:
        """The next chunk's fetches take as long as these did on average."""
        if (took >= 0).any():
            self.fetch = float(took[took >= 0].mean())

    def _grow(self, rows: int) -> None:
        more = rows - len(self.expires)
        if more > 0:
            self.expires = np.concatenate([self.expires, np.zeros(more)])
            self.ready = np.concatenate([self.ready, np.zeros(more)])
