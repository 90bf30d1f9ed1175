"""Which edge answers each request: what decides is chosen once, by the scenario."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from insula_simulator.batch import Batch
from insula_simulator.network.routing import (
    BY_KEY,
    BY_REGION,
    BY_WEIGHT,
    maglev_table,
    rendezvous_table,
    ring_table,
    route,
)
from insula_simulator.reach import alive, known_by_time, nearest
from insula_simulator.scenario import Scenario, Site

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Steering(Protocol):
    """Hears all requests in order, a chunk at a time."""

    def choose(self, batch: Batch) -> Ints:
        """The edge of each request."""


@dataclass(frozen=True, slots=True)
class ByTable:
    """Nothing to remember: a table for each time between ``changes``, which ``which`` says."""

    mode: int
    seed: int
    changes: Floats
    which: Ints
    tables: Ints

    def choose(self, batch: Batch) -> Ints:
        chosen = np.empty(len(batch), np.int64)
        first = int(batch.numbers[0]) if len(batch) else 0
        route(
            self.mode, self.seed, first, batch.keys, batch.origins, batch.times,
            self.changes, self.which, self.tables, chosen,
        )  # fmt: skip
        return chosen


KEYED = {
    "maglev": maglev_table,
    "rendezvous": rendezvous_table,
    "consistent_hash": ring_table,
}


WEIGHT_PLACES = 10_000


def steering(scenario: Scenario, client_rtts: Floats) -> Steering:
    """``client_rtts`` has a row a region and a column an edge, in seconds."""
    policy, seed = scenario.routing.policy, scenario.seed
    changes, reached = known_by_time(scenario, scenario.edges, "edge")
    if policy == "geo":
        tables = nearest(client_rtts, reached)
        return ByTable(BY_REGION, seed, changes, np.arange(len(tables)), tables)
    # Tables are large, and the same sites are alive again and again.
    known = alive(reached)
    distinct = sorted(set(map(tuple, known)))
    which = np.array([distinct.index(tuple(each)) for each in known])
    tables = np.array([_table(scenario, list(each)) for each in distinct], np.int64)
    return ByTable(BY_WEIGHT if policy == "weighted" else BY_KEY, seed, changes, which, tables)


def _table(scenario: Scenario, known: list[int]) -> Ints:
    if scenario.routing.policy == "weighted":
        return _by_weight(scenario.edges, known)
    chosen = KEYED[scenario.routing.policy]([scenario.edges[i].name for i in known])
    table: Ints = np.array(known, np.int64)[chosen]
    return table


def _by_weight(sites: Sequence[Site], alive: list[int]) -> Ints:
    shares = np.cumsum([sites[i].weight for i in alive])
    spots = (np.arange(WEIGHT_PLACES) + 0.5) / WEIGHT_PLACES * shares[-1]
    chosen: Ints = np.array(alive, np.int64)[np.searchsorted(shares, spots)]
    return chosen
