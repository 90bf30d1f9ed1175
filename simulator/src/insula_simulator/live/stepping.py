"""A simulation that goes on for ever, a step at a time, and that can be changed between steps.

A change makes a new ``Simulation`` of the changed scenario, which takes over what the old one
remembers: caches, queues, counts. So whatever a scenario can say can change while it runs.
"""

from dataclasses import fields
from typing import Any

import numpy as np
from msgspec.structs import replace

from insula_simulator.batch import Batch
from insula_simulator.crew import Crew
from insula_simulator.live.controls import Flash
from insula_simulator.network.account import new_ledger
from insula_simulator.network.traffic import FLASH_KEYS, WONDER_KEYS, Plan, synthesize
from insula_simulator.scenario import Failure, Scenario, Site
from insula_simulator.simulation import CHUNK, Simulation
from insula_simulator.tier import Tier
from insula_simulator.upstream import Origin

FOREVER = 1e14
"""Seconds of a failure that nobody has ended yet."""
MOST = CHUNK
"""Requests of a step; what would be more makes the step shorter."""
_GIVEN = ("rules", "pool_rules", "balanced", "down", "unchanged", "terms")
"""What the scenario says of a tier; the rest is what the tier remembers."""
_SERVING = ("pool", "fetch", "arrived", "asked", "failed", "retries", "bytes_fetched")
"""Of that, what is not about stored objects: what a site with a new cache still remembers."""


class Stepping:
    """``now`` is the simulated second; ``load`` multiplies what the scenario says."""

    def __init__(self, scenario: Scenario) -> None:
        self.described = scenario
        self.simulation = Simulation(scenario)
        self.now = 0.0
        self.load = 1.0
        self.steps = self.drawn = 0
        self.flash: tuple[float, float] | None = None
        """Until when, and how many times the load."""

    @property
    def scenario(self) -> Scenario:
        return self.simulation.scenario

    def step(self, crew: Crew, seconds: float) -> float:
        """Play the next so many simulated seconds, or fewer of very busy ones; the answer is how
        many. Ledgers are of this step only."""
        place = self._bin()
        rate = self.rate(place)
        seconds = min(seconds, MOST / max(rate, 1e-9))
        count = int(np.random.default_rng([self.scenario.seed, self.steps]).poisson(rate * seconds))
        simulation = self.simulation
        simulation.bin_width = FOREVER
        simulation.ledgers = [new_ledger(1, len(self.scenario.regions)) for _ in simulation.edges]
        if count:
            simulation.step(crew, self._draw(place, seconds, count))
        self.now += seconds
        self.steps += 1
        self.drawn += count
        return seconds

    def rate(self, place: int | None = None) -> float:
        """Requests a second at present."""
        place = self._bin() if place is None else place
        plan = self.simulation.plan
        share = plan.cumulative[place + 1] - plan.cumulative[place]
        width = plan.bin_edges[place + 1] - plan.bin_edges[place]
        crowd = self.flash[1] if self.flash and self.now < self.flash[0] else 1.0
        return float(self.described.requests * share / width * self.load * crowd)

    def _bin(self) -> int:
        """The time bin of the scenario, which begins again after its end."""
        edges = self.simulation.plan.bin_edges
        found = int(np.searchsorted(edges, self.now % edges[-1], side="right")) - 1
        return min(found, len(edges) - 2)

    def _draw(self, place: int, seconds: float, count: int) -> Batch:
        simulation = self.simulation
        plan = self._plan(simulation.plan, place, seconds, count)
        keys, sizes, regions = (np.empty(count, np.int64) for _ in range(3))
        times = np.empty(count)
        synthesize(plan, 0, keys, sizes, times, regions)
        keys[keys >= WONDER_KEYS] += self.steps << 20  # or they were asked for again in each step
        if self.flash:
            own = FLASH_KEYS + (simulation.plan.flash_share.size << 32)
            keys[(keys >= own) & (keys < WONDER_KEYS)] = own + int(self.flash[0])
        numbers = np.arange(self.drawn, self.drawn + count)
        batch = Batch(numbers, keys, sizes, times, regions)
        if simulation.demand:
            simulation.demand.turn_to_classes(batch)
        return batch

    def _plan(self, plan: Plan, place: int, seconds: float, count: int) -> Plan:
        """Of one step. The scenario's flash crowds come again every time it begins again."""
        again = self.now - self.now % self.described.duration
        starts, ends = plan.flash_start + again, plan.flash_end + again
        shares, objects = plan.flash_share, plan.flash_objects
        if self.flash and self.now < self.flash[0]:
            starts, ends = np.append(starts, self.now), np.append(ends, FOREVER)
            shares = np.append(shares, 1 - 1 / self.flash[1])
            objects = np.append(objects, 1)
        return plan._replace(
            seed=plan.seed + self.steps * 1_000_003,
            requests=count,
            bin_edges=np.array([self.now, self.now + seconds]),
            cumulative=np.array([0.0, 1.0]),
            regions=plan.regions[place : place + 1],
            flash_start=starts, flash_end=ends, flash_share=shares, flash_objects=objects,
        )  # fmt: skip

    def begin_flash(self, asked: Flash) -> None:
        self.flash = self.now + asked.seconds, asked.multiplier

    def fail(self, target: str, kind: str) -> None:
        """From now on; ``up`` ends what was failing."""
        kept = [self._until_now(each) if each.target == target else each
                for each in self.scenario.failures]  # fmt: skip
        kept = [each for each in kept if each.start + each.duration > self.now - 3600]
        if kind != "up":
            kept.append(
                Failure(target, self.now, FOREVER, "brownout" if kind != "down" else "down")
            )
        self._become(replace(self.scenario, failures=kept))

    def failing(self) -> dict[str, str]:
        """What fails at present, and how."""
        return {
            each.target: each.kind
            for each in self.scenario.failures
            if each.start <= self.now < each.start + each.duration
        }

    def _until_now(self, failure: Failure) -> Failure:
        if failure.start > self.now:
            return failure
        return replace(failure, duration=max(1e-9, min(failure.duration, self.now - failure.start)))

    def recache(self, part: str, policy: str, size: int) -> None:
        """Raises CacheTooSmall."""
        sites: list[Site] = getattr(self.scenario, part)
        cached = [replace(site, cache=replace(site.cache, policy=policy, size=size))
                  for site in sites]  # fmt: skip
        self._become(replace(self.scenario, **{part: cached}))

    def _become(self, scenario: Scenario) -> None:
        old, new = self.simulation, Simulation(scenario)
        _take_over(old.edges, new.edges, old.scenario.edges, scenario.edges)
        if old.shields and new.shields:
            shields = old.shields.tiers, new.shields.tiers
            _take_over(*shields, old.scenario.shields, scenario.shields)
        names = [name for name in vars(old.origin) if name not in ("rules", "balanced")]
        _remember(old.origin, new.origin, names)
        new.demand = old.demand
        self.simulation = new


def targets(scenario: Scenario) -> list[str]:
    """What can fail."""
    edges = [f"edge:{site.name}" for site in scenario.edges]
    return edges + [f"shield:{site.name}" for site in scenario.shields] + ["origin"]


def _take_over(old: list[Tier], new: list[Tier], before: list[Site], after: list[Site]) -> None:
    for i, tier in enumerate(new):
        names = [each.name for each in fields(Tier) if each.name not in _GIVEN]
        if before[i].cache != after[i].cache:
            names = list(_SERVING)
        _remember(old[i], tier, names)


def _remember(old: Tier | Origin, new: Tier | Origin, names: list[str]) -> None:
    for name in names:
        value: Any = getattr(old, name)
        setattr(new, name, value)
    if old.balanced and new.balanced:
        new.balanced.farm = old.balanced.farm
