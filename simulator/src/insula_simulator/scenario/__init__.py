"""A scenario: what a TOML file may say. Errors name the key, as in ``$.edges[2].cache.size``.

Times are seconds unless a name says otherwise, sizes bytes, places degrees.
"""

import tomllib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, field
from msgspec.structs import replace

from insula_simulator.policies import POLICIES, CacheTooSmall
from insula_simulator.scenario.checks import (
    check_classes,
    check_clusters,
    check_purges,
    check_pushes,
)
from insula_simulator.scenario.content import (
    Admission,
    Content,
    Disk,
    Peers,
    Purge,
    Push,
    Ram,
    Sizes,
)
from insula_simulator.scenario.failures import Failure, RandomFailures, check_failures, check_random
from insula_simulator.scenario.network import (
    Network,
    Region,
    Routing,
    Way,
    check_routing,
    check_ways,
    ways_beside,
)
from insula_simulator.scenario.parts import (
    AtLeastZero,
    Count,
    Latitude,
    Longitude,
    Name,
    Part,
    Positive,
    ScenarioError,
    Share,
)
from insula_simulator.scenario.recorded import MOST_REQUESTS, Recorded, beside, check_trace
from insula_simulator.scenario.servers import Ejection, Servers, check_servers

__all__ = [
    "Admission", "AtLeastZero", "Cache", "Content", "Cost", "Count", "Disk", "Ejection",
    "Failure", "Flash", "Http", "Latitude", "Longitude", "Name", "Network", "Origin", "Part",
    "Peers", "Positive", "Purge", "Push", "Ram", "RandomFailures", "Region", "Routing",
    "Scenario", "ScenarioError", "Servers", "Share", "Site", "Sizes", "Traffic", "Way", "check",
    "read_scenario", "servers_by_target",
]  # fmt: skip


class Flash(Part, frozen=True):
    """A crowd: from ``start`` for ``duration`` the load is ``multiplier`` times as high, and what
    is added asks for the same few objects."""

    start: AtLeastZero
    duration: Positive
    multiplier: Annotated[float, Meta(gt=1, le=1000)]
    objects: Count = 1


class Traffic(Recorded, frozen=True):
    """Independent references under a Zipf law, and what departs from it."""

    objects: Annotated[int, Meta(ge=1, le=100_000_000)] = 100_000
    zipf: Annotated[float, Meta(ge=0, le=3)] = 0.9
    drift: Annotated[float, Meta(ge=0, le=1000)] = 0.0
    """How often an hour each rank of popularity gets a new object."""
    one_hit_wonders: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of requests for objects that nobody asks for again."""
    diurnal: Share = 0.0
    """How far load falls in the small hours of each region, as a share of its mean."""
    sizes: Sizes = field(default_factory=Sizes)
    flash: Annotated[list[Flash], Meta(max_length=16)] = field(default_factory=list)
    classes: Annotated[list[Content], Meta(max_length=30)] = field(default_factory=list)
    """Where there are any, requests are for these, and objects, zipf, drift, one_hit_wonders and
    sizes above say what flash crowds find."""


class Cache(Part, frozen=True):
    size: Annotated[int, Meta(ge=1, le=1 << 50)]
    policy: str = "lru"
    admission: Admission | None = None
    ram: Ram | None = None
    """In front of the cache, which then is on disk; hits in it read no disk."""
    disk: Disk | None = None


class Site(Part, frozen=True):
    """An edge or a shield."""

    name: Name
    latitude: Latitude
    longitude: Longitude
    cache: Cache
    servers: Servers = field(default_factory=Servers)
    weight: Positive = 1.0
    region: str = ""
    """Where it fails with the region of that name; otherwise in the nearest one."""
    cluster: Name | None = None
    """Edges of one cluster are siblings."""


class Origin(Part, frozen=True):
    latitude: Latitude
    longitude: Longitude
    servers: Servers = field(default_factory=lambda: Servers(count=64, service=0.02, timeout=5.0))


class Http(Part, frozen=True):
    ttl: Positive = 3600.0
    stale_while_revalidate: AtLeastZero = 0.0
    stale_if_error: AtLeastZero = 0.0
    negative_ttl: AtLeastZero = 1.0
    collapse: bool = True
    unchanged: Share = 0.95
    """Share of revalidations that are answered 304."""


class Cost(Part, frozen=True):
    """What things cost, in one currency."""

    server_hour: AtLeastZero = 0.1
    edge_gigabyte: AtLeastZero = 0.02
    shield_gigabyte: AtLeastZero = 0.01
    origin_gigabyte: AtLeastZero = 0.08
    cache_gigabyte_hour: AtLeastZero = 0.0
    """Of capacity, whether it is full or not."""
    site_hour: AtLeastZero = 0.0
    """Of an edge or a shield being there at all."""


class Scenario(Part, frozen=True, kw_only=True):
    """With a trace, ``requests`` is how many of it at most (by default all), and ``duration``
    counts only where it has no times: they are spread evenly then."""

    name: Annotated[str, Meta(min_length=1, max_length=120)]
    text: Annotated[str, Meta(max_length=4000)] = ""
    seed: Annotated[int, Meta(ge=0, lt=1 << 62)] = 1
    requests: Annotated[int, Meta(ge=1, le=MOST_REQUESTS)] = 1_000_000
    duration: Positive = 3600.0
    regions: Annotated[list[Region], Meta(min_length=1, max_length=64)]
    edges: Annotated[list[Site], Meta(min_length=1, max_length=250)]
    shields: Annotated[list[Site], Meta(max_length=50)] = field(default_factory=list)
    origin: Origin
    traffic: Traffic = field(default_factory=Traffic)
    http: Http = field(default_factory=Http)
    network: Network = field(default_factory=Network)
    routing: Routing = field(default_factory=Routing)
    failures: Annotated[list[Failure], Meta(max_length=100)] = field(default_factory=list)
    random_failures: Annotated[list[RandomFailures], Meta(max_length=16)] = field(
        default_factory=list
    )
    purges: Annotated[list[Purge], Meta(max_length=1000)] = field(default_factory=list)
    peers: Peers = field(default_factory=Peers)
    pushes: Annotated[list[Push], Meta(max_length=1000)] = field(default_factory=list)
    cost: Cost = field(default_factory=Cost)


def read_scenario(path: Path) -> Scenario:
    """Raises ScenarioError: broken TOML (with its line), or a wrong value (with its key)."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
        scenario = msgspec.convert(content, Scenario)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise ScenarioError(str(error)) from error
    except RecursionError as error:
        raise ScenarioError("nested too deeply") from error
    if scenario.traffic.trace and "requests" not in content:
        scenario = replace(scenario, requests=MOST_REQUESTS)
    network = ways_beside(scenario.network, path)
    scenario = replace(scenario, traffic=beside(scenario.traffic, path), network=network)
    check(scenario)
    return scenario


def check(scenario: Scenario) -> None:
    """What types cannot say. Raises ScenarioError."""
    for part, sites in (("edges", scenario.edges), ("shields", scenario.shields)):
        names = [site.name for site in sites]
        for i, site in enumerate(sites):
            if site.name in names[:i]:
                raise ScenarioError(f"the name {site.name!r} is taken - at `$.{part}[{i}].name`")
            _check_cache(site.cache, f"$.{part}[{i}].cache")
            if site.cache.ram:
                _check_cache(site.cache.ram, f"$.{part}[{i}].cache.ram")
            check_servers(site.servers, f"$.{part}[{i}].servers")
            if site.region and site.region not in [region.name for region in scenario.regions]:
                raise ScenarioError(f"no such region - at `$.{part}[{i}].region`")
    check_servers(scenario.origin.servers, "$.origin.servers")
    servers = servers_by_target(scenario)
    check_trace(scenario.traffic)
    regions = [region.name for region in scenario.regions]
    check_routing(scenario.routing)
    check_ways(scenario.network.ways, {f"region:{name}" for name in regions} | set(servers))
    check_failures(scenario.failures, servers, regions)
    check_random(scenario.random_failures, servers, regions, scenario.duration)
    check_clusters(scenario.shields)
    check_classes(scenario.traffic.classes, traced=bool(scenario.traffic.trace))
    check_purges(scenario.purges, scenario.traffic.classes, scenario.duration)
    check_pushes(
        scenario.pushes,
        scenario.traffic.classes,
        [site.name for site in scenario.edges],
        scenario.traffic.objects,
        traced=bool(scenario.traffic.trace),
    )


def servers_by_target(scenario: Scenario) -> dict[str, Servers]:
    servers = {f"edge:{site.name}": site.servers for site in scenario.edges}
    servers |= {f"shield:{site.name}": site.servers for site in scenario.shields}
    return servers | {"origin": scenario.origin.servers}


def _check_cache(cache: Cache | Ram, key: str) -> None:
    if cache.policy not in POLICIES or cache.policy == "belady":
        known = ", ".join(name for name in POLICIES if name != "belady")
        raise ScenarioError(f"{cache.policy!r} is none of {known} - at `{key}.policy`")
    try:
        POLICIES[cache.policy].empty(cache.size)
    except CacheTooSmall as error:
        raise ScenarioError(f"{error} - at `{key}.size`") from error
