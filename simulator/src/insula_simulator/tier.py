"""One site with a cache: what it makes of its requests, and what it has to ask upstream."""

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from insula_simulator.balanced import BalancedServers
from insula_simulator.batch import Batch, Sent
from insula_simulator.cache import Cache
from insula_simulator.content.background import Brought
from insula_simulator.content.looks import Look, Looks
from insula_simulator.content.storage import Storage
from insula_simulator.engine.memory import lengthened
from insula_simulator.engine.state import EXPIRES, READY, REFUSED
from insula_simulator.network import freshness
from insula_simulator.network.peeking import peek
from insula_simulator.network.servers import Pool, PoolRules, new_pool, serve
from insula_simulator.network.settling import (
    ANSWERED,
    BYTES,
    FAILED,
    LOST,
    TOOK,
    send_upstream,
    settle,
    settle_failures,
)
from insula_simulator.shelf import Shelf

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Fates = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]

ASKS_UPSTREAM = np.zeros(len(freshness.FATES), bool)
ASKS_UPSTREAM[[freshness.MISS, freshness.REVALIDATED, freshness.STALE, freshness.PASS]] = True
NO_PURGES = np.empty((0, 2))


@dataclass(slots=True)
class Answers:
    """What a site did with a batch. ``waits`` are seconds for a fetch under way, ``inside`` seconds
    in the site's own servers (negative: its queue was too long), ``sent`` what it asks upstream,
    and ``slots`` what the cache answered."""

    fates: Fates
    waits: Floats
    inside: Floats
    sent: Sent
    slots: Ints


@dataclass
class Tier:
    """A site. Its state grows with what the cache knows; ``down`` has rows of from, to
    and for whom: an ``origin`` of requests, -1 for all."""

    cache: Cache
    rules: freshness.Rules
    pool_rules: PoolRules
    fetch: float
    """Seconds that a fetch from upstream takes; follows what the last chunk saw."""
    down: Floats
    unchanged: float
    seed: int
    terms: Floats
    """Seconds of freshness and of staleness, where ``looks`` has no others."""
    looks: Looks | None = None
    storage: Storage | None = None
    balanced: BalancedServers | None = None
    """Servers with a queue each, instead of ``pool``."""
    brought: Brought | None = None
    """Where it fetches of itself too: what has numbers below 0."""
    pool: Pool = field(init=False)
    expires: Floats = field(init=False)
    ready: Floats = field(init=False)
    instants: Floats = field(default_factory=lambda: np.zeros((0, 2)))
    """``expires`` and ``ready`` of each slot side by side: they are needed together. Where nodes of
    the cache have room for them, they are there."""
    began: Floats = field(default_factory=lambda: np.zeros(0))
    shelf: Shelf = field(default_factory=Shelf)
    arrived: int = 0
    asked: int = 0
    failed: int = 0
    retries: int = 0
    bytes_fetched: int = 0

    def __post_init__(self) -> None:
        rules = self.pool_rules
        self.pool = new_pool(rules)
        self._grow()

    def answer(self, batch: Batch, room: Sent) -> Answers:
        """Requests of this site in order of time; while it is down they fail. ``room`` takes what
        it sends upstream."""
        count, dead = len(batch), self._dead(batch)
        if dead is None:
            fates, waits, inside, slots = self._answer(batch)
        else:
            fates, slots = np.full(count, freshness.ERROR, np.uint8), np.full(count, REFUSED)
            waits, inside = np.zeros(count), np.zeros(count)
            rows = ~dead
            fates[rows], waits[rows], inside[rows], slots[rows] = self._answer(batch.only(rows))
        sent = self._send(batch, inside, fates, room)
        self.arrived += count if self.brought is None else int((batch.numbers >= 0).sum())
        self.asked += len(sent)
        return Answers(fates, waits, inside, sent, slots)

    def _send(self, batch: Batch, inside: Floats, fates: Fates, room: Sent) -> Sent:
        asks = send_upstream(
            ASKS_UPSTREAM, self.seed, self.unchanged, batch.numbers, batch.keys, batch.sizes,
            batch.times, inside, fates, room.rows, room.numbers, room.keys, room.sizes, room.times,
            room.bodies,
        )  # fmt: skip
        return room.part(0, asks)

    def _dead(self, batch: Batch) -> Flags | None:
        """Which requests find the site down; None when that is nobody."""
        dead, times = None, batch.times
        for start, end, whom in self.down:
            if len(times) and times[0] < end and times[-1] >= start:
                now = (times >= start) & (times < end)
                now &= (batch.origins == whom) | (whom < 0)
                dead = now if dead is None else dead | now
        return dead

    def _answer(self, batch: Batch) -> tuple[Fates, Floats, Floats, Ints]:
        look = self.looks.at(batch) if self.looks else self._plain(batch)
        slots = self.cache.replay(
            batch.keys, look.sizes, slots=self.shelf.take("slots", len(batch))
        )
        self._grow()
        fates = self.shelf.take("fates", len(batch), np.uint8)
        waits, served = (self.shelf.take(name, len(batch), "f8") for name in ("waits", "served"))
        freshness.judge(
            self.rules, look.terms, look.purged, slots, batch.times, self.fetch,
            self.expires, self.ready, self.began, fates, waits,
        )  # fmt: skip
        if look.passed is not None:
            fates[look.passed & (fates == freshness.MISS)] = freshness.PASS
        self._serve(batch, served)
        if self.storage:
            asked = batch.numbers >= 0 if self.brought is not None else None
            waits += self.storage.read(batch, slots, fates, asked)
        return fates, waits, served, slots

    def _serve(self, batch: Batch, served: Floats) -> None:
        """What the site fetches of itself is no work for its servers."""
        if self.brought is not None:
            rows = np.flatnonzero(batch.numbers >= 0)
            batch, every = batch.only(rows), served
            served = np.empty(len(rows))
        if self.balanced:
            self.retries += self.balanced.serve(batch, self.arrived, served)
        else:
            self.retries += serve(self.pool, self.pool_rules, batch.times, self.arrived, served)
        if self.brought is not None:
            every[:], every[rows] = 0.0, served

    def _plain(self, batch: Batch) -> Look:
        return Look(batch.sizes, self.terms, NO_PURGES, None)

    def has(self, batch: Batch) -> Flags:
        """Which objects it has, fresh, at these times, as far as what it has now tells."""
        found, purged = np.zeros(len(batch), bool), NO_PURGES
        if self.looks and self.looks.purges:
            purged = self.looks.purges.heard(batch.keys, batch.times, self.looks.way)
        peek(
            self.cache.state, self.cache.policy.ghosts, self.expires, self.ready, self.began,
            purged, batch.keys, batch.times, found,
        )  # fmt: skip
        # Who asks is an edge, and not one of the regions that may be cut off.
        dead = self._dead(replace(batch, origins=np.full(len(batch), -1)))
        return found if dead is None else found & ~dead

    def settle(self, batch: Batch, answers: Answers, took: Floats) -> Ints:
        """Put what upstream took for each of the rows asked (-1: failed) into ``inside`` and the
        fates. The answer has the bytes that each request fetched. The next chunk's fetches take as
        long as these did on average."""
        fetched, sums = self.shelf.take("fetched", len(answers.fates)), np.empty(5)
        settle(
            float(self.terms[0, freshness.IF_ERROR]), answers.sent.rows, answers.sent.bodies, took,
            answers.fates, answers.waits, answers.inside, fetched, sums,
        )  # fmt: skip
        if sums[LOST]:
            self._settle_failures(batch, answers, took)
            sums[FAILED] = (answers.fates == freshness.ERROR).sum()
        if self.brought is not None:
            self.brought.note(batch, answers.slots, answers.fates, self.cache.known)
        if sums[ANSWERED]:
            self.fetch = float(sums[TOOK] / sums[ANSWERED])
        self.bytes_fetched += int(sums[BYTES])
        self.failed += int(sums[FAILED])
        return fetched

    def _settle_failures(self, batch: Batch, answers: Answers, took: Floats) -> None:
        settle_failures(
            self.rules, answers.slots, batch.times, answers.sent.rows, took, answers.fates,
            np.zeros(self.cache.known), self.expires, self.ready,
        )  # fmt: skip

    def _grow(self) -> None:
        nodes, used = self.cache.state.nodes, len(self.instants)
        if len(nodes) == used:
            return
        if self.cache.policy.small:
            self.instants = nodes.view(np.float64)[:, EXPIRES : READY + 1]
        else:
            self.instants = lengthened(self.instants, used, len(nodes))
        self.expires, self.ready = self.instants.T
        if self.rules.purging:
            self.began = lengthened(self.began, used, len(nodes))
