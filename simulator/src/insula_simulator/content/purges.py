"""Purges as a site hears of them: for each request the last one before it that is of its object.

As Varnish's bans and Fastly's surrogate keys do, a purge removes nothing at once: what is stored
is older than the purge, and found so when it is asked for. Until then it keeps its room.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from insula_simulator.content.catalogue import Catalogue, key_of
from insula_simulator.network.freshness import HARD, SOFT
from insula_simulator.scenario import Purge, Scenario
from insula_simulator.scenario.checks import url_parts

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NEVER = -1.0
KINDS = {"hard": HARD, "soft": SOFT}


@dataclass(frozen=True)
class ByTag:
    """``times`` in order, without the way to the site."""

    tag: str
    kind: int
    times: Floats


@dataclass(frozen=True)
class ByObject:
    """Purges of single objects. ``order`` has object and time as one number, the object's place in
    ``names`` times ``span`` and the time, so that one search finds both."""

    kind: int
    names: Ints
    order: Floats
    span: float

    def last(self, names: Ints, times: Floats) -> Floats:
        """The last purge of each object at or before its time."""
        place = np.searchsorted(self.names, names)
        place[place == len(self.names)] = 0
        start = place * self.span
        latest = start + np.minimum(times, np.nextafter(self.span, 0))
        before = self.order[np.searchsorted(self.order, latest, "right") - 1] - start
        known = (self.names[place] == names) & (times >= 0) & (before >= 0)
        return np.where(known & (before <= times), before, NEVER)


@dataclass(frozen=True)
class Purges:
    """All purges of a scenario."""

    catalogue: Catalogue
    by_tag: list[ByTag]
    by_object: list[ByObject]

    def heard(self, keys: Ints, times: Floats, way: float) -> Floats:
        """For each request when the last hard and the last soft purge of its object reached a site
        ``way`` seconds off; NEVER where none has."""
        heard = np.full((len(keys), 2), NEVER)
        known = times - way
        for each in self.by_tag:
            before = np.searchsorted(each.times, known, "right")
            rows = np.flatnonzero(before > 0)
            rows = rows[self.catalogue.carries(each.tag, keys[rows])]
            last = each.times[before[rows] - 1] + way
            heard[rows, each.kind] = np.maximum(heard[rows, each.kind], last)
        for those in self.by_object:
            last = those.last(self.catalogue.whole(keys), known)
            last = np.where(last >= 0, last + way, NEVER)
            heard[:, those.kind] = np.maximum(heard[:, those.kind], last)
        return heard


def purges(scenario: Scenario, catalogue: Catalogue) -> Purges | None:
    """None where there are none."""
    if not scenario.purges:
        return None
    by_tag: dict[tuple[str, int], list[float]] = {}
    by_object: dict[int, list[tuple[Ints, Floats]]] = {}
    for purge in scenario.purges:
        kind, times = KINDS[purge.kind], list(_times(purge, scenario.duration))
        if purge.tag is not None:
            by_tag.setdefault((purge.tag, kind), []).extend(times)
        else:
            by_object.setdefault(kind, []).extend(_of_objects(purge, catalogue, times))
    return Purges(
        catalogue,
        [ByTag(tag, kind, np.sort(times)) for (tag, kind), times in by_tag.items()],
        [_ordered(kind, rows) for kind, rows in by_object.items() if rows],
    )


def _times(purge: Purge, duration: float) -> Iterator[float]:
    at = purge.at
    while at < duration:
        yield at + purge.delay
        if purge.every <= 0:
            return
        at += purge.every


def _of_objects(
    purge: Purge, catalogue: Catalogue, times: list[float]
) -> Iterator[tuple[Ints, Floats]]:
    name, first, last = url_parts(purge.url or "")
    things = key_of(catalogue.names[name], np.arange(first, last + 1))
    offsets: Floats = np.arange(len(things)) * np.float64(purge.over / len(things))
    for time in times:
        yield things, time + offsets


def _ordered(kind: int, rows: list[tuple[Ints, Floats]]) -> ByObject:
    things = np.concatenate([each for each, _ in rows])
    times = np.concatenate([each for _, each in rows])
    names, places = np.unique(things, return_inverse=True)
    span = float(times.max()) + 1.0
    return ByObject(kind, names, np.sort(places * span + times), span)
