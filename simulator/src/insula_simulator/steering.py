"""Which edge answers each request: what decides is chosen once, by the scenario."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from insula_simulator.batch import Batch
from insula_simulator.layout import BINS
from insula_simulator.network.routing import (
    BY_KEY,
    BY_REGION,
    BY_SLICE,
    BY_WEIGHT,
    maglev_table,
    rendezvous_table,
    ring_table,
    route,
)
from insula_simulator.network.steering import SLICES, Probing, Steered, steer, steer_bounded
from insula_simulator.reach import alive, known_by_time, nearest
from insula_simulator.scenario import Routing, Scenario, Site
from insula_simulator.shelf import Shelf

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


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
    shelf: Shelf = field(default_factory=Shelf)

    def choose(self, batch: Batch) -> Ints:
        chosen = self.shelf.take("chosen", len(batch))
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


@dataclass(frozen=True, slots=True)
class ByLatency:
    """Round trip and estimated waiting, looked at again and again."""

    scenario: Scenario
    ways: Floats
    changes: Floats
    reached: Flags
    state: Steered
    probing: Probing

    def choose(self, batch: Batch) -> Ints:
        chosen = np.empty(len(batch), np.int64)
        rules, pools = self.scenario.routing, [site.servers for site in self.scenario.edges]
        first = int(batch.numbers[0]) if len(batch) else 0
        if len(batch) and self.state.clock[0] < 0:
            self.state.clock[0] = batch.times[0]
        steer(
            self.state, self.probing, self.scenario.seed, first, rules.interval, rules.hysteresis,
            self.changes, self.reached, self.ways, np.array([pool.count for pool in pools], float),
            np.array([pool.service for pool in pools]), np.zeros(len(pools)), batch.origins,
            batch.times, chosen,
        )  # fmt: skip
        return chosen


@dataclass(frozen=True, slots=True)
class ByBound:
    """Consistent hashing with bounded loads (Mirrokni et al. 2018) over all edges."""

    scenario: Scenario
    ring: Ints
    changes: Floats
    alive: Flags
    loads: Floats
    seen: Floats

    def choose(self, batch: Batch) -> Ints:
        chosen = np.empty(len(batch), np.int64)
        rules = self.scenario.routing
        weights = np.array([site.weight for site in self.scenario.edges])
        steer_bounded(
            self.ring, rules.bound, rules.interval, weights, self.changes, self.alive, self.loads,
            self.seen, batch.keys, batch.times, chosen,
        )  # fmt: skip
        return chosen


def steering(scenario: Scenario, client_rtts: Floats) -> Steering:
    """``client_rtts`` has a row a region and a column an edge, in seconds."""
    policy, seed = scenario.routing.policy, scenario.seed
    changes, reached = known_by_time(scenario, scenario.edges, "edge")
    if policy == "geo":
        tables = nearest(client_rtts, reached)
        return ByTable(BY_REGION, seed, changes, np.arange(len(tables)), tables)
    if policy == "anycast":
        changes, tables = catchments(scenario, client_rtts, changes, reached)
        return ByTable(BY_SLICE, seed, changes, np.arange(len(tables)), tables)
    if policy == "latency":
        unsteered = _unsteered(client_rtts, reached, _late(scenario.routing))
        return ByLatency(
            scenario, client_rtts, changes, reached, unsteered, _probing(scenario.routing)
        )
    if policy == "bounded_load":
        ring = ring_table([site.name for site in scenario.edges])
        up: Flags = np.any(reached, axis=1)
        return ByBound(scenario, ring, changes, up, np.zeros(up.shape[1]), np.zeros(1))
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


def _unsteered(ways: Floats, reached: Flags, late: int) -> Steered:
    """Everybody at the nearest; ``late`` is by how many looks measurements are."""
    edge = np.repeat(nearest(ways, reached)[0], SLICES)
    return Steered(
        edge, np.zeros(len(edge)), np.zeros(len(edge)), np.full(1, -1.0), np.zeros(1, np.int64),
        ways.copy(), np.zeros((late + 1, *ways.shape)),
    )  # fmt: skip


def _late(rules: Routing) -> int:
    return round(rules.measured.age / rules.interval) if rules.measured else 0


def _probing(rules: Routing) -> Probing:
    given = rules.measured
    if given is None:
        return Probing(0.0, 0.0, 1)
    return Probing(given.noise, given.weight, max(1, round(given.ttl / rules.interval)))


def catchments(
    scenario: Scenario, ways: Floats, changes: Floats, reached: Flags
) -> tuple[Floats, Ints]:
    """Times, and before, between and after them the edge of each slice of each region: routes are
    chosen by a latency that is off by a lognormal factor, drawn anew when a route flaps."""
    rules, chance = scenario.routing, np.random.default_rng([scenario.seed, 4])
    seen = np.repeat(ways, SLICES, axis=0)
    seen = seen * np.exp(rules.noise * chance.standard_normal(seen.shape))
    step = scenario.duration / BINS
    flapping = np.arange(1, BINS) * step if rules.flaps else np.zeros(0)
    looks = np.union1d(changes, flapping)
    tables = []
    for at in np.concatenate([[-np.inf], looks]):
        if at in flapping:
            moved = chance.random(len(seen)) < 1 - np.exp(-rules.flaps * step / 3600)
            drawn = chance.standard_normal((int(moved.sum()), ways.shape[1]))
            seen[moved] = np.repeat(ways, SLICES, axis=0)[moved] * np.exp(rules.noise * drawn)
        now = reached[np.searchsorted(changes, at, side="right")]
        tables.append(np.where(np.repeat(now, SLICES, axis=0), seen, np.inf).argmin(axis=1))
    return looks, np.array(tables, np.int64)
