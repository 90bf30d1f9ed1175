"""The servers of a site that have a queue each."""

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from insula_simulator import scenario
from insula_simulator.batch import Batch
from insula_simulator.network import farm as columns
from insula_simulator.network.balancing import balance
from insula_simulator.network.farm import Ejection, Farm, FarmRules, new_farm, settle, with_room
from insula_simulator.network.picking import BOUNDED, MAGLEV, POLICIES, RING
from insula_simulator.network.routing import maglev_table, ring_points
from insula_simulator.network.servers import PoolRules
from insula_simulator.scenario import Failure, Scenario, Servers

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

KINDS = ("down", "errors", "brownout", "drain")
"""In the order of the kernel's numbers."""
TABLES = (1009, 5003, 20_011, 100_003)
"""Primes: Maglev's table has at least a hundred places a server (section 5.3)."""
NEVER = 1e300


class Load(msgspec.Struct, frozen=True):
    """What one server did. ``server`` counts from 1, ``busy`` is a share of the run, ``errors`` are
    failures and timeouts among ``requests``. ``mean_connections`` is integrated over time; Little's
    law says what it must be: those ``served``, a second, times ``mean_seconds``."""

    server: int
    requests: int
    served: int
    errors: int
    busy: float
    mean_seconds: float
    mean_connections: float
    most_connections: int
    ejections: int


class BalancedServers:
    """Requests come in order of time, a chunk at a time."""

    def __init__(self, pool: PoolRules, servers: Servers, faults: Floats) -> None:
        self.rules = farm_rules(pool, servers, faults)
        most = max(servers.count, servers.most)
        self.farm: Farm = new_farm(
            self.rules, _by_server(servers.weights, most), _by_server(servers.speeds, most)
        )

    def serve(self, batch: Batch, first: int, answered: Floats) -> int:
        """Fill in the seconds each took, -1 for a failure. Answers the retries."""
        self.farm = with_room(self.farm, len(batch) + 1)
        return balance(self.farm, self.rules, batch.keys, batch.times, first, answered)

    @property
    def peak(self) -> int:
        return int(self.farm.tallies[columns.PEAK])

    @property
    def server_seconds(self) -> float:
        """Until the last request came."""
        servers, running = self.farm.servers, self.farm.counts[:, columns.ON] == 1
        since = self.farm.gauges[columns.LAST] - servers[running, columns.STARTED]
        return float(servers[:, columns.SECONDS].sum() + np.maximum(since, 0.0).sum())

    def loads(self, duration: float) -> list[Load]:
        """Of each server that had requests; lets all finish what they have."""
        for s in range(len(self.farm.counts)):
            settle(self.farm, s, NEVER)
        rows = enumerate(zip(self.farm.servers.tolist(), self.farm.counts.tolist(), strict=True))
        return [
            _load(i + 1, figures, counts, duration)
            for i, (figures, counts) in rows
            if counts[columns.REQUESTS] > 0
        ]


def _load(server: int, figures: list[float], counts: list[int], duration: float) -> Load:
    served = counts[columns.SERVED]
    return Load(
        server,
        counts[columns.REQUESTS],
        served,
        counts[columns.ERRORS],
        figures[columns.BUSY] / duration,
        figures[columns.SOJOURN] / max(1, served),
        figures[columns.AREA] / duration,
        counts[columns.LONGEST],
        counts[columns.EJECTIONS],
    )


def _by_server(given: list[float], most: int) -> Floats:
    return np.array(given + [1.0] * (most - len(given)))


def farm_rules(pool: PoolRules, servers: Servers, faults: Floats) -> FarmRules:
    policy = POLICIES.index(servers.balancing)
    names = [f"server {i}" for i in range(max(servers.count, servers.most))]
    points, owners = np.zeros(0, np.int64), np.zeros(0, np.int64)
    if policy in (RING, BOUNDED):
        hashes, owners = ring_points(names)
        points = (hashes >> np.uint64(2)).astype(np.int64)
    places = next(each for each in TABLES if each >= 100 * len(names) or each == TABLES[-1])
    table = maglev_table(names, places) if policy == MAGLEV else np.zeros(1, np.int64)
    return FarmRules(
        pool, policy, servers.bound, servers.slow_start, _ejection(servers.ejection), faults,
        points, owners, table,
    )  # fmt: skip


def _ejection(rules: scenario.Ejection | None) -> Ejection:
    if rules is None:
        return Ejection(0, 0.0, NEVER, 0.0, 0.0, 0.0, 0, 0)
    return Ejection(
        rules.consecutive, rules.deviations, rules.interval, rules.time, rules.longest, rules.most,
        rules.requests, rules.servers,
    )  # fmt: skip


def faults_of(failures: Sequence[Failure], target: str) -> Floats:
    """Rows of server, from, to, kind, value: what fails one by one at the site ``target``."""
    rows = []
    for each in failures:
        site, _, server = each.target.partition("/")
        if site == target and server:
            value = {"brownout": each.factor, "errors": each.share}.get(each.kind, 1.0)
            end = each.start + each.duration
            rows.append((int(server) - 1, each.start, end, KINDS.index(each.kind), value))
    return np.array(rows, float).reshape(-1, 5)


def balanced(
    about: Scenario, target: str, servers: Servers, pool: PoolRules
) -> BalancedServers | None:
    """None where the servers of ``target`` share a queue."""
    if servers.balancing == "shared_queue":
        return None
    return BalancedServers(pool, servers, faults_of(about.failures, target))
