"""Servers with a queue each: who is in which queue, and when they leave it.

First come, first served, one request at a time: a request's departure is known when it joins, so
that a queue is a list of departures, taken off when somebody looks (``settle``). What balancers
know of a server - connections, response times, failures - is what has left by then.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled
from insula_simulator.network.chance import FAULT, SERVICE, exponential, uniform
from insula_simulator.network.scaling import Scaler, new_scaler, next_decision
from insula_simulator.network.servers import PoolRules

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FREE_AT, EWMA, EWMA_AT, CURRENT, WEIGHT, SPEED, READY_AT, WARM_FROM, BACK_AT, AREA, AREA_AT = range(
    11
)
BUSY, SOJOURN, STARTED, SECONDS = range(11, 15)
"""Of a server. ``AREA`` is its connections integrated over time, ``SOJOURN`` the seconds that those
who left were there, ``SECONDS`` how long it ran before ``STARTED``."""
(
    ACTIVE, HEAD, TAIL, REQUESTS, ERRORS, STREAK, EJECTED, MULTIPLIER, EJECTIONS, WINDOW_OK,
    WINDOW_ALL, ON, LONGEST, SERVED,
) = range(14)  # fmt: skip
ARRIVED, LEAVES = range(2)
TOKENS, NEXT_LOOK, NEXT_REVIEW, LATELY_BUSY, LAST = range(5)
FREE, CURSOR, CHOSEN, RUNNING, PEAK, DRAWS = range(6)
DOWN, ERRS, SLOW, DRAIN = range(4)
"""Kinds of faults of one server."""
REFUSED, TIMED_OUT = -1.0, -2.0
ALWAYS = -1e18


class Farm(NamedTuple):
    """Rows of ``servers`` and ``counts`` are servers; ``queue`` and ``links`` are nodes of lists
    that all servers share."""

    servers: Floats
    counts: Ints
    queue: Floats
    links: Ints
    gauges: Floats
    tallies: Ints
    scaler: Scaler


class Ejection(NamedTuple):
    """Envoy's outlier detection: ``consecutive`` failures (0: off), or a success rate that lies
    ``deviations`` (0: off) below the mean of the servers."""

    consecutive: int
    deviations: float
    interval: float
    time: float
    longest: float
    most: float
    requests: int
    servers: int


class FarmRules(NamedTuple):
    """``faults`` has rows of server, from, to, kind, value; ``points`` and ``owners`` are a ring of
    hashes, ``table`` is Maglev's."""

    pool: PoolRules
    policy: int
    bound: float
    slow_start: float
    ejection: Ejection
    faults: Floats
    points: Ints
    owners: Ints
    table: Ints


@compiled
def settle(farm: Farm, s: int, now: float) -> None:
    """Let go who left server ``s`` by ``now``."""
    servers, counts, queue = farm.servers, farm.counts, farm.queue
    while counts[s, ACTIVE] > 0:
        node = counts[s, HEAD]
        left = queue[node, LEAVES]
        if left > now:
            break
        _integrate(farm, s, left)
        counts[s, ACTIVE] -= 1
        counts[s, HEAD] = farm.links[node]
        farm.links[node] = farm.tallies[FREE]
        farm.tallies[FREE] = node
        took = left - queue[node, ARRIVED]
        servers[s, SOJOURN] += took
        observe(farm, s, left, took)
        counts[s, SERVED] += 1
        counts[s, STREAK] = 0
        counts[s, WINDOW_OK] += 1
        counts[s, WINDOW_ALL] += 1
    _integrate(farm, s, now)


@compiled
def _integrate(farm: Farm, s: int, until: float) -> None:
    passed = until - farm.servers[s, AREA_AT]
    if passed > 0:
        farm.servers[s, AREA] += passed * farm.counts[s, ACTIVE]
        farm.servers[s, AREA_AT] = until


@compiled
def observe(farm: Farm, s: int, now: float, took: float) -> None:
    """Peak EWMA as in Finagle: a rise counts at once, a fall fades in over ten seconds."""
    servers = farm.servers
    share = math.exp(-max(0.0, now - servers[s, EWMA_AT]) / 10.0)
    servers[s, EWMA_AT] = max(now, servers[s, EWMA_AT])
    known = servers[s, EWMA]
    servers[s, EWMA] = took if took > known else known * share + took * (1.0 - share)


@compiled
def fault(rules: FarmRules, s: int, kind: int, now: float) -> float:
    """The value of such a fault at present, 0 of none."""
    value = 0.0
    for i in range(rules.faults.shape[0]):
        row = rules.faults[i]
        if row[0] == s and row[3] == kind and row[1] <= now < row[2]:
            value = max(value, row[4])
    return value


@compiled
def fails(farm: Farm, rules: FarmRules, s: int, now: float) -> bool:
    """Does the server refuse, or err, at once?"""
    if rules.faults.shape[0] == 0:
        return False
    if fault(rules, s, DOWN, now) > 0:
        return True
    share = fault(rules, s, ERRS, now)
    if share == 0:
        return False
    farm.tallies[DRAWS] += 1
    return uniform(rules.pool.seed, FAULT, farm.tallies[DRAWS]) < share


@compiled
def join(farm: Farm, rules: FarmRules, s: int, now: float, index: int) -> float:
    """Seconds until answered, or ``TIMED_OUT``."""
    servers, counts, pool = farm.servers, farm.counts, rules.pool
    begin = max(now, servers[s, FREE_AT])
    if begin - now > pool.timeout:
        return TIMED_OUT
    service = pool.service / servers[s, SPEED]
    if pool.spread > 0:
        service *= 1.0 - pool.spread + pool.spread * exponential(pool.seed, SERVICE, index)
    for i in range(pool.slow.shape[0]):
        if pool.slow[i, 0] <= now < pool.slow[i, 1]:
            service *= pool.slow[i, 2]
    if rules.faults.shape[0] > 0:
        service *= max(1.0, fault(rules, s, SLOW, now))
    node = farm.tallies[FREE]
    farm.tallies[FREE] = farm.links[node]
    farm.queue[node, ARRIVED], farm.queue[node, LEAVES] = now, begin + service
    if counts[s, ACTIVE] > 0:
        farm.links[counts[s, TAIL]] = node
    else:
        counts[s, HEAD] = node
    counts[s, TAIL] = node
    counts[s, ACTIVE] += 1
    counts[s, LONGEST] = max(counts[s, LONGEST], counts[s, ACTIVE])
    servers[s, FREE_AT] = begin + service
    servers[s, BUSY] += service
    farm.gauges[LATELY_BUSY] += service
    took: float = begin + service - now
    return took


def new_farm(rules: FarmRules, weights: Floats, speeds: Floats) -> Farm:
    """``weights`` and ``speeds`` of as many servers as there may be."""
    count = len(weights)
    servers, counts = np.zeros((count, 15)), np.zeros((count, 14), np.int64)
    servers[:, WEIGHT], servers[:, SPEED], servers[:, WARM_FROM] = weights, speeds, ALWAYS
    counts[: rules.pool.least, ON] = 1
    gauges, tallies, pool = np.zeros(5), np.zeros(6, np.int64), rules.pool
    scaler = new_scaler(pool.scaling, pool.least, pool.most, pool.interval)
    gauges[NEXT_LOOK], gauges[NEXT_REVIEW] = next_decision(scaler), rules.ejection.interval
    tallies[[RUNNING, PEAK]] = rules.pool.least
    tallies[FREE] = -1
    return Farm(servers, counts, np.zeros((0, 2)), np.zeros(0, np.int64), gauges, tallies, scaler)


def with_room(farm: Farm, more: int) -> Farm:
    """The same with nodes for ``more`` requests besides those in queues."""
    known = len(farm.links)
    missing = more - (known - int(farm.counts[:, ACTIVE].sum()))
    if missing <= 0:
        return farm
    fresh = np.arange(known + 1, known + missing + 1)
    fresh[-1] = farm.tallies[FREE]
    farm.tallies[FREE] = known
    queue = np.concatenate([farm.queue, np.zeros((missing, 2))])
    return farm._replace(queue=queue, links=np.concatenate([farm.links, fresh]))
