"""``insula-cdn advise``. Exit codes: 0 something meets the target, 1 nothing does, 2 wrong use."""

from pathlib import Path

import rich_click as click

from insula_simulator.sweep.cli import Searching, fail, play, read, searching


@click.command()
@click.argument("scenario", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--p99", required=True, metavar="SECONDS", help="Most that is good enough; or 200ms.")
@click.option(
    "--budget", required=True, type=click.FloatRange(min=0, min_open=True),
    help="Money for 30 days, in the scenario's currency.",
)  # fmt: skip
@click.option("--policies", metavar="P,Q", help="Candidates; by default lru,sieve,s3fifo,wtinylfu.")
@click.option(
    "--sizes", metavar="RANGE",
    help="Of an edge's cache, as 1GB..64GB:7log; by default an eighth to eight times the largest.",
)  # fmt: skip
@searching("advice")
def advise(
    *,
    scenario: Path,
    p99: str,
    budget: float,
    policies: str | None,
    sizes: str | None,
    how: Searching,
) -> None:
    """Find the edges, policy and cache size that meet a p99 at least cost.

    Interrupted, it goes on where it stopped when called again.
    """
    from dataclasses import replace

    from insula_simulator.advise import outcome
    from insula_simulator.advise.advising import POLICIES, question
    from insula_simulator.advise.advising import advise as search
    from insula_simulator.sweep import outcome as files
    from insula_simulator.sweep.goal import parse_bound
    from insula_simulator.sweep.values import SweepError, parse_values

    folder, described = how.folder(scenario), read(scenario, how.requests, how.seed)
    try:
        chosen = tuple(policies.split(",")) if policies else POLICIES
        bytes_ = parse_values(sizes) if sizes else None
        limit = parse_bound(f"p99<={p99}").limit
        plan = replace(question(described, limit, budget, chosen, bytes_), threads=how.threads)
        found = play(plan, folder, search, how)
        files.write_outcome(
            found.sweep, folder, outcome.page(found), files.as_json(outcome.as_told(found))
        )
    except SweepError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{folder}: {error.strerror}")
    if how.as_json:
        click.echo(files.as_json(outcome.as_told(found)), nl=False)
    else:
        click.echo("\n".join([*outcome.sentences(found), f"report: {folder / files.REPORT}"]))
    if found.chosen is None:
        raise SystemExit(1)
