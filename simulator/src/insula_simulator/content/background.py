"""What edges fetch of themselves, put among the requests of their users."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from insula_simulator.batch import Batch
from insula_simulator.content.catalogue import Catalogue, key_of
from insula_simulator.content.demand import Demand
from insula_simulator.network.bringing import PUSH_NUMBERS, follow, note_use
from insula_simulator.network.traffic import Plan
from insula_simulator.scenario import Push, Scenario
from insula_simulator.scenario.checks import url_parts

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Fates = npt.NDArray[np.uint8]


@dataclass
class Pushes:
    """Objects on their way to edges, in order of time; the first ``gone`` are there."""

    times: Floats
    keys: Ints
    sizes: Ints
    edges: Ints
    gone: int = 0

    def until(self, time: float) -> slice:
        """Those up to this time that were not taken yet."""
        end = int(np.searchsorted(self.times, time, "right"))
        taken, self.gone = slice(self.gone, max(end, self.gone)), max(end, self.gone)
        return taken


class Background:
    """Prefetching and pushing of a scenario."""

    def __init__(
        self, scenario: Scenario, catalogue: Catalogue, plan: Plan, demand: Demand | None
    ) -> None:
        self.demand = demand
        ahead = [each.prefetch for each in scenario.traffic.classes]
        self.ahead = np.array(ahead, np.int64) if any(ahead) else None
        self.pushes = _pushes(scenario, catalogue, plan, demand)
        self.own = 0

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self.ahead is not None or len(self.pushes.times) > 0

    def joined(self, batch: Batch, chosen: Ints) -> tuple[Batch, Ints]:
        """The requests, and where each goes, with those of the edges themselves, in order of time:
        an edge asks for what follows right after it was asked for what goes before."""
        sources, after, sizes = self._following(batch)
        taken = self.pushes.until(float(batch.times[-1]))
        pushed = self.pushes.times[taken]
        own = -1 - np.arange(self.own, self.own + len(after) + len(pushed))
        self.own += len(own)
        own[len(after) :] += PUSH_NUMBERS
        places = np.concatenate([sources, np.searchsorted(batch.times, pushed) - 1])
        order = np.argsort(np.concatenate([np.arange(len(batch)), places]), kind="stable")
        every = Batch(
            np.concatenate([batch.numbers, own]),
            np.concatenate([batch.keys, after, self.pushes.keys[taken]]),
            np.concatenate([batch.sizes, sizes, self.pushes.sizes[taken]]),
            np.concatenate([batch.times, batch.times[sources], pushed]),
            np.concatenate(
                [batch.origins, batch.origins[sources], np.zeros_like(pushed, np.int64)]
            ),
        )
        edges = np.concatenate([chosen, chosen[sources], self.pushes.edges[taken]])
        return every.only(order), edges[order]

    def _following(self, batch: Batch) -> tuple[Ints, Ints, Ints]:
        most = len(batch) * int(self.ahead.max()) if self.ahead is not None else 0
        sources, after, sizes = (np.empty(most, np.int64) for _ in range(3))
        if self.ahead is None or self.demand is None:
            return sources, after, sizes
        count = follow(self.demand.mix, self.ahead, batch.keys, sources, after, sizes)
        return sources[:count], after[:count], sizes[:count]


@dataclass
class Brought:
    """What an edge fetched of itself (rows: prefetched, pushed), and whether anybody asked for it
    then. Columns as in ``network.bringing``."""

    counts: Ints = field(default_factory=lambda: np.zeros((2, 4), np.int64))
    waiting: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    def note(self, batch: Batch, slots: Ints, fates: Fates, rows: int) -> None:
        """``rows`` is how many slots the cache has."""
        if rows > len(self.waiting):
            more = np.zeros(2 * rows - len(self.waiting), np.int64)
            self.waiting = np.concatenate([self.waiting, more])
        note_use(batch.numbers, batch.sizes, slots, fates, self.waiting, self.counts)


def _pushes(scenario: Scenario, catalogue: Catalogue, plan: Plan, demand: Demand | None) -> Pushes:
    names = [site.name for site in scenario.edges]
    none = np.zeros(0, np.int64)
    parts: list[tuple[Floats, Ints, Ints, Ints]] = [(np.zeros(0), none, none, none)]
    for push in scenario.pushes:
        keys, sizes = _pieces(push, catalogue, plan, demand)
        times: Floats = push.at + np.arange(len(keys)) * np.float64(push.over / max(1, len(keys)))
        for edge in push.edges or names:
            parts.append((times, keys, sizes, np.full(len(keys), names.index(edge))))
    times, keys, sizes, edges = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = np.argsort(times, kind="stable")
    return Pushes(times[order], keys[order], sizes[order], edges[order])


def _pieces(
    push: Push, catalogue: Catalogue, plan: Plan, demand: Demand | None
) -> tuple[Ints, Ints]:
    """Keys and sizes of what is pushed: the most popular object first, each from its beginning."""
    name, first, last = url_parts(push.url)
    kind, numbers = catalogue.names[name], np.arange(first, last + 1)
    keys = key_of(kind, numbers)
    if demand is None:
        return keys, plan.sizes[numbers]
    mix = demand.mix
    sizes, chunk = mix.sizes[mix.first[kind - 1] + numbers], int(mix.chunk[kind - 1])
    if chunk == 0:
        return _every_variant(keys, sizes, kind, demand)
    pieces = np.minimum(-(-sizes // chunk), push.chunks or np.iinfo(np.int64).max)
    each = np.repeat(np.arange(len(keys)), pieces)
    place = np.arange(len(each)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    return keys[each] + place, np.minimum(chunk, sizes[each] - place * chunk)


def _every_variant(keys: Ints, sizes: Ints, kind: int, demand: Demand) -> tuple[Ints, Ints]:
    """Keys and sizes of all that a push of objects brings."""
    for each in demand.variants:
        if each.kind == kind:
            which = np.tile(np.arange(len(each.factors)), len(keys))
            every = np.repeat(np.arange(len(keys)), len(each.factors))
            return keys[every] | which, each.sized(sizes[every], which)
    return keys, sizes
