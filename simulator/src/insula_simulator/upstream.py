"""What edges ask: by way of shields, if there are any, to the origin."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from insula_simulator.balanced import BalancedServers
from insula_simulator.batch import Batch, Sorted, sorted_by_site
from insula_simulator.crew import Crew
from insula_simulator.network.routing import BY_REGION, route
from insula_simulator.network.servers import Pool, PoolRules, new_pool, serve
from insula_simulator.network.settling import add_way, deliver
from insula_simulator.shelf import Shelf
from insula_simulator.tier import Answers, Tier

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Origin:
    """The servers behind everything. Fetches that its queue cannot take in time fail."""

    def __init__(self, rules: PoolRules, balanced: BalancedServers | None = None) -> None:
        self.rules = rules
        self.balanced = balanced
        self.pool: Pool = new_pool(rules)
        self.arrived = self.failed = self.retries = self.bytes_sent = 0

    def fetch(self, batch: Batch, bodies: Ints) -> Floats:
        """Seconds that each took, -1 where it failed."""
        seconds = np.empty(len(batch))
        if self.balanced:
            self.retries += self.balanced.serve(batch, self.arrived, seconds)
        else:
            self.retries += serve(self.pool, self.rules, batch.times, self.arrived, seconds)
        self.arrived += len(batch)
        self.failed += int((seconds < 0).sum())
        self.bytes_sent += int(bodies[seconds >= 0].sum())
        return seconds


@dataclass
class Shields:
    """Shields between edges and origin. ``edge_rtts`` has a row an edge and a column a shield."""

    tiers: list[Tier]
    edge_rtts: Floats
    origin_rtts: Floats
    changes: Floats
    tables: Ints
    rows: Shelf = field(default_factory=Shelf)
    asks: Shelf = field(default_factory=Shelf)

    def __post_init__(self) -> None:
        self._ways = np.ascontiguousarray(self.edge_rtts.T)

    def fetch(self, crew: Crew, batch: Batch, origin: Origin) -> Floats:
        """Seconds that each fetch of an edge took by way of its shield; -1 where it failed."""
        chosen = np.empty(len(batch), np.int64)
        route(
            BY_REGION, 0, 0, batch.keys, batch.origins, batch.times, self.changes,
            np.arange(len(self.tables)), self.tables, chosen,
        )  # fmt: skip
        split = sorted_by_site(batch, chosen, len(self.tiers), self.rows)
        answers = crew.each(
            lambda i: self.tiers[i].answer(split.parts[i], split.rooms[i]), range(len(self.tiers))
        )
        merged = split.merged([answer.sent for answer in answers], self.asks)
        took = merged.brought_back(origin.fetch(merged.batch, merged.bodies))
        seconds = np.empty(len(batch))
        crew.each(lambda i: self._settle(i, split, answers[i], took[i], seconds), range(len(took)))
        return seconds

    def _settle(
        self, i: int, split: Sorted, answer: Answers, took: Floats, seconds: Floats
    ) -> None:
        part, start = split.parts[i], split.starts[i]
        add_way(took, self.origin_rtts[i, 0])
        self.tiers[i].settle(part, answer, took)
        rows = split.rows[start : start + len(part)]
        deliver(self._ways[i], part.origins, answer.fates, answer.inside, rows, seconds)
