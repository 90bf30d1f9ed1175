"""``insula lab``: what proves an installation under load and failure."""

import json
import sys
from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from insula_ops.drills.crash import Outcome


@click.group()
def lab() -> None:
    """Break and load installations on purpose."""


@lab.command("crash-drill")
@click.option("--seconds", default=60.0, show_default=True, help="How long people write.")
@click.option("--writers", default=4, show_default=True, help="How many people write.")
@click.option(
    "--kill", "parts", multiple=True, default=("web", "worker", "redis", "worker", "web"),
    type=click.Choice(["web", "worker", "redis", "postgres"]), show_default=True,
    help="What is killed, in this order; may be given several times.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON document.")
def crash_drill(seconds: float, writers: int, parts: tuple[str, ...], as_json: bool) -> None:
    """Kill -9 every part of an installation of its own, under load; prove that nothing is lost.

    Exits with 1 if an acknowledged write or an event of it is missing, or events of one note came
    in the wrong order.
    """
    from insula_ops.drills import crash

    outcome = crash.run(seconds, writers, list(parts), lambda line: click.echo(line, err=True))
    if as_json:
        click.echo(json.dumps(outcome.as_json()))
    else:
        _show(outcome)
    sys.exit(1 if outcome.faults else 0)


def _show(outcome: "Outcome") -> None:
    for part, seconds in outcome.recovery_seconds:
        click.echo(f"{part:9} killed, ready again after {seconds:.1f} s")
    click.echo(
        f"{outcome.writes} acknowledged writes ({outcome.repeated} sent again), "
        f"{outcome.events} webhooks, {outcome.duplicates} of them repeated"
    )
    for fault in outcome.faults:
        click.echo(f"LOST: {fault}")
    click.echo("nothing was lost" if not outcome.faults else f"{len(outcome.faults)} faults")
