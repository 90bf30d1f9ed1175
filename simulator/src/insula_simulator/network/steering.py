"""Which edge, decided while requests come: by latency and load, or by id with a bound."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from insula_simulator.engine.compiled import compiled
from insula_simulator.network.chance import ROUTE, exponential, mixed, uniform

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

SLICES = 64
"""A region's users are as many parts, each of which goes to one edge at a time."""
OVERLOADED = 10.0
"""Seconds that a full site is taken to cost, times how full it is."""


PROBE = 40
"""A stream of chance."""


class Probing(NamedTuple):
    """Noise of a probe, its ``weight`` in the average; 0: nothing is probed, all is known. Each
    slice may move at one look of ``turns``."""

    noise: float
    weight: float
    turns: int


class Steered(NamedTuple):
    """What latency steering remembers: of each slice its ``edge``, how many requests came since the
    last look and the ``rate`` a second; ``clock`` has the time of the next look. ``averages`` are
    seconds from regions to edges as probed, ``late`` those of the looks before, newest last: what
    is known is the first."""

    edge: Ints
    came: Floats
    rate: Floats
    clock: Floats
    looks: Ints
    averages: Floats
    late: Floats


@compiled
def waiting(load: float, servers: float, service: float) -> float:
    """Mean seconds in the queue of an M/M/c site (Sakasegawa's approximation, 1977)."""
    busy = load * service / servers
    if busy >= 0.99:
        return OVERLOADED * busy
    return float(service * busy ** (math.sqrt(2 * (servers + 1)) - 1) / (servers * (1 - busy)))


@compiled
def _probe(
    state: Steered, probing: Probing, seed: int, ways: Floats, servers: Floats, service: Floats,
    loads: Floats,
) -> None:  # fmt: skip
    """One probe from each region to each edge; the oldest of what is on its way is known then."""
    edges, late = loads.size, state.late
    for r in range(ways.shape[0]):
        for e in range(edges):
            index = (state.looks[0] * ways.shape[0] + r) * edges + e
            # A normal variable (Box and Muller 1958).
            angle = 2.0 * math.pi * uniform(seed, PROBE, 2 * index + 1)
            chance = math.sqrt(2.0 * exponential(seed, PROBE, 2 * index)) * math.cos(angle)
            took = ways[r, e] * math.exp(probing.noise * chance)
            took += waiting(loads[e], servers[e], service[e])
            known = state.averages[r, e]
            weight = probing.weight if state.looks[0] > 0 else 1.0
            state.averages[r, e] = known + weight * (took - known)
            for step in range(late.shape[0] - 1):
                late[step, r, e] = late[step + 1, r, e] if state.looks[0] > 0 else took
            late[late.shape[0] - 1, r, e] = state.averages[r, e]


@compiled
def _look(
    state: Steered, probing: Probing, seed: int, interval: float, hysteresis: float,
    reached: Flags, ways: Floats, servers: Floats, service: Floats, loads: Floats,
) -> None:  # fmt: skip
    """Each slice moves to the edge with the least round trip and waiting, as they are with those
    that moved before, or as they were measured, if that spares it more than ``hysteresis`` of what
    it has."""
    loads[:] = 0.0
    for s in range(state.edge.size):
        state.rate[s] = 0.5 * state.rate[s] + 0.5 * state.came[s] / interval
        state.came[s] = 0.0
        loads[state.edge[s]] += state.rate[s]
    measured = probing.weight > 0
    if measured:
        _probe(state, probing, seed, ways, servers, service, loads)
        state.looks[0] += 1
    for s in range(state.edge.size):
        region, mine = s // SLICES, state.edge[s]
        if measured and reached[region, mine] and (state.looks[0] + s) % probing.turns != 0:
            continue
        rate = state.rate[s]
        loads[mine] -= rate
        best, least, now = mine, math.inf, math.inf
        for e in range(loads.size):
            if reached[region, e]:
                if measured:
                    cost = state.late[0, region, e]
                else:
                    cost = ways[region, e] + waiting(loads[e] + rate, servers[e], service[e])
                if e == mine:
                    now = cost
                if cost < least:
                    best, least = e, cost
        if least < (1.0 - hysteresis) * now:
            state.edge[s] = best
        loads[state.edge[s]] += rate


@compiled
def steer(
    state: Steered, probing: Probing, seed: int, first: int, interval: float, hysteresis: float,
    changes: Floats, reached: Flags, ways: Floats, servers: Floats, service: Floats, loads: Floats,
    regions: Ints, times: Floats, chosen: Ints,
) -> None:  # fmt: skip
    """``ways`` are round trips of regions (rows) to edges, ``reached`` has them by time too."""
    epoch = 0
    for i in range(times.size):
        while times[i] >= state.clock[0]:
            while epoch < changes.size and state.clock[0] >= changes[epoch]:
                epoch += 1
            _look(
                state, probing, seed, interval, hysteresis, reached[epoch], ways, servers, service,
                loads,
            )  # fmt: skip
            state.clock[0] += interval
        s = regions[i] * SLICES + int(uniform(seed, ROUTE, first + i) * SLICES)
        state.came[s] += 1.0
        chosen[i] = state.edge[s]


@compiled
def steer_bounded(
    ring: Ints, bound: float, span: float, weights: Floats, changes: Floats, alive: Flags,
    loads: Floats, seen: Floats, keys: Ints, times: Floats, chosen: Ints,
) -> None:  # fmt: skip
    """The first edge clockwise on the ``ring`` that is alive and not above ``bound`` times its
    share of the load. ``loads`` are requests, which fade with the time constant ``span``; ``seen``
    has the time of the last."""
    epoch, places = 0, np.uint64(ring.size)
    for i in range(times.size):
        while epoch < changes.size and times[i] >= changes[epoch]:
            epoch += 1
        fade = math.exp(-max(0.0, times[i] - seen[0]) / span)
        seen[0] = max(seen[0], times[i])
        total, whole = 1.0, 0.0
        for e in range(loads.size):
            loads[e] *= fade
            if alive[epoch, e]:
                total += loads[e]
                whole += weights[e]
        place = np.int64(mixed(keys[i], ROUTE, 0) % places)
        for step in range(ring.size):
            e = ring[(place + step) % ring.size]
            if alive[epoch, e] and loads[e] < math.ceil(bound * total * weights[e] / whole):
                chosen[i] = e
                loads[e] += 1.0
                break
