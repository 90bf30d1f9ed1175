"""Who reaches whom, and when routing knows: sites that are down, partitions between parts."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from insula_simulator.layout import intervals
from insula_simulator.scenario import Scenario, Site
from insula_simulator.schedule import sites_of

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
EVERYBODY = -1.0


def _ends(scenario: Scenario, end: str) -> set[str]:
    """A region is its users and its sites."""
    if not end.startswith("region:"):
        return {end}
    return {end, *sites_of(scenario, end.removeprefix("region:"))}


def cuts(scenario: Scenario, one: str, other: str) -> Floats:
    """When partitions lie between two targets, as rows of from and to."""
    rows = []
    for each in scenario.failures:
        if each.kind == "partition":
            ends = _ends(scenario, each.target), _ends(scenario, each.other)
            if (one in ends[0] and other in ends[1]) or (other in ends[0] and one in ends[1]):
                rows.append((each.start, each.start + each.duration))
    return np.array(rows, float).reshape(-1, 2)


def below(scenario: Scenario, part: str) -> list[str]:
    """Targets of those who ask an edge or a shield."""
    if part == "edge":
        return [f"region:{region.name}" for region in scenario.regions]
    return [f"edge:{edge.name}" for edge in scenario.edges]


def unanswered(scenario: Scenario, part: str, site: Site) -> Floats:
    """When a site answers nobody, or not one of those below: rows of from, to, whom."""
    target = f"{part}:{site.name}"
    rows = [(*row[:2], EVERYBODY) for row in intervals(scenario.failures, target, "down").tolist()]
    if any(each.kind == "partition" for each in scenario.failures):
        rows += [
            (*row, float(i))
            for i, asking in enumerate(below(scenario, part))
            for row in cuts(scenario, asking, target).tolist()
        ]
    return np.array(rows, float).reshape(-1, 3)


def outages(scenario: Scenario, part: str, site: Site) -> Floats:
    """When the origin does not answer a site that asks it: rows of from, to (and a factor)."""
    down = intervals(scenario.failures, "origin", "down")
    cut = cuts(scenario, f"{part}:{site.name}", "origin")
    return np.concatenate([down, np.column_stack([cut, np.ones(len(cut))])])


def known_by_time(scenario: Scenario, sites: Sequence[Site], part: str) -> tuple[Floats, Flags]:
    """The times at which routing changes, and before, between and after them which of those below
    (rows) it sends to which site (columns): nobody to whom nobody would be left gets none."""
    late, count = scenario.routing.failover, len(below(scenario, part))
    delay = np.array([late, 0.0, 0.0])
    known = [unanswered(scenario, part, site) + delay for site in sites]
    known = [rows[rows[:, 0] < rows[:, 1]] for rows in known]
    changes = np.unique(np.concatenate([rows[:, :2].ravel() for rows in known]))
    reached = np.ones((len(changes) + 1, count, len(sites)), bool)
    for look, at in enumerate(changes):
        for i, rows in enumerate(known):
            for start, end, whom in rows:
                if start <= at < end:
                    asking = slice(None) if whom == EVERYBODY else int(whom)
                    reached[look + 1, asking, i] = False
    return changes, reached | ~reached.any(axis=2, keepdims=True)


def alive(reached: Flags) -> list[list[int]]:
    """For each time the sites that somebody reaches: what hashing and weights go by."""
    return [np.flatnonzero(each.any(axis=0)).tolist() for each in reached]


def nearest(distances: Floats, reached: Flags) -> Ints:
    """For each time and each row of distances the nearest site reached."""
    chosen: Ints = np.where(reached, distances, np.inf).argmin(axis=2)
    return chosen
