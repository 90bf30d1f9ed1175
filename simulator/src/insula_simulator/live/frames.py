"""What browsers are told: the scene once, and a frame for every step."""

import math
from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

from insula_simulator.live.stepping import Stepping
from insula_simulator.network.account import DELIVERED, added, quantile
from insula_simulator.network.freshness import COLLAPSED, ERROR, HIT, STALE, STALE_ERROR
from insula_simulator.policies import POLICIES
from insula_simulator.report.world import LAND
from insula_simulator.scenario import Origin, Region, Scenario, Site
from insula_simulator.tier import Tier
from insula_simulator.upstream import Origin as OriginTier
from insula_simulator.watching import servers_of

Ints = npt.NDArray[np.int64]

HITS = [HIT, STALE, STALE_ERROR, COLLAPSED]


def scene(scenario: Scenario) -> dict[str, Any]:
    """What does not change while the page is open."""
    return {
        "kind": "scene",
        "name": scenario.name,
        "text": scenario.text,
        "land": LAND,
        "regions": [{**_place(each), "weight": each.weight} for each in scenario.regions],
        "edges": [_place(each) for each in scenario.edges],
        "shields": [_place(each) for each in scenario.shields],
        "origin": {"name": "origin", **_at(scenario.origin)},
        "policies": [name for name in POLICIES if name != "belady"],
    }


def _place(place: Site | Region) -> dict[str, Any]:
    return {"name": place.name, **_at(place)}


def _at(place: Site | Region | Origin) -> dict[str, float]:
    return {"north": place.latitude, "east": place.longitude}


RECENT = 10
"""Steps that the figures of the whole are of: one would be too few requests for a p99."""


class Counts:
    """The counts of tiers go up for ever; a frame has what a step added. ``recent`` has fates,
    latencies and requests at the origin of the last steps."""

    def __init__(self) -> None:
        self.before: dict[str, tuple[int, int, int]] = {}
        self.recent: deque[tuple[Ints, Ints, int]] = deque(maxlen=RECENT)

    def since(self, name: str, arrived: int, asked: int, failed: int) -> list[int]:
        before = self.before.get(name, (0, 0, 0))
        self.before[name] = arrived, asked, failed
        return [now - then for now, then in zip((arrived, asked, failed), before, strict=True)]


def frame(stepping: Stepping, counts: Counts, seconds: float) -> dict[str, Any]:
    """Of the step that was just played, which had so many simulated seconds. Rates are a second."""
    simulation, now = stepping.simulation, stepping.now
    total = added(simulation.ledgers)
    origin, shields = simulation.origin, simulation.shields
    reached = counts.since("origin", origin.arrived, 0, origin.failed)[0]
    counts.recent.append((total.fates.sum(axis=0), total.latency.sum(axis=0), reached))
    fates = np.sum([step[0] for step in counts.recent], axis=0)
    latency = np.sum([step[1] for step in counts.recent], axis=0)
    requests, passed = int(fates.sum()), sum(step[2] for step in counts.recent)
    return {
        "kind": "frame",
        "now": now,
        "seconds": seconds,
        "rate": int(total.fates.sum()) / seconds,
        "hits": _share(fates[HITS].sum(), requests),
        "offload": _share(requests - passed, requests),
        "errors": _share(fates[ERROR], requests),
        "p50": _finite(quantile(latency, 0.5)),
        "p99": _finite(quantile(latency, 0.99)),
        "bytes": float(total.bytes[:, DELIVERED].sum()) / seconds,
        "flows": _flows(stepping, seconds),
        "edges": [_edge(stepping, counts, i, seconds) for i in range(len(simulation.edges))],
        "shields": [
            _site(tier, site.name, counts, now, seconds)
            for tier, site in zip(
                shields.tiers if shields else [], stepping.scenario.shields, strict=True
            )
        ],
        "up": _upwards(stepping),
        "origin": {"rate": reached / seconds, **_servers(origin, now)},
        "failing": stepping.failing(),
    }


def _flows(stepping: Stepping, seconds: float) -> list[list[float]]:
    """For each pair of region and edge that has any: both, and requests a second."""
    table = np.array([ledger.by_region.sum(axis=1) for ledger in stepping.simulation.ledgers])
    return [
        [int(region), int(edge), float(table[edge, region]) / seconds]
        for edge, region in np.argwhere(table)
    ]


def _edge(stepping: Stepping, counts: Counts, i: int, seconds: float) -> dict[str, Any]:
    simulation = stepping.simulation
    fates = simulation.ledgers[i].fates.sum(axis=0)
    of = int(fates.sum())
    site = _site(simulation.edges[i], f"edge {i}", counts, stepping.now, seconds)
    return site | {"hits": _share(fates[HITS].sum(), of), "errors": _share(fates[ERROR], of)}


def _site(
    tier: Tier | OriginTier, name: str, counts: Counts, now: float, seconds: float
) -> dict[str, Any]:
    asked = tier.asked if isinstance(tier, Tier) else 0
    arrived, asks, failed = counts.since(name, tier.arrived, asked, tier.failed)
    return {
        "rate": arrived / seconds,
        "asks": asks / seconds,
        "hits": _share(arrived - asks - failed, arrived),
        "errors": _share(failed, arrived),
        **_servers(tier, now),
    }


def _servers(site: Tier | OriginTier, now: float) -> dict[str, float]:
    there, busy, wait = servers_of(site, now)
    return {"servers": there, "busy": busy, "wait": wait}


def _upwards(stepping: Stepping) -> list[int]:
    """For each edge the shield that it asks at present."""
    shields = stepping.simulation.shields
    if not shields:
        return []
    epoch = int(np.searchsorted(shields.changes, stepping.now, side="right"))
    chosen: list[int] = shields.tables[epoch].tolist()
    return chosen


def _share(part: int, whole: int) -> float | None:
    return min(1.0, max(0.0, int(part) / whole)) if whole else None


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else value
