"""Edges of one cluster ask each other before they ask upstream, as siblings do by ICP (RFC 2186).

For each object the siblings have an order (rendezvous), and the first few are asked at once.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from insula_simulator import layout
from insula_simulator.batch import Batch
from insula_simulator.content.catalogue import Catalogue
from insula_simulator.network.chance import ROUTE, fill_uniform
from insula_simulator.network.routing import seed_of
from insula_simulator.scenario import Scenario
from insula_simulator.tier import Tier

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

PLACE_STREAM = 40


@dataclass
class Cluster:
    """``members`` are edges, in order."""

    members: list[int]
    seeds: list[int]

    def orders(self, keys: Ints) -> Ints:
        """For each object all members, first who is asked first."""
        places, weights = np.empty(len(keys)), np.empty((len(self.members), len(keys)))
        fill_uniform(0, PLACE_STREAM, keys, places)
        for i, seed in enumerate(self.seeds):
            fill_uniform(seed, ROUTE, (places * (1 << 53)).astype(np.int64), weights[i])
        chosen: Ints = np.array(self.members)[np.argsort(-weights, axis=0)].T
        return chosen


class Peers:
    """The clusters of a scenario. ``filled`` and ``bytes`` are fetches that siblings answered."""

    def __init__(self, scenario: Scenario, catalogue: Catalogue, edges: list[Tier]) -> None:
        self.catalogue = catalogue
        self.edges, self.ask = edges, scenario.peers.ask
        self.rtts = layout.rtts(scenario, scenario.edges, scenario.edges)
        self.clusters = []
        for name in sorted({site.cluster for site in scenario.edges} - {None}, key=str):
            members = [i for i, site in enumerate(scenario.edges) if site.cluster == name]
            seeds = [seed_of(scenario.edges[i].name) for i in members]
            self.clusters.append(Cluster(members, seeds))
        self.asked = self.filled = self.bytes = 0

    def __bool__(self) -> bool:
        """Whether there is any cluster of two."""
        return any(len(cluster.members) > 1 for cluster in self.clusters)

    def fill(self, asks: Batch, bodies: Ints) -> tuple[Flags, Floats]:
        """Which fetches a sibling answers, and for all the seconds that asking them took: until
        the nearest who has it answers, or the last who has it not."""
        filled, seconds = np.zeros(len(asks), bool), np.zeros(len(asks))
        shared = (bodies > 0) & self.catalogue.cacheable[self.catalogue.kinds(asks.keys)]
        for cluster in self.clusters:
            rows = np.flatnonzero(np.isin(asks.origins, cluster.members) & shared)
            part = asks.only(rows)
            best, worst = self._ask(cluster, part)
            filled[rows] = np.isfinite(best)
            seconds[rows] = np.where(filled[rows], best, worst)
        self.filled += int(filled.sum())
        self.bytes += int(bodies[filled].sum())
        return filled, seconds

    def _ask(self, cluster: Cluster, part: Batch) -> tuple[Floats, Floats]:
        """For each fetch the seconds to the nearest sibling that has it (infinite: none has), and
        to the furthest that was asked."""
        orders = cluster.orders(part.keys)
        best, worst = np.full(len(part), np.inf), np.zeros(len(part))
        left = np.full(len(part), self.ask)
        for turn in range(len(cluster.members)):
            for sibling in cluster.members:
                mine = (orders[:, turn] == sibling) & (part.origins != sibling) & (left > 0)
                rows = np.flatnonzero(mine)
                left[rows] -= 1
                self.asked += len(rows)
                way = self.rtts[part.origins[rows], sibling]
                has = self.edges[sibling].has(part.only(rows))
                worst[rows] = np.maximum(worst[rows], way)
                best[rows] = np.where(has, np.minimum(best[rows], way), best[rows])
        return best, worst
