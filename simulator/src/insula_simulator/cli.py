"""The command ``insula-cdn``. Exit codes: 0 done, 2 wrong usage or a file that cannot be read."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

import rich_click as click
from msgspec.structs import replace

from insula_simulator.advise.cli import advise
from insula_simulator.cache import Cache
from insula_simulator.calibration.cli import calibrate
from insula_simulator.live.cli import live
from insula_simulator.policies import POLICIES, CacheTooSmall
from insula_simulator.progress import counting_progress, preparing, reading_progress
from insula_simulator.replay import Outcome, is_compiled, replay, warm_up
from insula_simulator.sweep.cli import sweep
from insula_simulator.traces import READERS, TraceError, read_trace
from insula_simulator.workload.cli import trace as trace_commands


@click.group()
@click.version_option(package_name="insula-simulator")
def main() -> None:
    """Simulate caches of a content delivery network."""


main.add_command(sweep)
main.add_command(calibrate)
main.add_command(live)
main.add_command(trace_commands)
main.add_command(advise)


@main.command()
@click.option(
    "--trace",
    required=True,
    type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
    help="File of requests; /dev/stdin reads a pipe.",
)
@click.option(
    "--format", "format_", required=True, type=click.Choice(list(READERS)), help="Trace format."
)
@click.option("--policy", required=True, type=click.Choice(list(POLICIES)), help="What to evict.")
@click.option(
    "--size",
    required=True,
    type=click.IntRange(min=1, max=1 << 60),
    help="Capacity in bytes; in objects with --ignore-size.",
)
@click.option("--ignore-size", is_flag=True, help="Every object counts 1.")
@click.option(
    "--progress/--no-progress",
    default=None,
    help="By default a bar where stderr is a terminal and the run takes longer than a second.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def cache(
    *,
    trace: Path,
    format_: str,
    policy: str,
    size: int,
    ignore_size: bool,
    progress: bool | None,
    as_json: bool,
) -> None:
    """Replay a trace through one cache and count the hits."""
    try:
        chosen = Cache(policy, size)
        shown = False if is_compiled(policy) else progress
        with preparing(f"compiling {policy}, once", wanted=shown):
            warm_up(policy)
        with trace.open("rb") as file, reading_progress(file, wanted=progress) as report:
            requests = read_trace(file, format_)
            outcome = replay(requests, chosen, ignore_size=ignore_size, on_chunk=report)
    except CacheTooSmall as error:
        raise click.BadParameter(str(error), param_hint="--size") from error
    except TraceError as error:
        _fail(f"{trace}: {error}")
    except OSError as error:
        _fail(f"{trace}: {error.strerror}")
    click.echo(json.dumps(asdict(outcome)) if as_json else _as_text(outcome))


@main.command()
@click.argument("scenario", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the results; by default the scenario's name beside it.",
)
@click.option("--requests", type=click.IntRange(min=1), help="Instead of the scenario's number.")
@click.option("--seed", type=click.IntRange(min=0, max=(1 << 62) - 1), help="Likewise.")
@click.option(
    "--threads", type=click.IntRange(min=1, max=256), help="By default one for each core."
)
@click.option("--progress/--no-progress", default=None, help="By default on a terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def run(
    *,
    scenario: Path,
    out: Path | None,
    requests: int | None,
    seed: int | None,
    threads: int | None,
    progress: bool | None,
    as_json: bool,
) -> None:
    """Simulate a whole network and report on it: result.json, series.parquet, report.html."""
    from insula_simulator import outcome
    from insula_simulator.scenario import ScenarioError, read_scenario
    from insula_simulator.simulation import Simulation

    try:
        described = read_scenario(scenario)
    except ScenarioError as error:
        _fail(f"{scenario}: {error}")
    except OSError as error:
        _fail(f"{scenario}: {error.strerror}")
    changes = {"requests": requests, "seed": seed}
    described = replace(described, **{k: v for k, v in changes.items() if v is not None})
    try:
        what = "reading the trace" if described.traffic.trace else "preparing"
        with preparing(what, wanted=progress):
            simulation = Simulation(described, threads or 0)
        with counting_progress(simulation.scenario.requests, wanted=progress) as report:
            simulation.run(report)
    except ScenarioError as error:
        _fail(f"{scenario}: {error}")
    folder = out or scenario.with_suffix("")
    try:
        result = outcome.write_outcome(simulation, folder)
    except OSError as error:
        _fail(f"{folder}: {error.strerror}")
    if as_json:
        click.echo(outcome.as_json(result), nl=False)
        return
    click.echo(
        f"hit ratio  {result.hit_ratio:.4f}\n"
        f"offload    {result.request_offload:.4f} of requests, {result.byte_offload:.4f} of bytes\n"
        f"errors     {result.error_ratio:.5f}\n"
        f"latency    p50 {result.latency['p50'] * 1000:.1f} ms, "
        f"p99 {result.latency['p99'] * 1000:.1f} ms\n"
        f"cost       {result.cost['total']:.2f}\n"
        f"report     {folder / outcome.REPORT}"
    )


@main.command()
@click.argument("first", type=click.Path(exists=True, path_type=Path))
@click.argument("second", type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def compare(*, first: Path, second: Path, as_json: bool) -> None:
    """Compare two results: folders of earlier runs, or scenarios, which are run."""
    from insula_simulator import comparison
    from insula_simulator.scenario import ScenarioError

    loaded = []
    for path in (first, second):
        try:
            loaded.append(comparison.load(path))
        except ScenarioError as error:
            _fail(f"{path}: {error}")
    figures = comparison.compare(*loaded)
    if as_json:
        click.echo(json.dumps({each.name: [each.first, each.second] for each in figures}))
        return
    click.echo(f"{'':28}{loaded[0].name[:20]:>20} {loaded[1].name[:20]:>20} {'difference':>14}")
    for each in figures:
        row = f"{each.first:>20,.4f} {each.second:>20,.4f} {each.difference:>+14,.4f}"
        click.echo(f"{each.name:28}{row}")


@main.command()
@click.option(
    "--trace", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of requests.",
)  # fmt: skip
@click.option(
    "--format", "format_", required=True, type=click.Choice(list(READERS)), help="Trace format."
)
@click.option("--policy", required=True, type=click.Choice(list(POLICIES)), help="What to evict.")
@click.option("--from", "least", required=True, type=click.IntRange(1, 1 << 60), help="Size.")
@click.option("--to", "most", required=True, type=click.IntRange(1, 1 << 60), help="Size.")
@click.option("--points", default=16, type=click.IntRange(2, 200), help="How many sizes.")
@click.option("--ignore-size", is_flag=True, help="Every object counts 1.")
@click.option("--progress/--no-progress", default=None, help="By default on a terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print the points as JSON.")
def mrc(
    *,
    trace: Path,
    format_: str,
    policy: str,
    least: int,
    most: int,
    points: int,
    ignore_size: bool,
    progress: bool | None,
    as_json: bool,
) -> None:
    """Miss-ratio curve of a policy: many sizes, one pass over the trace."""
    from insula_simulator.curve import curve, sizes_between

    sizes = sizes_between(least, most, points)
    try:
        with trace.open("rb") as file, reading_progress(file, wanted=progress) as report:
            chunks = read_trace(file, format_)
            found = curve(chunks, policy, sizes, ignore_size=ignore_size, on_chunk=report)
    except TraceError as error:
        _fail(f"{trace}: {error}")
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(json.dumps([asdict(point) for point in found]))
        return
    click.echo(f"{'size':>20} {'miss ratio':>11} {'byte miss ratio':>16}")
    for point in found:
        click.echo(f"{point.size:>20,} {point.miss_ratio:>11.4f} {point.byte_miss_ratio:>16.4f}")


def _fail(message: str) -> NoReturn:
    """End with one plain line: a script can search it, a box would break it."""
    click.echo(f"Error: {message}", err=True)
    raise SystemExit(2)


def _as_text(outcome: Outcome) -> str:
    return "\n".join(
        [
            f"requests         {outcome.requests:,}",
            f"hits             {outcome.hits:,}",
            f"miss ratio       {outcome.miss_ratio:.4f}",
            f"byte miss ratio  {outcome.byte_miss_ratio:.4f}",
            f"requests/second  {outcome.requests_per_second:,.0f}",
        ]
    )
