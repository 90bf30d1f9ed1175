"""Failures of a scenario one by one: regions by their sites, random ones drawn."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from insula_simulator import layout
from insula_simulator.network.routing import hashed
from insula_simulator.scenario import Failure, RandomFailures, Scenario, Site, servers_by_target
from insula_simulator.scenario.failures import targets_of

Floats = npt.NDArray[np.float64]


def scheduled(scenario: Scenario) -> Scenario:
    """The same with all that fails in ``failures``, in order of time, and nothing left to chance.
    Partitions stay as they are."""
    drawn = [
        failure
        for i, entry in enumerate(scenario.random_failures)
        for failure in _drawn(scenario, entry, i)
    ]
    every = [part for each in scenario.failures + drawn for part in _parts(scenario, each)]
    every.sort(key=lambda failure: failure.start)
    return replace(scenario, failures=every, random_failures=[])


def _drawn(scenario: Scenario, entry: RandomFailures, number: int) -> Iterator[Failure]:
    for target in targets_of(entry.target, servers_by_target(scenario)):
        # By its name: another site more or less leaves the others' failures as they are.
        chance = np.random.default_rng([scenario.seed, number, hashed(target)])
        start = chance.exponential(entry.between)
        while start < scenario.duration:
            duration = max(float(chance.exponential(entry.repair)), 1e-3)
            yield Failure(target, start, duration, entry.kind, entry.factor, entry.share)
            start += duration + chance.exponential(entry.between)


def _parts(scenario: Scenario, failure: Failure) -> list[Failure]:
    if failure.kind == "partition" or not failure.target.startswith("region:"):
        return [failure]
    sites = sites_of(scenario, failure.target.removeprefix("region:"))
    return [replace(failure, target=target) for target in sites]


def sites_of(scenario: Scenario, region: str) -> list[str]:
    """Targets of the edges and shields that say they are there, or to which it is nearest."""
    groups = (("edge", scenario.edges), ("shield", scenario.shields))
    return [
        f"{part}:{site.name}"
        for part, sites in groups
        for site in sites
        if (site.region or _nearest(scenario, site)) == region
    ]


def _nearest(scenario: Scenario, site: Site) -> str:
    ways = layout.rtts(scenario, [site], scenario.regions)
    return scenario.regions[int(ways[0].argmin())].name
