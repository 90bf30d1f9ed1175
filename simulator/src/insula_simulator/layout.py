"""A scenario turned into arrays: places into distances, failures into routing tables."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from insula_simulator.network.latency import Network, round_trips
from insula_simulator.network.scaling import Scaling
from insula_simulator.network.servers import PoolRules
from insula_simulator.network.traffic import Plan, alias_table, packed
from insula_simulator.scenario import Failure, Origin, Region, Scenario, Servers, Site, Sizes

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BINS = 120
"""Time bins of reports and of varying load."""
HANDSHAKES = {"tls13": 2.0, "tls12": 3.0, "quic": 1.0, "0rtt": 0.0}
RECOVERIES = ("round_trip", "tcp", "quic")
"""In the order of the kernel's numbers."""
DAY = 86_400.0


def places(sites: Sequence[Site | Region | Origin]) -> Floats:
    return np.array([(site.latitude, site.longitude) for site in sites], float).reshape(-1, 2)


def rtts(
    scenario: Scenario,
    one: Sequence[Site | Region],
    other: Sequence[Site | Origin | Region],
    *,
    users: bool = False,
) -> Floats:
    """Seconds there and back; users have a last mile, sites do not. Measured ways go before."""
    network = scenario.network
    found = round_trips(places(one), places(other), network.path_inflation, 0.0)
    found += last_miles(scenario)[:, None] if users else 0.0005
    measured = {frozenset(way.between): way.milliseconds / 1000 for way in network.ways}
    if measured:
        for i, j in np.ndindex(found.shape):
            ends = frozenset((_target(scenario, one[i]), _target(scenario, other[j])))
            found[i, j] = measured.get(ends, found[i, j])
    return found


def _target(scenario: Scenario, place: Site | Origin | Region) -> str:
    if isinstance(place, Origin):
        return "origin"
    if isinstance(place, Region):
        return f"region:{place.name}"
    part = "edge" if any(place is edge for edge in scenario.edges) else "shield"
    return f"{part}:{place.name}"


def _by_region(scenario: Scenario, name: str) -> Floats:
    given = [getattr(region, name) for region in scenario.regions]
    usual = getattr(scenario.network, name)
    return np.array([usual if value is None else value for value in given], float)


def last_miles(scenario: Scenario) -> Floats:
    return _by_region(scenario, "last_mile")


def client_network(scenario: Scenario) -> Network:
    network = scenario.network
    return Network(
        scenario.seed,
        HANDSHAKES[network.handshake],
        network.reused,
        network.jitter,
        RECOVERIES.index(network.recovery),
        _by_region(scenario, "loss"),
        _by_region(scenario, "bandwidth"),
    )


def intervals(failures: Sequence[Failure], target: str, kind: str) -> Floats:
    """When something fails, as rows of from, to, factor."""
    rows = [
        (each.start, each.start + each.duration, each.factor)
        for each in failures
        if each.target == target and each.kind == kind
    ]
    return np.array(rows, float).reshape(-1, 3)


def pool_rules(scenario: Scenario, servers: Servers, target: str, seed: int) -> PoolRules:
    return PoolRules(
        seed,
        servers.service,
        servers.spread,
        servers.timeout,
        servers.retry_budget,
        servers.count,
        max(servers.most, servers.count),
        servers.target,
        servers.interval,
        servers.boot,
        intervals(scenario.failures, target, "brownout"),
        _scaling(servers, scenario.duration),
    )


def _scaling(servers: Servers, duration: float) -> Scaling:
    """What the schedule says comes again when the scenario begins again (``live``)."""
    given = servers.scaling
    if given is None:
        return Scaling()
    steps = [
        (step.above, 1, step.add, step.percent / 100) if step.above is not None
        else (step.below, -1, step.add, step.percent / 100)
        for step in given.steps
    ]  # fmt: skip
    schedule = [
        (row.at, row.every or max(duration, row.at), row.least or servers.count,
         row.most or servers.most)
        for row in given.schedule
    ]  # fmt: skip
    return Scaling(
        np.array(steps, float).reshape(-1, 4),
        np.array(schedule, float).reshape(-1, 4),
        given.cooldown_out,
        given.cooldown_in,
        float(servers.most if given.leave is None else given.leave),
    )


def traffic_plan(scenario: Scenario) -> Plan:
    """Load by time and region, popularity, sizes."""
    traffic = scenario.traffic
    edges = np.linspace(0, scenario.duration, BINS + 1)
    load = _load(scenario, (edges[:-1] + edges[1:]) / 2)
    flashes = traffic.flash
    total = load.sum(axis=1)
    for flash in flashes:
        inside = np.clip(edges[1:], None, flash.start + flash.duration)
        inside = np.clip(inside - np.maximum(edges[:-1], flash.start), 0, None)
        total = total * (1 + (flash.multiplier - 1) * inside / (edges[1] - edges[0]))
    threshold, alias = alias_table(np.arange(1.0, traffic.objects + 1) ** -traffic.zipf)
    return Plan(
        scenario.seed,
        scenario.requests,
        edges,
        np.concatenate([[0.0], np.cumsum(total) / total.sum()]),
        np.cumsum(load / load.sum(axis=1, keepdims=True), axis=1),
        packed(threshold, alias),
        sizes_of(traffic.sizes, traffic.objects, scenario.seed),
        traffic.drift,
        traffic.one_hit_wonders,
        np.array([flash.start for flash in flashes], float),
        np.array([flash.start + flash.duration for flash in flashes], float),
        np.array([1 - 1 / flash.multiplier for flash in flashes], float),
        np.array([flash.objects for flash in flashes], np.int64),
    )


def _load(scenario: Scenario, at: Floats) -> Floats:
    """Relative load of each region at each time: busiest at 20:00 of its clock."""
    weights = np.array([region.weight for region in scenario.regions])
    offsets = np.array([region.utc_offset for region in scenario.regions]) * 3600
    phase = 2 * np.pi * ((at[:, None] + offsets) / DAY - 20 / 24)
    load: Floats = weights * (1 + scenario.traffic.diurnal * np.cos(phase))
    return np.maximum(load, 1e-12)


def sizes_of(about: Sizes, objects: int, seed: int) -> Ints:
    chance = np.random.default_rng(seed)
    sizes = about.median * np.exp(about.sigma * chance.standard_normal(objects))
    tail = chance.random(objects) < about.pareto_share
    start = about.median * np.exp(2 * about.sigma)
    sizes[tail] = start * (1 + chance.pareto(about.pareto_alpha, int(tail.sum())))
    return np.clip(sizes, 1, about.largest).astype(np.int64)
