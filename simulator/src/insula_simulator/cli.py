"""The command ``insula-cdn``. Exit codes: 0 done, 2 wrong usage or a file that cannot be read."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

import rich_click as click

from insula_simulator.cache import Cache
from insula_simulator.policies import POLICIES, CacheTooSmall
from insula_simulator.progress import compiling, reading_progress
from insula_simulator.replay import Outcome, is_compiled, replay, warm_up
from insula_simulator.traces import READERS, TraceError, read_trace


@click.group()
@click.version_option(package_name="insula-simulator")
def main() -> None:
    """Simulate caches of a content delivery network."""


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
        with compiling(f"compiling {policy}, once", wanted=shown):
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
