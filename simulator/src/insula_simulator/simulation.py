"""A whole network, a chunk of requests at a time: traffic → edges → shields → origin → clients.

Each edge and each shield is worked on by one thread at a time and adds up its own numbers, so that
the result is the same for any number of threads.
"""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from insula_simulator import layout
from insula_simulator.balanced import balanced
from insula_simulator.batch import COLUMNS, Batch, Sorted, sorted_by_site
from insula_simulator.cache import Cache
from insula_simulator.content.background import Background, Brought
from insula_simulator.content.catalogue import plain_terms
from insula_simulator.content.demand import Demand
from insula_simulator.content.peers import Peers
from insula_simulator.content.tally import Tally
from insula_simulator.content.treatment import Treatment, storage_of
from insula_simulator.crew import Crew
from insula_simulator.network import freshness
from insula_simulator.network.account import CENSUS, account, new_ledger
from insula_simulator.network.traffic import synthesize
from insula_simulator.reach import known_by_time, nearest, outages, unanswered
from insula_simulator.recorded import Recording, settled
from insula_simulator.scenario import Scenario, Site
from insula_simulator.schedule import scheduled
from insula_simulator.shelf import Shelf
from insula_simulator.steering import steering
from insula_simulator.tier import Answers, Tier
from insula_simulator.upstream import Origin, Shields
from insula_simulator.watching import Watch

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CHUNK, LARGEST_CHUNK = 1 << 16, 1 << 19
"""Requests of a chunk. Part of the model: how long a fetch takes is learnt from chunk to chunk."""
CHUNKS = 16
"""A long run of at least so many takes larger ones, which find more of what they need in a
processor's own memory."""


NO_BODIES = np.empty(0, np.int64)


class Chunk(NamedTuple):
    """Requests in order of time, and by the edge that answers them."""

    batch: Batch
    split: Sorted


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without looks for garbage in cycles: a run makes none, and each look goes through all that
    was ever imported."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


class NotConserved(Exception):
    """A request got lost or counted twice: a fault of the simulator, never of a scenario."""


def chunk_of(scenario: Scenario) -> int:
    """Failures and siblings are what is known of only between chunks, so their chunks are short."""
    if scenario.failures or any(edge.cluster for edge in scenario.edges):
        return CHUNK
    chunk = CHUNK
    while chunk < LARGEST_CHUNK and 2 * chunk * CHUNKS <= scenario.requests:
        chunk *= 2
    return chunk


class Simulation:
    """One run of a scenario. ``threads`` 0 is one for each core.

    Raises:
        ScenarioError: its trace cannot be read; the message names the file and the line.
    """

    def __init__(self, scenario: Scenario, threads: int = 0) -> None:
        self.recording = Recording(scenario) if scenario.traffic.trace else None
        self.scenario = scenario = scheduled(settled(scenario, self.recording))
        self.threads = threads or os.cpu_count() or 1
        self.plan = layout.traffic_plan(scenario)
        self.demand = Demand(scenario, self.plan) if scenario.traffic.classes else None
        self.content = Treatment(scenario)
        self.background = Background(scenario, self.content.catalogue, self.plan, self.demand)
        self.network = layout.client_network(scenario)
        self.bin_width = scenario.duration / layout.BINS
        self.client_rtts = layout.rtts(scenario, scenario.regions, scenario.edges, users=True)
        self.steering = steering(scenario, self.client_rtts)
        self.up_rtts = layout.rtts(scenario, scenario.edges, scenario.shields or [scenario.origin])
        self.edges = [
            self._tier(site, "edge", i, float(self.up_rtts[i].min()))
            for i, site in enumerate(scenario.edges)
        ]
        self.peers = Peers(scenario, self.content.catalogue, self.edges)
        self.shields = self._shields() if scenario.shields else None
        servers = scenario.origin.servers
        rules = layout.pool_rules(scenario, servers, "origin", scenario.seed + 1)
        self.origin = Origin(rules, balanced(scenario, "origin", servers, rules))
        self.watch = Watch()
        self.tallies = [Tally(self.content.catalogue) for _ in scenario.edges]
        self._rtts = np.ascontiguousarray(self.client_rtts.T)
        self.chunk = chunk_of(scenario)
        self._drawn, self._edge_rows = ([Shelf(self.chunk) for _ in range(2)] for _ in range(2))
        self._asks = Shelf()
        self._count = np.arange(self.chunk)
        self.ledgers = [new_ledger(layout.BINS, len(scenario.regions)) for _ in scenario.edges]

    def _shields(self) -> Shields:
        scenario = self.scenario
        origin_rtts = layout.rtts(scenario, scenario.shields, [scenario.origin])
        changes, reached = known_by_time(scenario, scenario.shields, "shield")
        tiers = [
            self._tier(site, "shield", i, float(origin_rtts[i, 0]))
            for i, site in enumerate(scenario.shields)
        ]
        tables = nearest(self.up_rtts, reached)
        return Shields(tiers, self.up_rtts, origin_rtts, changes, tables)

    def _tier(self, site: Site, part: str, i: int, rtt: float) -> Tier:
        scenario, http = self.scenario, self.scenario.http
        target = f"{part}:{site.name}"
        seed = scenario.seed + (100 if part == "edge" else 1000) + i
        pool_rules = layout.pool_rules(scenario, site.servers, target, seed)
        return Tier(
            cache=Cache(site.cache.policy, site.cache.size),
            rules=freshness.Rules(
                http.negative_ttl,
                http.collapse,
                outages(scenario, part, site),
                part == "edge" and bool(scenario.shields),
                bool(scenario.purges),
            ),
            pool_rules=pool_rules,
            fetch=scenario.origin.servers.service + rtt,
            down=unanswered(scenario, part, site),
            unchanged=http.unchanged,
            seed=seed,
            terms=plain_terms(http),
            looks=self.content.looks(site, seed),
            storage=storage_of(site),
            balanced=balanced(scenario, target, site.servers, pool_rules),
            brought=Brought() if part == "edge" and self.background else None,
        )

    def run(self, on_chunk: Callable[[int], None] = lambda done: None) -> None:
        """Play all requests, once. ``on_chunk`` hears how many are done.

        Raises:
            NotConserved: see there.
        """
        batches = self.recording.batches(self.chunk) if self.recording else self.synthetic()
        upcoming = partial(next, map(self._split, batches), None)
        with _uncollected(), Crew(self.threads) as crew:
            chunk = upcoming()
            while chunk:
                following = self._play(crew, chunk, upcoming)
                self._look(chunk.batch)
                on_chunk(int(chunk.batch.numbers[-1]) + 1)
                chunk = following()
        self._check()

    def _look(self, batch: Batch) -> None:
        shields = self.shields.tiers if self.shields else []
        sites: list[Tier | Origin] = [*self.edges, *shields, self.origin]
        self.watch.look(float(batch.times[-1]), int(batch.numbers[-1]) + 1, sites, self.origin)

    def step(self, crew: Crew, batch: Batch) -> None:
        """Play requests that somebody else made, next in order; nothing is checked."""
        self._play(crew, self._split(batch), lambda: None)()

    def synthetic(self) -> Iterator[Batch]:
        """All requests, drawn from what the scenario says of them. The next batch but one takes
        the memory of a batch. The first are short: nothing else can be done until they are drawn,
        and how long fetches take is soon known."""
        start, count, total = 0, CHUNK, self.scenario.requests
        while start < total:
            yield self._requests(start, min(count, total - start))
            start += count
            count = min(2 * count, self.chunk)

    def _requests(self, start: int, count: int) -> Batch:
        self._drawn.reverse()
        shelf = self._drawn[0]
        columns = [
            shelf.take(each.name, count, "f8" if each.name == "times" else "i8") for each in COLUMNS
        ]
        made = Batch(*columns)
        synthesize(self.plan, start, made.keys, made.sizes, made.times, made.origins)
        np.add(self._count[:count], start, out=made.numbers)
        if self.demand:
            self.demand.turn_to_classes(made)
        return made

    def _split(self, batch: Batch) -> Chunk:
        """By edge. What answers a request, the ones before it have decided, not their answers, so
        that this can be done ahead."""
        chosen = self.steering.choose(batch)
        whole = batch
        if self.background:
            whole, chosen = self.background.joined(batch, chosen)
        self._edge_rows.reverse()  # one is in use while the next is filled
        return Chunk(batch, sorted_by_site(whole, chosen, len(self.edges), self._edge_rows[0]))

    def _play(
        self, crew: Crew, chunk: Chunk, upcoming: Callable[[], Chunk | None]
    ) -> Callable[[], Chunk | None]:
        """The answer has the next chunk, made while shields and origin, which keep fewer threads
        busy, are at work."""
        split = chunk.split
        longest_first = sorted(range(len(self.edges)), key=lambda i: -len(split.parts[i]))
        answers = crew.each(
            lambda i: self.edges[i].answer(split.parts[i], split.rooms[i]), longest_first
        )
        following = crew.meanwhile(upcoming)
        took = self._fetch(crew, split, answers)
        crew.each(lambda i: self._finish(i, split.parts[i], answers[i], took[i]), longest_first)
        return following

    def _fetch(self, crew: Crew, split: Sorted, answers: list[Answers]) -> list[Floats]:
        """For each edge the seconds that its fetches took, -1 where they failed."""
        merged = split.merged([answer.sent for answer in answers], self._asks)
        asks = merged.batch
        # Shields count the bytes of what they send themselves.
        bodies = merged.bodies if self.peers or not self.shields else NO_BODIES
        if self.peers:
            filled, seconds = self.peers.fill(asks, bodies)
            rest = np.flatnonzero(~filled)
            up = self._upstream(crew, asks.only(rest), bodies[rest])
            seconds[rest] = np.where(up >= 0, seconds[rest] + up, -1.0)
        else:
            seconds = self._upstream(crew, asks, bodies)
        return merged.brought_back(seconds)

    def _upstream(self, crew: Crew, asks: Batch, bodies: Ints) -> Floats:
        if self.shields:
            return self.shields.fetch(crew, asks, self.origin)
        seconds = self.origin.fetch(asks, bodies)
        return np.where(seconds >= 0, seconds + self.up_rtts[asks.origins, 0], -1.0)

    def _finish(self, i: int, part: Batch, answer: Answers, took: Floats) -> None:
        """Settle what upstream answered an edge, and count what its clients saw."""
        fetched = self.edges[i].settle(part, answer, took)
        fates, inside = answer.fates, answer.inside
        if self.background:
            rows = np.flatnonzero(part.numbers >= 0)
            part, fates, inside, fetched = part.only(rows), fates[rows], inside[rows], fetched[rows]
        if self.demand:
            self.tallies[i].add(part, fates)
        account(
            self.ledgers[i], self.network, self.bin_width,
            self._rtts[i], part.numbers, part.times, part.origins,
            self.demand.wanted_of(part) if self.demand else part.sizes, fates, inside, fetched,
            self.edges[i].shelf.take("trips", len(part), "f8"),
        )  # fmt: skip

    def _check(self) -> None:
        """Every request has one fate, and what one tier asks arrives at the next."""
        shields = self.shields.tiers if self.shields else []
        fates = sum(int(ledger.fates.sum()) for ledger in self.ledgers)
        edges_asked = sum(edge.asked for edge in self.edges) - self.peers.filled
        asked = [edges_asked, sum(shield.asked for shield in shields)]
        arrived = [sum(shield.arrived for shield in shields), self.origin.arrived]
        right = asked == arrived if shields else asked[0] == self.origin.arrived
        if fates != self.scenario.requests or not right:
            raise NotConserved(f"{self.scenario.requests} requests: {fates=} {asked=} {arrived=}")
        self._check_littles_law()

    def _check_littles_law(self) -> None:
        """The requests found under way at instants are as many as latencies say, within ten times
        the deviation of such a count (and 5 %, for traces whose times are round)."""
        spacing = self.scenario.duration / CENSUS
        found = sum(int(ledger.census[0]) for ledger in self.ledgers)
        expected = sum(float(ledger.seconds[0]) for ledger in self.ledgers) / spacing
        if abs(found - expected) > 10 + 10 * expected**0.5 + 0.05 * expected:
            raise NotConserved(f"{found} requests found under way, {expected:.0f} by their latency")
