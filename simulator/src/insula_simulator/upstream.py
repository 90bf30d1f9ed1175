"""What edges ask: by way of shields, if there are any, to the origin."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from insula_simulator.batch import Batch, brought_back, merged_by_time, rows_by_site
from insula_simulator.network.routing import BY_REGION, route
from insula_simulator.network.servers import Pool, PoolRules, new_pool, serve
from insula_simulator.tier import Tier

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Origin:
    """The servers behind everything. Fetches that its queue cannot take in time fail."""

    def __init__(self, rules: PoolRules) -> None:
        self.rules = rules
        self.pool: Pool = new_pool(rules.least, rules.most, rules.interval)
        self.arrived = self.failed = self.retries = self.bytes_sent = 0

    def fetch(self, batch: Batch, bodies: Ints) -> Floats:
        """Seconds that each took, -1 where it failed."""
        seconds = np.empty(len(batch))
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

    def fetch(self, pool: ThreadPoolExecutor, batch: Batch, origin: Origin) -> Floats:
        """Seconds that each fetch of an edge took by way of its shield; -1 where it failed."""
        chosen = np.empty(len(batch), np.int64)
        route(
            BY_REGION, 0, 0, batch.keys, batch.origins, batch.times, self.changes, self.tables,
            chosen,
        )  # fmt: skip
        rows = rows_by_site(chosen, len(self.tiers))
        parts = [batch.only(each) for each in rows]
        answers = list(pool.map(Tier.answer, self.tiers, parts))
        asks = [part.only(answer.asked) for part, answer in zip(parts, answers, strict=True)]
        bodies = [Tier.bodies(*each) for each in zip(self.tiers, parts, answers, strict=True)]
        merged, order = merged_by_time(asks)
        got = origin.fetch(merged, np.concatenate(bodies)[order])
        took = brought_back(got, order, [len(each) for each in asks])
        seconds = np.empty(len(batch))
        for i, tier in enumerate(self.tiers):
            up = np.where(took[i] >= 0, took[i] + self.origin_rtts[i, 0], -1.0)
            tier.learn(up)
            tier.bytes_fetched += int(bodies[i].sum())
            inside = answers[i].inside(up)
            tier.failed += int((inside < 0).sum())
            there = self.edge_rtts[parts[i].origins, i]
            seconds[rows[i]] = np.where(inside >= 0, inside + there, -1.0)
        return seconds
