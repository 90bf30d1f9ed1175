"""What looks after the backups that there are."""

import sys
from datetime import timedelta

import rich_click as click

from insula_ops.backup import place as places
from insula_ops.backup import retention
from insula_ops.backup import verify as verifying
from insula_ops.backup.commands import options as opt
from insula_ops.backup.errors import BackupFailed


@click.command("list")
@opt.place
@opt.json_option
@opt.command
def list_backups(place: str, as_json: bool) -> None:
    """List backups, the newest first, and what was begun and not finished."""
    there = places.open_place(place)
    made, broken = places.all_manifests(there)
    incomplete = there.incomplete()
    if as_json:
        backups = [
            {
                "name": each.name,
                "database": each.database,
                "taken_at": each.snapshot.taken_at,
                "size": each.size,
                "tables": each.tables,
                "rows": each.rows,
                "schemas": each.schemas,
                "encrypted": bool(each.recipients),
                "server_version": each.server_version,
            }
            for each in made
        ]
        opt.print_json({"backups": backups, "incomplete": sorted(incomplete), "damaged": broken})
        return
    rows = [
        [
            each.name,
            f"{each.snapshot.taken_at:%Y-%m-%d %H:%M:%S}",
            opt.size(each.size),
            f"{each.rows:,}",
            ",".join(each.schemas or ["all"]),
            "age" if each.recipients else "no",
            "whole",
        ]
        for each in made
    ]
    rows += [[name, "", "", "", "", "", "damaged"] for name in broken]
    rows += [
        [name, f"{at:%Y-%m-%d %H:%M:%S}", "", "", "", "", "incomplete"]
        for name, at in sorted(incomplete.items())
    ]
    opt.print_table(["name", "taken", "size", "rows", "schemas", "encrypted", "state"], rows)


@click.command()
@opt.place
@click.argument("name", required=False)
@click.option("--quick", is_flag=True, help="Only whether all files are there with their sizes.")
@opt.jobs
@opt.json_option
@opt.command
def verify(place: str, name: str | None, quick: bool, jobs: int, as_json: bool) -> None:
    """Hold a backup (by default the newest) against its checksums.

    Needs neither a server nor a key. Exits with 1 if anything is missing or changed.
    """
    there = places.open_place(place)
    chosen = name or _newest(there)
    if chosen not in there.names():
        raise BackupFailed(f"there is no backup {chosen} that is whole; `list` shows what is")
    with opt.progress("reading", None) as report:
        verdict = verifying.verify(there, chosen, quick=quick, jobs=jobs, report=report)
    if as_json:
        opt.print_json({"good": verdict.good, **opt.fields(verdict)})
    else:
        for fault in verdict.faults:
            click.echo(f"DAMAGED: {fault}")
        state = "as they were written" if not quick else "there, with their sizes"
        if verdict.good:
            click.echo(f"{chosen}: {verdict.files} files, {opt.size(verdict.size)}: {state}")
    sys.exit(0 if verdict.good else 1)


@click.command()
@opt.place
@click.option("--daily", default=7, show_default=True, type=click.IntRange(0))
@click.option("--weekly", default=4, show_default=True, type=click.IntRange(0))
@click.option("--monthly", default=12, show_default=True, type=click.IntRange(0))
@click.option("--yearly", default=1, show_default=True, type=click.IntRange(0))
@click.option("--database", "databases", multiple=True, help="Only backups of this database.")
@click.option(
    "--incomplete-after",
    default="24h",
    show_default=True,
    type=opt.Span(),
    help="Remove what was begun and not written to for so long.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@opt.json_option
@opt.command
def prune(
    place: str,
    daily: int,
    weekly: int,
    monthly: int,
    yearly: int,
    databases: tuple[str, ...],
    incomplete_after: timedelta,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Remove old backups: keep the newest of each of the last days, weeks, months and years.

    The newest of a database is never removed.
    """
    rule = retention.Rule(daily, weekly, monthly, yearly)
    pruned = retention.prune(
        places.open_place(place),
        rule,
        incomplete_after=incomplete_after,
        dry_run=dry_run,
        databases=databases,
    )
    if as_json:
        opt.print_json({"dry_run": dry_run, **opt.fields(pruned)})
        return
    for name, reasons in sorted(pruned.kept.items()):
        click.echo(f"keep    {name}  ({', '.join(reasons)})")
    for name in sorted((*pruned.removed, *pruned.incomplete)):
        click.echo(f"{'would remove' if dry_run else 'removed'} {name}")
    for name in pruned.unreadable:
        click.echo(f"left alone, because its manifest cannot be read: {name}")


@click.command()
@opt.place
@click.option("--max-age", required=True, type=opt.Span(), help="Like 26h.")
@click.option("--database", help="Of this database; by default of each one that is there.")
@opt.json_option
@opt.command
def check(place: str, max_age: timedelta, database: str | None, as_json: bool) -> None:
    """For monitoring: is the newest backup of each whole database younger than --max-age?

    Exits with 1 if one is older, or there is none.
    """
    ages = retention.ages(places.open_place(place), database)
    stale = sorted(name for name, age in ages.items() if age > max_age)
    good = bool(ages) and not stale
    if as_json:
        seconds = {name: age.total_seconds() for name, age in ages.items()}
        opt.print_json({"good": good, "newest_age_seconds": seconds, "stale": stale})
    else:
        for name, age in sorted(ages.items()):
            state = "STALE" if name in stale else "fresh"
            click.echo(f"{state}: {name}: {opt.span(age.total_seconds())} old")
        if not ages:
            click.echo("STALE: there is no backup")
    sys.exit(0 if good else 1)


def _newest(there: places.Place) -> str:
    made, _ = places.all_manifests(there)
    if not made:
        raise BackupFailed("there is no backup that is whole")
    return made[0].name
