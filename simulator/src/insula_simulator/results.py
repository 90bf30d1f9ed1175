"""What a run found, as plain numbers: for JSON, for Parquet, for the report."""

from typing import Any

import msgspec
import numpy as np
import polars as pl

from insula_simulator.balanced import Load
from insula_simulator.network.account import CENSUS, DELIVERED, Ledger, added, quantile
from insula_simulator.network.bringing import PREFETCHED, PUSHED
from insula_simulator.network.freshness import ERROR, FATES, HIT, STALE, STALE_ERROR
from insula_simulator.network.scaling import CHANGES
from insula_simulator.network.servers import PEAK, SERVER_SECONDS
from insula_simulator.scenario import Site
from insula_simulator.simulation import Simulation
from insula_simulator.tier import Tier
from insula_simulator.upstream import Origin

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


class Scaled(msgspec.Struct, frozen=True):
    """From ``second`` on a site has ``servers``; those added are still booting."""

    second: float
    servers: int


class Place(msgspec.Struct, frozen=True):
    """An edge or a shield. The last two are shares of its requests, where it has RAM and disks."""

    name: str
    requests: int
    asked_upstream: int
    failed: int
    peak_servers: int
    server_hours: float
    ram_hit_ratio: float | None = None
    disk_hit_ratio: float | None = None
    servers: list[Load] = []
    """Where they have a queue each."""
    scaled: list[Scaled] = []
    """What autoscaling did, its first thousand changes."""
    admission_scale: float | None = None
    """Bytes: what AdaptSize's tuning came to at the end."""


class Incident(msgspec.Struct, frozen=True):
    """A failure that came about, by plan or by chance; ``other`` is the far end of a partition."""

    target: str
    kind: str
    start: float
    duration: float
    other: str = ""


class ClassResult(msgspec.Struct, frozen=True):
    """A class of content, as the edges saw it."""

    requests: int
    fates: dict[str, int]
    hit_ratio: float


class AheadResult(msgspec.Struct, frozen=True):
    """What edges fetched before anybody asked, and the share of those bytes asked for later."""

    fetches: int
    bytes: int
    used: int
    share_used: float


class PeerResult(msgspec.Struct, frozen=True):
    """Questions among the edges of clusters, the fetches that they answered, and their bytes."""

    questions: int
    filled: int
    bytes: int


class Result(msgspec.Struct, frozen=True):
    """Ratios are between 0 and 1, latencies seconds. ``in_flight`` is the mean number of requests
    under way, counted at instants; by Little's law it is ``rate_times_latency``, arrivals a second
    times their mean latency, but for the chance of counting at instants only."""

    name: str
    seed: int
    requests: int
    seconds: float
    fates: dict[str, int]
    hit_ratio: float
    request_offload: float
    byte_offload: float
    error_ratio: float
    latency: dict[str, float]
    in_flight: float
    rate_times_latency: float
    latency_by_region: dict[str, dict[str, float]]
    edges: list[Place]
    shields: list[Place]
    origin: Place
    bytes_delivered: int
    bytes_from_origin: int
    cost: dict[str, float]
    classes: dict[str, ClassResult]
    prefetched: AheadResult | None
    pushed: AheadResult | None
    peers: PeerResult | None
    failures: list[Incident] = []


def summarise(simulation: Simulation) -> Result:
    """The figures of a run that is over."""
    scenario = simulation.scenario
    total = added(simulation.ledgers)
    fates = total.fates.sum(axis=0)
    count = int(fates.sum())
    hits = int(fates[[HIT, STALE, STALE_ERROR]].sum())
    delivered = int(total.bytes[:, DELIVERED].sum())
    mean = float(total.seconds[0]) / count
    return Result(
        name=scenario.name,
        seed=scenario.seed,
        requests=count,
        seconds=scenario.duration,
        fates=dict(zip(FATES, fates.tolist(), strict=True)),
        hit_ratio=hits / count,
        request_offload=1 - simulation.origin.arrived / count,
        byte_offload=1 - simulation.origin.bytes_sent / max(1, delivered),
        error_ratio=int(fates[ERROR]) / count,
        latency={"mean": mean} | _quantiles(total.latency.sum(axis=0)),
        in_flight=int(total.census[0]) / CENSUS,
        rate_times_latency=count / scenario.duration * mean,
        latency_by_region={
            region.name: _quantiles(total.by_region[i]) for i, region in enumerate(scenario.regions)
        },
        edges=_places(scenario.edges, simulation.edges, scenario.duration),
        shields=_places(scenario.shields, _shields(simulation), scenario.duration),
        origin=_place("origin", simulation.origin, 0, scenario.duration),
        bytes_delivered=delivered,
        bytes_from_origin=simulation.origin.bytes_sent,
        cost=_cost(simulation, delivered),
        failures=[
            Incident(each.target, each.kind, each.start, each.duration, each.other)
            for each in scenario.failures
            if each.start < scenario.duration
        ],
        classes=_classes(simulation),
        prefetched=_ahead(simulation, PREFETCHED),
        pushed=_ahead(simulation, PUSHED),
        peers=_peers(simulation),
    )


def _quantiles(histogram: Any) -> dict[str, float]:
    return {name: quantile(histogram, share) for name, share in QUANTILES.items()}


def _shields(simulation: Simulation) -> list[Tier]:
    return simulation.shields.tiers if simulation.shields else []


def _places(sites: list[Site], tiers: list[Tier], seconds: float) -> list[Place]:
    return [
        _place(site.name, tier, tier.asked, seconds)
        for site, tier in zip(sites, tiers, strict=True)
    ]


def _place(name: str, site: Tier | Origin, asked: int, seconds: float) -> Place:
    one_by_one = site.balanced.loads(seconds) if site.balanced else []
    peak = site.balanced.peak if site.balanced else int(site.pool.counts[PEAK])
    hours = _server_seconds(site) / 3600
    return Place(
        name, site.arrived, asked, site.failed, peak, hours, *_storage_shares(site), one_by_one,
        _scaled(site), _admission_scale(site),
    )  # fmt: skip


def _admission_scale(site: Tier | Origin) -> float | None:
    doorkeeper = site.looks.doorkeeper if isinstance(site, Tier) and site.looks else None
    return doorkeeper.tuner.scale if doorkeeper and doorkeeper.tuner else None


def _scaled(site: Tier | Origin) -> list[Scaled]:
    scaler = site.balanced.farm.scaler if site.balanced else site.pool.scaler
    changes = scaler.log[: int(scaler.gauges[CHANGES])].tolist()
    return [Scaled(second, int(servers)) for second, servers in changes]


def _storage_shares(site: Tier | Origin) -> tuple[float | None, float | None]:
    if isinstance(site, Tier) and site.storage:
        return site.storage.shares(site.arrived)
    return None, None


def _server_seconds(site: Tier | Origin) -> float:
    if site.balanced:
        return site.balanced.server_seconds
    return float(site.pool.gauges[SERVER_SECONDS])


def _classes(simulation: Simulation) -> dict[str, ClassResult]:
    """Of a scenario that has any; what flash crowds ask for is in none."""
    if not simulation.scenario.traffic.classes:
        return {}
    counts = np.sum([tally.counts for tally in simulation.tallies], axis=0)
    return {
        each.name: ClassResult(
            int(counts[i].sum()),
            dict(zip(FATES, counts[i].tolist(), strict=True)),
            int(counts[i, [HIT, STALE, STALE_ERROR]].sum()) / max(1, int(counts[i].sum())),
        )
        for i, each in enumerate(simulation.scenario.traffic.classes, 1)
    }


def _ahead(simulation: Simulation, kind: int) -> AheadResult | None:
    """None where nothing was."""
    counts = np.sum(
        [edge.brought.counts[kind] for edge in simulation.edges if edge.brought], axis=0
    )
    if not np.any(counts):
        return None
    fetches, fetched, used, used_bytes = counts.tolist()
    return AheadResult(fetches, fetched, used, used_bytes / fetched)


def _peers(simulation: Simulation) -> PeerResult | None:
    """None where there are no clusters."""
    peers = simulation.peers
    return PeerResult(peers.asked, peers.filled, peers.bytes) if peers else None


def _cost(simulation: Simulation, delivered: int) -> dict[str, float]:
    price = simulation.scenario.cost
    serving: list[Tier | Origin] = [*simulation.edges, *_shields(simulation), simulation.origin]
    seconds = sum(map(_server_seconds, serving))
    fetched = sum(edge.bytes_fetched for edge in simulation.edges) - simulation.peers.bytes
    fetched = fetched if simulation.shields else 0
    hours = simulation.scenario.duration / 3600
    sites = simulation.scenario.edges + simulation.scenario.shields
    parts = {
        "servers": seconds / 3600 * price.server_hour,
        "edge_traffic": delivered / 1e9 * price.edge_gigabyte,
        "shield_traffic": fetched / 1e9 * price.shield_gigabyte,
        "origin_traffic": simulation.origin.bytes_sent / 1e9 * price.origin_gigabyte,
        "caches": sum(site.cache.size for site in sites) / 1e9 * hours * price.cache_gigabyte_hour,
        "sites": len(sites) * hours * price.site_hour,
    }
    return parts | {"total": sum(parts.values())}


def series(simulation: Simulation) -> pl.DataFrame:
    """A row for each time bin: when it starts, requests, fates, bytes, latencies."""
    total: Ledger = added(simulation.ledgers)
    columns: dict[str, Any] = {
        "second": np.arange(len(total.fates)) * simulation.bin_width,
        "requests": total.fates.sum(axis=1),
    }
    columns |= {name: total.fates[:, i] for i, name in enumerate(FATES)}
    columns["bytes_delivered"] = total.bytes[:, DELIVERED]
    for name, share in QUANTILES.items():
        columns[name] = [quantile(row, share) for row in total.latency]
    return pl.DataFrame(columns)
