"""Simulations from Python: results as arrays and data frames."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from msgspec.structs import replace

from insula_simulator.network.account import BUCKETS, FASTEST, PER_DECADE, added
from insula_simulator.results import Result, series, summarise
from insula_simulator.scenario import Scenario, read_scenario
from insula_simulator.simulation import Simulation
from insula_simulator.sweep.axes import axis_of
from insula_simulator.sweep.executing import executor, prepare
from insula_simulator.sweep.goal import parse_goal
from insula_simulator.sweep.journal import Journal
from insula_simulator.sweep.outcome import frame
from insula_simulator.sweep.sweeping import Plan, Runs, check_points, head, sweep
from insula_simulator.sweep.values import Value

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """A run that is over. ``result`` has its figures."""

    simulation: Simulation
    result: Result

    @property
    def series(self) -> pl.DataFrame:
        """A row for each of 120 time bins: fates, bytes, latencies."""
        return series(self.simulation)

    @property
    def servers(self) -> pl.DataFrame:
        """A row for each look (after a chunk of requests) and site: servers, those at work, and the
        seconds that a request would wait."""
        scenario, watch = self.simulation.scenario, self.simulation.watch
        names = [f"edge:{site.name}" for site in scenario.edges]
        names += [f"shield:{site.name}" for site in scenario.shields] + ["origin"]
        rows = [
            (second, name, *look)
            for second, looks in zip(watch.seconds, watch.servers, strict=True)
            for name, look in zip(names, looks, strict=True)
        ]
        return pl.DataFrame(rows, ["second", "site", "servers", "busy", "wait"], orient="row")

    def latencies(self, region: str | None = None) -> tuple[Floats, Floats]:
        """Seconds, and the share of requests (of a region) that took at most so many. Raises
        KeyError."""
        names = [each.name for each in self.simulation.scenario.regions]
        if region is not None and region not in names:
            raise KeyError(region)
        rows = added(self.simulation.ledgers).by_region
        histogram = rows.sum(axis=0) if region is None else rows[names.index(region)]
        seconds: Floats = FASTEST * 10 ** ((np.arange(BUCKETS) + 1) / PER_DECADE)
        return seconds, np.cumsum(histogram) / max(1, int(histogram.sum()))


def _described(scenario: Scenario | Path | str, requests: int | None, seed: int | None) -> Scenario:
    made = scenario if isinstance(scenario, Scenario) else read_scenario(Path(scenario))
    changes = {"requests": requests, "seed": seed}
    return replace(made, **{name: value for name, value in changes.items() if value is not None})


def simulate(
    scenario: Scenario | Path | str,
    *,
    requests: int | None = None,
    seed: int | None = None,
    threads: int = 0,
) -> Run:
    """Play a scenario, or the file of one. ``threads`` 0 is one for each core; the result is the
    same for any number. Raises ScenarioError, OSError."""
    simulation = Simulation(_described(scenario, requests, seed), threads)
    simulation.run()
    return Run(simulation, summarise(simulation))


def sweep_table(
    scenario: Scenario | Path | str,
    vary: Mapping[str, str | Sequence[Value]],
    *,
    minimise: str | None = None,
    subject_to: Sequence[str] = (),
    search: str = "grid",
    requests: int | None = None,
    seed: int | None = None,
    jobs: int = 1,
) -> pl.DataFrame:
    """Play a scenario with many values of its keys, as ``insula-cdn sweep`` does: a row for each
    run. More than one job needs a main module that can be imported (``if __name__ ==
    "__main__"``). Raises ScenarioError, SweepError, OSError."""
    axes = [
        axis_of(key, values if isinstance(values, str) else list(values))
        for key, values in vary.items()
    ]
    described = _described(scenario, requests, seed)
    plan = Plan(described, axes, parse_goal(minimise, subject_to), search)
    check_points(plan)
    prepare(described, [axis.values for axis in axes])
    with (
        tempfile.TemporaryDirectory() as folder,
        Journal(Path(folder), head(described, axes), restart=True) as journal,
        executor(jobs, ray=False) as execute,
    ):
        return frame(sweep(plan, Runs(plan, journal, execute)))
