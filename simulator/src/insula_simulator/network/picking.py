"""How a balancer chooses one of the servers.

Smooth weighted round robin is NGINX's; least connections HAProxy's, (connections + 1) / weight;
two choices Mitzenmacher's (2001); peak EWMA Finagle's and Linkerd's; bounded loads on a ring are
Mirrokni, Thorup and Zadimoghaddam's (SODA 2018); rendezvous with weights Schindelhauer and
Schomaker's (2005).
"""

import math

import numpy as np

from insula_simulator.engine.compiled import compiled
from insula_simulator.network.chance import BALANCE, ROUTE, mixed, uniform
from insula_simulator.network.farm import (
    ACTIVE,
    CURRENT,
    CURSOR,
    DRAIN,
    DRAWS,
    EJECTED,
    EWMA,
    ON,
    READY_AT,
    WARM_FROM,
    WEIGHT,
    Farm,
    FarmRules,
    fault,
    observe,
    settle,
)

POLICIES = (
    "random", "round_robin", "weighted_round_robin", "least_connections", "p2c", "ewma",
    "consistent_hash", "bounded_load", "maglev", "rendezvous",
)  # fmt: skip
RANDOM, ROUND_ROBIN, WEIGHTED, LEAST, TWO, PEAK_EWMA, RING, BOUNDED, MAGLEV, HIGHEST = range(10)
COLDEST = 0.1
"""The share of its weight a server has at the least while it starts slowly (Envoy's default)."""
UNKNOWN = 1.0
"""Seconds times connections, added to what is under way at a server that never answered."""
DRAWS_AT_MOST = 64


@compiled
def _takes(farm: Farm, rules: FarmRules, s: int, now: float, avoid: int, panic: bool) -> bool:
    if s == avoid or farm.counts[s, ON] == 0 or farm.servers[s, READY_AT] > now:
        return False
    if panic:
        return True
    if farm.counts[s, EJECTED] != 0:
        return False
    return rules.faults.shape[0] == 0 or fault(rules, s, DRAIN, now) == 0


@compiled
def _weight(farm: Farm, rules: FarmRules, s: int, now: float) -> float:
    """Full after ``slow_start`` seconds in rotation."""
    weight: float = farm.servers[s, WEIGHT]
    if rules.policy in (ROUND_ROBIN, RANDOM):
        weight = 1.0
    if rules.slow_start > 0:
        since = farm.servers[s, WARM_FROM]
        for i in range(rules.faults.shape[0]):
            row = rules.faults[i]
            if row[0] == s and row[3] == DRAIN and row[2] <= now:
                since = max(since, row[2])
        weight *= min(1.0, max(COLDEST, (now - since) / rules.slow_start))
    return weight


@compiled
def _drawn(farm: Farm, rules: FarmRules, now: float, avoid: int, panic: bool) -> int:
    """One of those that take requests, all with the same chance; -1 of none."""
    count: int = farm.counts.shape[0]
    s = 0
    for _ in range(DRAWS_AT_MOST):
        farm.tallies[DRAWS] += 1
        s = int(uniform(rules.pool.seed, BALANCE, farm.tallies[DRAWS]) * count)
        if _takes(farm, rules, s, now, avoid, panic):
            return s
    return _next(farm, rules, s, now, avoid, panic)


@compiled
def _next(farm: Farm, rules: FarmRules, start: int, now: float, avoid: int, panic: bool) -> int:
    count: int = farm.counts.shape[0]
    for i in range(count):
        s = (start + i) % count
        if _takes(farm, rules, s, now, avoid, panic):
            return s
    return -1


@compiled
def _smooth(farm: Farm, rules: FarmRules, now: float, avoid: int, panic: bool) -> int:
    servers, best, total = farm.servers, -1, 0.0
    for s in range(servers.shape[0]):
        if _takes(farm, rules, s, now, avoid, panic):
            weight = _weight(farm, rules, s, now)
            servers[s, CURRENT] += weight
            total += weight
            if best < 0 or servers[s, CURRENT] > servers[best, CURRENT]:
                best = s
    if best >= 0:
        servers[best, CURRENT] -= total
    return best


@compiled
def _load(farm: Farm, rules: FarmRules, s: int, now: float) -> float:
    settle(farm, s, now)
    active: int = farm.counts[s, ACTIVE]
    load = active + 1.0
    if rules.policy == PEAK_EWMA:
        observe(farm, s, now, 0.0)
        known: float = farm.servers[s, EWMA]
        load = UNKNOWN + active if known == 0 and active > 0 else known * load
    return load / _weight(farm, rules, s, now)


@compiled
def _least(farm: Farm, rules: FarmRules, now: float, avoid: int, panic: bool) -> int:
    """Of equals the one after the last chosen."""
    best, lowest, count = -1, math.inf, farm.counts.shape[0]
    cursor: int = farm.tallies[CURSOR]
    for i in range(count):
        s = (cursor + i) % count
        if _takes(farm, rules, s, now, avoid, panic):
            load = _load(farm, rules, s, now)
            if load < lowest:
                best, lowest = s, load
    farm.tallies[CURSOR] = best + 1
    return best


@compiled
def _of_two(farm: Farm, rules: FarmRules, now: float, avoid: int, panic: bool) -> int:
    one = other = -1
    for _ in range(DRAWS_AT_MOST):
        other = _drawn(farm, rules, now, avoid, panic)
        if one < 0:
            one = other
        elif other != one or farm.counts.shape[0] == 1:
            break
    if one == other:
        return one
    first, second = _load(farm, rules, one, now), _load(farm, rules, other, now)
    return one if first <= second else other


@compiled
def _on_ring(farm: Farm, rules: FarmRules, now: float, key: int, avoid: int, panic: bool) -> int:
    """The first server clockwise that takes requests and has room."""
    points, owners, counts = rules.points, rules.owners, farm.counts
    total, weights, bounded = 1, 0.0, rules.policy == BOUNDED
    if bounded:
        for s in range(counts.shape[0]):
            settle(farm, s, now)
            if _takes(farm, rules, s, now, avoid, panic):
                total += counts[s, ACTIVE]
                weights += _weight(farm, rules, s, now)
    place = np.int64(mixed(key, ROUTE, 0) >> np.uint64(2))
    start = np.searchsorted(points, place)
    for i in range(points.size):
        s = int(owners[(start + i) % points.size])
        if not _takes(farm, rules, s, now, avoid, panic):
            continue
        if not bounded:
            return s
        room = math.ceil(rules.bound * total * _weight(farm, rules, s, now) / weights)
        if counts[s, ACTIVE] < room:
            return s
    return -1


@compiled
def _in_table(farm: Farm, rules: FarmRules, now: float, key: int, avoid: int, panic: bool) -> int:
    """A server out of rotation passes its keys on by another hash."""
    for attempt in range(DRAWS_AT_MOST):
        place = np.int64(mixed(key, ROUTE, attempt) % np.uint64(rules.table.size))
        s = int(rules.table[place])
        if _takes(farm, rules, s, now, avoid, panic):
            return s
    return _next(farm, rules, 0, now, avoid, panic)


@compiled
def _highest(farm: Farm, rules: FarmRules, now: float, key: int, avoid: int, panic: bool) -> int:
    best, highest = -1, -math.inf
    for s in range(farm.counts.shape[0]):
        if _takes(farm, rules, s, now, avoid, panic):
            score = farm.servers[s, WEIGHT] / -math.log(1.0 - uniform(key, ROUTE, s))
            if score > highest:
                best, highest = s, score
    return best


@compiled
def _by_policy(farm: Farm, rules: FarmRules, now: float, key: int, avoid: int, panic: bool) -> int:
    policy, s = rules.policy, -1
    if policy == RANDOM:
        s = _drawn(farm, rules, now, avoid, panic)
    elif policy in (ROUND_ROBIN, WEIGHTED):
        s = _smooth(farm, rules, now, avoid, panic)
    elif policy == LEAST:
        s = _least(farm, rules, now, avoid, panic)
    elif policy in (TWO, PEAK_EWMA):
        s = _of_two(farm, rules, now, avoid, panic)
    elif policy in (RING, BOUNDED):
        s = _on_ring(farm, rules, now, key, avoid, panic)
    elif policy == MAGLEV:
        s = _in_table(farm, rules, now, key, avoid, panic)
    else:
        s = _highest(farm, rules, now, key, avoid, panic)
    return s


@compiled
def pick(farm: Farm, rules: FarmRules, now: float, key: int, avoid: int) -> int:
    """A server other than ``avoid``; where none is in rotation, one that was ejected (what Envoy
    calls panic); -1 of none at all."""
    for panic in range(2):
        s = _by_policy(farm, rules, now, key, avoid, panic == 1)
        if s >= 0:
            return s
    return -1
