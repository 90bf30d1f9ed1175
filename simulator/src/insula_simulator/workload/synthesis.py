"""A synthetic workload that treats caches as a recorded one does."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from insula_simulator.curve import curve
from insula_simulator.layout import traffic_plan
from insula_simulator.network.traffic import synthesize
from insula_simulator.scenario import Cache, Origin, Region, Scenario, Site, Sizes, Traffic
from insula_simulator.traces import CHUNK, Chunk
from insula_simulator.workload.popularity import STEEPEST, Zipf, catalogue, fit_zipf
from insula_simulator.workload.sizes import SizeLaw
from insula_simulator.workload.statistics import Statistics, survey

Ints = npt.NDArray[np.int64]

TURNS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
"""How often each rank gets a new object meanwhile: what brings back the locality in time that
independent draws lack. The best of them is kept."""
STEPS = (0.05, 0.02)
"""Of the Zipf exponent, to both sides of the best so far."""
TRIES = len(TURNS) + 2 * len(STEPS)
MOST_DRIFT = 1000
POINTS, SMALLEST = 12, 1e-3
"""Sizes of caches that are compared, from this share of all objects' bytes to all of them."""
HOUR = 3600.0
NOWHERE = 0.0


class CurvePoint(msgspec.Struct, frozen=True):
    """Miss ratios of an LRU cache of so many bytes."""

    size: int
    real: float
    synthetic: float


class _Try(NamedTuple):
    apart: float
    turns: float
    exponent: float
    traffic: Traffic
    curve: list[float]


def _apart(attempt: _Try) -> float:
    return attempt.apart


class Imitation(msgspec.Struct, frozen=True):
    """``difference`` is the mean of what the miss ratios differ, in percentage points, ``worst``
    the largest; ``zipf_real`` and ``zipf_synthetic`` are fitted to the requests of both."""

    requests: int
    duration: float
    traffic: Traffic
    curve: list[CurvePoint]
    difference: float
    worst: float
    zipf_real: Zipf
    zipf_synthetic: Zipf
    objects_real: int
    objects_synthetic: int


def imitate(
    chunks: list[Chunk], seed: int = 1, on_try: Callable[[int], None] = lambda tries: None
) -> Imitation:
    """Fit traffic to the requests, which are held in memory.

    Raises:
        TraceError: there is no request.
    """
    seen = survey(chunks, distances=False)
    real, counts = seen.result(), seen.objects.known()[0]
    shares = np.geomspace(SMALLEST, 1, POINTS)
    sizes = sorted({max(1, int(real.object_bytes * share)) for share in shares})
    wanted = [point.miss_ratio for point in curve(chunks, "lru", sizes)]
    duration = real.seconds or HOUR
    tried: list[_Try] = []

    def attempt(turns: float, exponent: float) -> None:
        traffic = fitted_traffic(real, turns, exponent, duration)
        if traffic is not None:
            drawn = synthetic(traffic, real.requests, duration, seed)
            found = [point.miss_ratio for point in curve(drawn, "lru", sizes)]
            apart = float(np.abs(np.array(found) - wanted).mean())
            tried.append(_Try(apart, turns, exponent, traffic, found))
        on_try(len(tried))

    for turns in TURNS:
        attempt(turns, fit_zipf(counts, max(1.0, turns)).exponent)
    for step in STEPS:
        best = min(tried, key=_apart)
        for exponent in (best.exponent - step, best.exponent + step):
            attempt(best.turns, min(max(exponent, 0.0), STEEPEST))
    best = min(tried, key=_apart)
    traffic, found = best.traffic, best.curve
    again = survey(synthetic(traffic, real.requests, duration, seed), distances=False).result()
    return Imitation(
        requests=real.requests,
        duration=duration,
        traffic=traffic,
        curve=[CurvePoint(*each) for each in zip(sizes, wanted, found, strict=True)],
        difference=100 * best.apart,
        worst=100 * float(np.abs(np.array(found) - wanted).max()),
        zipf_real=real.popularity,
        zipf_synthetic=again.popularity,
        objects_real=real.objects,
        objects_synthetic=again.objects,
    )


def fitted_traffic(
    real: Statistics, turns: float, exponent: float, duration: float
) -> Traffic | None:
    """None where a scenario cannot say so much drift."""
    drift = turns / (duration / HOUR)
    if drift > MOST_DRIFT:
        return None
    once = round(real.one_hit_wonders * real.objects)
    objects, wonders = catalogue(real.requests, real.objects, once, exponent, turns)
    return Traffic(
        objects=objects,
        zipf=round(exponent, 4),
        drift=round(drift, 6),
        one_hit_wonders=round(wonders, 4),
        diurnal=round(real.diurnal, 3),
        sizes=_sizes(real.sizes),
    )


def _sizes(law: SizeLaw) -> Sizes:
    return Sizes(
        median=round(law.median, 1),
        sigma=round(law.sigma, 3),
        pareto_share=round(law.pareto_share, 4),
        pareto_alpha=round(law.pareto_alpha, 3),
        largest=min(law.largest, 1 << 40),
    )


def synthetic(traffic: Traffic, requests: int, duration: float, seed: int) -> Iterator[Chunk]:
    """Requests as a scenario of such traffic has them."""
    somewhere = Site(name="all", latitude=NOWHERE, longitude=NOWHERE, cache=Cache(size=1))
    plan = traffic_plan(
        Scenario(
            name="synthetic",
            seed=seed,
            requests=requests,
            duration=duration,
            regions=[Region(name="all", latitude=NOWHERE, longitude=NOWHERE)],
            edges=[somewhere],
            origin=Origin(latitude=NOWHERE, longitude=NOWHERE),
            traffic=traffic,
        )
    )
    for start in range(0, requests, CHUNK):
        count = min(CHUNK, requests - start)
        keys, sizes, regions = (np.empty(count, np.int64) for _ in range(3))
        times = np.empty(count)
        synthesize(plan, start, keys, sizes, times, regions)
        yield Chunk(keys, sizes, times)


def as_toml(found: Imitation, source: str) -> str:
    """What a scenario says instead of naming the trace."""
    traffic, sizes = found.traffic, found.traffic.sizes
    return (
        f"# Fitted to {source!r}: miss ratios of LRU caches differ by "
        f"{found.difference:.2f} points on average, {found.worst:.2f} at most.\n"
        f"requests = {found.requests}\nduration = {found.duration:.3f}\n\n"
        f"[traffic]\nobjects = {traffic.objects}\nzipf = {traffic.zipf}\n"
        f"drift = {traffic.drift}\none_hit_wonders = {traffic.one_hit_wonders}\n"
        f"diurnal = {traffic.diurnal}\n\n"
        f"[traffic.sizes]\nmedian = {sizes.median}\nsigma = {sizes.sigma}\n"
        f"pareto_share = {sizes.pareto_share}\npareto_alpha = {sizes.pareto_alpha}\n"
        f"largest = {sizes.largest}\n"
    )
