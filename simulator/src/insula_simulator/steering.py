"""Which edge answers each request: what decides is chosen once, by the scenario."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from insula_simulator import layout
from insula_simulator.batch import Batch
from insula_simulator.network.routing import route
from insula_simulator.scenario import Scenario

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Steering(Protocol):
    """Hears all requests in order, a chunk at a time."""

    def choose(self, batch: Batch) -> Ints:
        """The edge of each request."""


@dataclass(frozen=True, slots=True)
class ByTable:
    """Nothing to remember: a table for each time between ``changes``."""

    mode: int
    seed: int
    changes: Floats
    tables: Ints

    def choose(self, batch: Batch) -> Ints:
        chosen = np.empty(len(batch), np.int64)
        first = int(batch.numbers[0]) if len(batch) else 0
        route(
            self.mode, self.seed, first, batch.keys, batch.origins, batch.times,
            self.changes, self.tables, chosen,
        )  # fmt: skip
        return chosen


def steering(scenario: Scenario, client_rtts: Floats) -> Steering:
    """``client_rtts`` has a row a region and a column an edge, in seconds."""
    changes, alive = layout.alive_by_time(scenario, scenario.edges, "edge")
    mode, tables = layout.edge_tables(scenario, client_rtts, alive)
    return ByTable(mode, scenario.seed, changes, tables)
