"""``insula-cdn calibrate``. Exit codes: 0 done, 1 too far apart (``--check``), 2 not measured."""

from pathlib import Path
from typing import NoReturn

import rich_click as click

from insula_simulator.leaving import leaving_in_order
from insula_simulator.progress import counting_progress
from insula_simulator.traces import READERS, TraceError


@click.command()
@click.option(
    "--trace",
    type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
    help="File of requests; by default synthetic ones under a Zipf law.",
)
@click.option(
    "--format", "format_", default="csv", type=click.Choice(list(READERS)), help="Trace format."
)
@click.option(
    "--requests", default=200_000, type=click.IntRange(100, 10_000_000), show_default=True,
    help="How many of the trace at most.",
)  # fmt: skip
@click.option(
    "--size", type=click.IntRange(1, 1 << 44),
    help="max_size of NGINX's cache, in bytes; by default a tenth of all objects.",
)  # fmt: skip
@click.option(
    "--connections", default=8, type=click.IntRange(1, 64), show_default=True,
    help="Connections that ask at the same time; 1 keeps the order exactly.",
)  # fmt: skip
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
    help="Where NGINX's cache is for the time being; by default the folder for temporary files.",
)
@click.option(
    "--fragment",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what a scenario should say to this file.",
)
@click.option("--check", is_flag=True, help="Exit 1 if they differ by more than 1 or 2 points.")
@click.option("--progress/--no-progress", default=None, help="By default on a terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def calibrate(
    *,
    trace: Path | None,
    format_: str,
    requests: int,
    size: int | None,
    connections: int,
    folder: Path | None,
    fragment: Path | None,
    check: bool,
    progress: bool | None,
    as_json: bool,
) -> None:
    """Play a trace through a real NGINX edge and through the simulator, and say how far apart.

    NGINX must be installed; it is started on loopback with an origin of its own, in a temporary
    folder that is gone afterwards.
    """
    from msgspec.json import encode

    from insula_simulator.calibration.edge import CalibrationError
    from insula_simulator.calibration.measuring import measure
    from insula_simulator.calibration.verdict import as_fragment, as_text, is_near
    from insula_simulator.calibration.workload import first_of, synthetic, tenth

    try:
        keys, sizes = first_of(trace, format_, requests) if trace else synthetic(requests)
        capacity = size or tenth(keys, sizes)
        with leaving_in_order(), counting_progress(len(keys), wanted=progress) as report:
            result = measure(keys, sizes, capacity, connections, folder, report)
        if fragment:
            fragment.write_text(as_fragment(result), "utf-8")
    except CalibrationError as error:
        _fail(str(error))
    except TraceError as error:
        _fail(f"{trace}: {error}")
    except OSError as error:
        _fail(str(error))
    click.echo(encode(result).decode() if as_json else as_text(result))
    if check and not is_near(result):
        raise SystemExit(1)


def _fail(message: str) -> NoReturn:
    click.echo(f"Error: {message}", err=True)
    raise SystemExit(2)
