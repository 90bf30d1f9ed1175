"""What is looked at while a run goes on, for the report: servers, queues, load of the origin."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from insula_simulator.network import farm
from insula_simulator.network.servers import ACTIVE, HELD
from insula_simulator.tier import Tier
from insula_simulator.upstream import Origin

Floats = npt.NDArray[np.float64]


class Servers(NamedTuple):
    """Of a site at a moment: those that are there, those at work, and how many seconds a request
    that comes now would wait at least."""

    there: int
    busy: int
    wait: float


def servers_of(site: Tier | Origin, now: float) -> Servers:
    if site.balanced:
        running = site.balanced.farm.counts[site.balanced.farm.counts[:, farm.ON] == 1]
        return Servers(len(running), int((running[:, farm.ACTIVE] > 0).sum()), 0.0)
    active, held = int(site.pool.counts[ACTIVE]), int(site.pool.counts[HELD])
    free_at = site.pool.free_at[:held]
    full = held >= active > 0
    wait = max(0.0, float(free_at.min()) - now) if full else 0.0
    return Servers(active, int((free_at > now).sum()), wait)


@dataclass
class Watch:
    """A look after every chunk: when, and in the order of edges, shields, origin what their servers
    did and how many requests have reached the origin."""

    seconds: list[float] = field(default_factory=list)
    servers: list[list[Servers]] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    at_origin: list[int] = field(default_factory=list)

    def look(self, now: float, done: int, sites: list[Tier | Origin], origin: Origin) -> None:
        self.seconds.append(now)
        self.servers.append([servers_of(site, now) for site in sites])
        self.requests.append(done)
        self.at_origin.append(origin.arrived)

    def offload(self) -> Floats:
        """The share of requests of each chunk that did not reach the origin."""
        asked = np.diff(np.array([0, *self.at_origin], float))
        made = np.maximum(np.diff(np.array([0, *self.requests], float)), 1)
        return np.clip(1 - asked / made, 0, 1)
