"""``insula-cdn trace``. Exit codes: 0 done, 2 wrong usage or a file that cannot be read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import rich_click as click

from insula_simulator.leaving import leaving_in_order
from insula_simulator.progress import counting_progress, reading_progress
from insula_simulator.traces import READERS, TraceError, evenly, read_trace

FORMATS = ("csv", "parquet", "oracleGeneral")
"""Those that are written too."""


@click.group()
def trace() -> None:
    """Convert, describe and imitate recorded traces."""


def _input(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--progress/--no-progress", default=None, help="By default on a terminal."),
        click.option(
            "--format", "format_", required=True, type=click.Choice(list(READERS)),
            help="Trace format.",
        ),
        click.argument(
            "source", metavar="TRACE",
            type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
        ),
    ):  # fmt: skip
        function = option(function)
    return function


@trace.command()
@_input
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--to", required=True, type=click.Choice(FORMATS), help="Format to write.")
@click.option("--requests", type=click.IntRange(min=1), help="Only so many, from the start.")
def convert(
    *,
    source: Path,
    target: Path,
    format_: str,
    to: str,
    requests: int | None,
    progress: bool | None,
) -> None:
    """Write TRACE in another format to TARGET, compressed if that ends in .zst or .gz.

    Ids become their 64-bit keys; requests of size 0 are left out, as everywhere. TARGET is written
    whole or not at all.
    """
    from insula_simulator.workload.writers import write_trace

    with (
        _complaints(source),
        source.open("rb") as file,
        reading_progress(file, wanted=progress) as report,
    ):
        chunks = evenly(read_trace(file, format_), 1 << 16, requests or 1 << 62)
        done = 0

        def counted() -> Iterator[Any]:
            nonlocal done
            for chunk in chunks:
                done += len(chunk.keys)
                yield chunk
                report(done)

        write_trace(counted(), target, to)
    click.echo(f"{done:,} requests written to {target}")


@trace.command()
@_input
@click.option("--distances/--no-distances", default=True, help="Reuse distances take the longest.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def stat(
    *, source: Path, format_: str, distances: bool, progress: bool | None, as_json: bool
) -> None:
    """Say what TRACE is like: popularity, sizes, reuse, rate."""
    from msgspec.json import encode

    from insula_simulator.workload.statistics import survey
    from insula_simulator.workload.tables import statistics_text

    with (
        _complaints(source),
        source.open("rb") as file,
        reading_progress(file, wanted=progress) as report,
    ):
        found = survey(read_trace(file, format_), distances=distances, on_chunk=report).result()
    click.echo(encode(found).decode() if as_json else statistics_text(found), nl=as_json)


@trace.command()
@_input
@click.option(
    "--requests", default=1_000_000, show_default=True, type=click.IntRange(1, 50_000_000),
    help="How many of the trace are imitated, from its start; they are held in memory.",
)  # fmt: skip
@click.option("--seed", default=1, type=click.IntRange(0, (1 << 62) - 1), help="Of the chances.")
@click.option(
    "--toml", type=click.Path(dir_okay=False, path_type=Path),
    help="Write a scenario's [traffic] to this file.",
)  # fmt: skip
@click.option(
    "--write", type=click.Path(dir_okay=False, path_type=Path),
    help="Write a synthetic trace to this file.",
)  # fmt: skip
@click.option("--to", default="csv", type=click.Choice(FORMATS), help="Format of that trace.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def synth(
    *,
    source: Path,
    format_: str,
    requests: int,
    seed: int,
    toml: Path | None,
    write: Path | None,
    to: str,
    progress: bool | None,
    as_json: bool,
) -> None:
    """Fit a synthetic workload to TRACE, and say how near it comes."""
    from msgspec.json import encode

    from insula_simulator.workload.synthesis import TRIES, as_toml, imitate, synthetic
    from insula_simulator.workload.tables import imitation_text
    from insula_simulator.workload.writers import write_text, write_trace

    with _complaints(source):
        with source.open("rb") as file, reading_progress(file, wanted=progress):
            chunks = list(evenly(read_trace(file, format_), 1 << 16, requests))
        with counting_progress(TRIES, wanted=progress) as report:
            found = imitate(chunks, seed, report)
        del chunks
        if toml:
            write_text(as_toml(found, source.name), toml)
        if write:
            drawn = synthetic(found.traffic, found.requests, found.duration, seed)
            write_trace(drawn, write, to)
    if as_json:
        click.echo(encode(found).decode())
        return
    click.echo(imitation_text(found))
    if not toml:
        click.echo(as_toml(found, source.name), nl=False)


@contextmanager
def _complaints(source: Path) -> Iterator[None]:
    """What went wrong becomes one line; SIGTERM leaves no unfinished file."""
    try:
        with leaving_in_order():
            yield
    except TraceError as error:
        _fail(f"{source}: {error}")
    except OSError as error:
        _fail(f"{error.filename or source}: {error.strerror or error}")


def _fail(message: str) -> NoReturn:
    click.echo(f"Error: {message}", err=True)
    raise SystemExit(2)
