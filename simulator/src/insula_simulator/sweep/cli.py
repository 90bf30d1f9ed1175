"""``insula-cdn sweep``. Exit codes: 0 done, 1 no run keeps the bounds, 2 wrong usage or files."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import rich_click as click
from msgspec.structs import replace
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from insula_simulator.scenario import Scenario
    from insula_simulator.sweep.sweeping import OnRun, Plan, Runs, Sweep

Found = TypeVar("Found")


@dataclass(frozen=True)
class Searching:
    """How a search is run: what ``sweep`` and ``advise`` take alike."""

    kind: str
    out: Path | None
    restart: bool
    requests: int | None
    seed: int | None
    jobs: int | None
    ray: bool
    progress: bool | None
    as_json: bool

    def folder(self, scenario: Path) -> Path:
        return self.out or scenario.with_name(f"{scenario.stem}-{self.kind}")

    @property
    def threads(self) -> int:
        """What each run may use when so many share the cores."""
        cores = os.cpu_count() or 1
        return max(1, cores // (self.jobs or cores))


def searching(kind: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options of :class:`Searching`, given to the command as ``how``; results are by default in
    a folder that ends in ``kind``."""
    options = (
        click.option(
            "--out", type=click.Path(file_okay=False, path_type=Path),
            help=f"Folder of the results; by default NAME-{kind} beside the scenario.",
        ),
        click.option(
            "--restart", is_flag=True, help="Forget what an earlier search left in the folder."
        ),
        click.option(
            "--requests", type=click.IntRange(min=1), help="Instead of the scenario's number."
        ),
        click.option("--seed", type=click.IntRange(min=0, max=(1 << 62) - 1), help="Likewise."),
        click.option(
            "--jobs", type=click.IntRange(1, 256), help="Runs at a time; by default the cores."
        ),
        click.option(
            "--ray", is_flag=True, help="Run on Ray, on the cluster in RAY_ADDRESS if set."
        ),
        click.option("--progress/--no-progress", default=None, help="By default on a terminal."),
        click.option("--json", "as_json", is_flag=True, help=f"Print the {kind} as JSON."),
    )  # fmt: skip

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def called(**values: Any) -> None:
            shared = {each.name: values.pop(each.name) for each in fields(Searching)[1:]}
            command(**values, how=Searching(kind, **shared))

        decorated: Callable[..., None] = called
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


@click.command()
@click.argument("scenario", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--vary", multiple=True, metavar="KEY=VALUES",
    help="As 'edges[*].cache.policy=lru,sieve' or 'http.ttl=60s..24h:5log'; repeat for a grid.",
)  # fmt: skip
@click.option(
    "--grid", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file with [sweep] and [sweep.vary].",
)  # fmt: skip
@click.option("--minimise", metavar="FIGURE", help="What is to be small: cost, p99, origin_bytes …")
@click.option("--subject-to", multiple=True, metavar="BOUND", help="As 'p99<0.2'; may be repeated.")
@click.option(
    "--search", type=click.Choice(["grid", "adaptive"]),
    help="All of the grid, or what small runs find promising and then between its points.",
)  # fmt: skip
@click.option(
    "--refine", default=16, show_default=True, type=click.IntRange(0, 1000),
    help="Most runs of an adaptive search between the points of the grid.",
)  # fmt: skip
@searching("sweep")
def sweep(
    *,
    scenario: Path,
    vary: tuple[str, ...],
    grid: Path | None,
    minimise: str | None,
    subject_to: tuple[str, ...],
    search: str | None,
    refine: int,
    how: Searching,
) -> None:
    """Run a scenario with many values of its keys, and compare.

    Interrupted, it goes on where it stopped when called again.
    """
    from insula_simulator.sweep import outcome
    from insula_simulator.sweep.axes import axis_of, parse_axis
    from insula_simulator.sweep.goal import parse_goal
    from insula_simulator.sweep.grid import Grid, read_grid
    from insula_simulator.sweep.sweeping import Plan
    from insula_simulator.sweep.sweeping import sweep as play_all
    from insula_simulator.sweep.values import SweepError

    folder, described = how.folder(scenario), read(scenario, how.requests, how.seed)
    try:
        file = read_grid(grid) if grid else Grid()
        axes = [axis_of(*each) for each in file.vary.items()] + [parse_axis(each) for each in vary]
        goal = parse_goal(minimise or file.minimise, (*file.subject_to, *subject_to))
        chosen = search or file.search or "grid"
        plan = Plan(described, axes, goal, chosen, refine, how.threads)
        found = play(plan, folder, play_all, how)
        outcome.write_outcome(found, folder)
    except SweepError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{folder}: {error.strerror}")
    if how.as_json:
        click.echo(outcome.as_json(outcome.told(found)), nl=False)
    else:
        _print(found, folder / outcome.REPORT)
    if found.best and goal and not goal.is_met(found.best.figures):
        raise SystemExit(1)


def read(path: Path, requests: int | None, seed: int | None) -> "Scenario":
    """The scenario with what the command line changes; ends the command if it is wrong."""
    from insula_simulator.scenario import ScenarioError, read_scenario

    try:
        described = read_scenario(path)
    except ScenarioError as error:
        fail(f"{path}: {error}")
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    changes = {"requests": requests, "seed": seed}
    return replace(described, **{k: v for k, v in changes.items() if v is not None})


def play(
    plan: "Plan", folder: Path, search: "Callable[[Plan, Runs], Found]", how: Searching
) -> "Found":
    """What the search finds by runs that are kept in the folder. Raises SweepError."""
    from insula_simulator.sweep.executing import executor, prepare
    from insula_simulator.sweep.journal import Journal
    from insula_simulator.sweep.sweeping import Runs, check_points, head

    check_points(plan)
    with counting_runs(how.progress) as report:
        prepare(plan.scenario, [axis.values for axis in plan.axes])
        with (
            Journal(folder, head(plan.scenario, plan.axes), restart=how.restart) as journal,
            executor(how.jobs, ray=how.ray) as execute,
        ):
            return search(plan, Runs(plan, journal, execute, report))


@contextmanager
def counting_runs(wanted: bool | None) -> Iterator["OnRun"]:
    """Shows how many runs are done and how long the rest takes."""
    console = Console(stderr=True)
    if wanted is False or (wanted is None and not console.is_terminal):
        yield lambda done, known: None
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("preparing", total=None)
        yield lambda done, known: bar.update(task, description="runs", completed=done, total=known)


def _print(found: "Sweep", report: Path) -> None:
    from insula_simulator.sweep.page import COLUMNS, written
    from insula_simulator.sweep.values import shown

    goal, best = found.goal, found.best
    rows = found.ranked()
    heads = [axis.key for axis in found.axes] + [name.replace("_", " ") for name in COLUMNS]
    cells = [
        [*map(shown, row.point), *(written(name, row.figures[name]) for name in COLUMNS)]
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    for line in [heads, *cells]:
        click.echo("  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)))
    if goal and best:
        met = "best" if goal.is_met(best.figures) else "no run keeps the bounds; nearest"
        click.echo(f"{met}: the first line ({goal})")
    click.echo(f"report: {report}")


def fail(message: str) -> NoReturn:
    """End with one plain line: a script can search it, a box would break it."""
    click.echo(f"Error: {message}", err=True)
    raise SystemExit(2)
