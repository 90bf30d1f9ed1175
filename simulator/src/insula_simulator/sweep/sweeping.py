"""A sweep from its first run to its last, going on from a journal."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

import insula_simulator
from insula_simulator.scenario import Scenario
from insula_simulator.sweep.axes import Axis, Point, candidates, changed
from insula_simulator.sweep.executing import Executor, Task
from insula_simulator.sweep.goal import Figures, Goal, front
from insula_simulator.sweep.journal import Head, Journal, Run
from insula_simulator.sweep.miniature import enlarged, miniature
from insula_simulator.sweep.search import halve, refine, smaller
from insula_simulator.sweep.values import SweepError

OnRun = Callable[[int, int], None]
"""Hears the number of runs done, and of those that are known to be needed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``search`` is for ``grid`` or ``adaptive``; ``refinements`` the most runs between the points
    of the grid; ``threads`` of each run."""

    scenario: Scenario
    axes: Sequence[Axis]
    goal: Goal | None = None
    search: str = "grid"
    refinements: int = 16
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    point: Point
    share: float
    figures: Figures


@dataclass(frozen=True)
class Sweep:
    """What a sweep found. ``rows`` are whole runs, ``screened`` the miniatures that led to them."""

    scenario: Scenario
    axes: Sequence[Axis]
    goal: Goal | None
    rows: list[Row]
    screened: list[Row]

    @property
    def best(self) -> Row | None:
        """None without a goal; it need not keep the goal's bounds."""
        if self.goal is None or not self.rows:
            return None
        return self.ranked()[0]

    def ranked(self) -> list[Row]:
        """Best first; without a goal as they were run."""
        goal = self.goal
        if goal is None:
            return self.rows
        return sorted(self.rows, key=lambda row: (goal.rank(row.figures), smaller(row.point)))

    @property
    def front(self) -> list[Row]:
        """Those that no other beats in both cost and p99."""
        return front(self.rows, [(row.figures["cost"], row.figures["p99"]) for row in self.rows])


def head(scenario: Scenario, axes: Sequence[Axis]) -> Head:
    """What runs must have in common to stand in one journal."""
    program = hashlib.blake2b(digest_size=16)
    package = Path(insula_simulator.__file__).parent
    for file in sorted(package.rglob("*.py")):
        program.update(file.read_bytes())
    told = msgspec.json.encode(scenario)
    if scenario.traffic.trace:
        about = Path(scenario.traffic.trace).stat()
        told += f"{about.st_size} {about.st_mtime_ns}".encode()
    digest = hashlib.blake2b(told, digest_size=16).hexdigest()
    return Head(digest, program.hexdigest(), [axis.key for axis in axes])


def check_points(plan: Plan) -> None:
    """Raises SweepError: there is nothing to vary, or a point is impossible."""
    if not plan.axes:
        raise SweepError("nothing varies: say --vary KEY=VALUES, or --grid FILE")
    if plan.search == "adaptive" and plan.goal is None:
        raise SweepError("an adaptive search needs --minimise")
    for point in candidates(plan.axes):
        changed(plan.scenario, plan.axes, point)


def sweep(plan: Plan, runs: "Runs") -> Sweep:
    """Make the runs that are not known yet.

    Raises:
        SweepError: a process was killed.
    """
    points = list(candidates(plan.axes))
    if plan.search == "grid" or plan.goal is None:
        found = dict(zip(points, runs.evaluate(points, 1.0), strict=True))
    else:
        drawn = 0 if plan.scenario.traffic.trace else plan.scenario.requests
        found = halve(points, drawn, plan.goal, runs.evaluate)
        found = refine(plan.axes, found, plan.goal, runs.evaluate, plan.refinements)
    rows = [Row(point, 1.0, figures) for point, figures in found.items()]
    return Sweep(plan.scenario, plan.axes, plan.goal, rows, runs.screened)


class Runs:
    """Answers from the journal, or by running."""

    def __init__(
        self,
        plan: Plan,
        journal: Journal,
        execute: Executor,
        on_run: OnRun = lambda done, known: None,
    ) -> None:
        self.plan, self.journal, self.execute, self.on_run = plan, journal, execute, on_run
        self.known = {_key(tuple(run.point), run.share): _numbers(run) for run in journal.runs}
        self.screened: list[Row] = []
        self.done = self.wanted = 0

    def evaluate(self, points: Sequence[Point], share: float) -> list[Figures]:
        self.wanted += len(points)
        missing = [point for point in points if _key(point, share) not in self.known]
        self.done += len(points) - len(missing)
        self.on_run(self.done, self.wanted)
        tasks = [Task(i, self._scenario(each, share), self.plan.threads)
                 for i, each in enumerate(missing)]  # fmt: skip
        for number, figures in self.execute(tasks) if tasks else ():
            self._keep(missing[number], share, enlarged(figures, share) if share < 1 else figures)
        answers = [self.known[_key(point, share)] for point in points]
        if share < 1:
            rows = zip(points, answers, strict=True)
            self.screened += [Row(point, share, figures) for point, figures in rows]
        return answers

    def _scenario(self, point: Point, share: float) -> Scenario:
        return miniature(changed(self.plan.scenario, self.plan.axes, point), share)

    def _keep(self, point: Point, share: float, figures: dict[str, float]) -> None:
        told = {name: None if math.isnan(each) else each for name, each in figures.items()}
        self.journal.append(Run(list(point), share, told))
        self.known[_key(point, share)] = figures
        self.done += 1
        self.on_run(self.done, self.wanted)


def _key(point: Point, share: float) -> str:
    return repr((point, share))


def _numbers(run: Run) -> Figures:
    return {name: math.nan if each is None else each for name, each in run.figures.items()}
