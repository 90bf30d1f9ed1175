"""What puts a backup into a server: the one that is meant, or a throw-away one."""

import asyncio
import sys
from datetime import timedelta

import rich_click as click

from insula_ops.backup import (
    address,
    renaming,
    sealing,
)
from insula_ops.backup import (
    drill as drilling,
)
from insula_ops.backup import (
    place as places,
)
from insula_ops.backup import (
    restore as restoring,
)
from insula_ops.backup.commands import options as opt
from insula_ops.backup.errors import BackupFailed
from insula_ops.backup.reading import Backup


@click.command()
@opt.place
@click.argument("name", required=False)
@opt.url_file
@click.option(
    "--schema",
    "schemas",
    multiple=True,
    metavar="NAME[=NEW]",
    help="Only this schema, under another name if you like; may be repeated.",
)
@click.option("--table", help="Only this table (SCHEMA.TABLE) and what belongs to it.")
@opt.identities
@opt.jobs
@click.option("--create-roles", is_flag=True, help="Make roles that are missing, without password.")
@click.option("--into-occupied", is_flag=True, help="Even if something is there already.")
@opt.json_option
@opt.command
def restore(
    place: str,
    name: str | None,
    url_file: str | None,
    schemas: tuple[str, ...],
    table: str | None,
    identities: tuple[str, ...],
    jobs: int,
    create_roles: bool,
    into_occupied: bool,
    as_json: bool,
) -> None:
    """Restore a backup (by default the newest) into the database of INSULA_RESTORE_URL."""
    target = address.find(address.TARGET, url_file, fall_back=False)
    opened = Backup.open(places.open_place(place), name, sealing.read_identities(identities))
    wanted = restoring.Options(
        opt.schema_names(schemas), _table(table), jobs, into_occupied, create_roles
    )
    renamed = {old: new for old, new in wanted.schemas.items() if old != new}
    with opt.progress("restoring", opened.manifest.raw_bytes) as report:
        done = asyncio.run(restoring.restore(opened, target, wanted, report))
    texts = renaming.mentions(opened.archive(), renamed) if renamed else []
    if as_json:
        opt.print_json({**opt.fields(done), "names_old_schema": texts})
        return
    click.echo(
        f"{done.backup}: {done.tables} tables, {done.rows:,} rows in "
        f"{opt.span(done.seconds)} into {target.shown}"
    )
    for each in done.left_out:
        click.echo(f"left out, because what it needs was not asked for: {each}")
    for each in texts:
        click.echo(f"its text still names the old schema: {each}")


@click.command()
@opt.place
@click.argument("name", required=False)
@opt.identities
@opt.jobs
@click.option("--folder", help="Where the throw-away server keeps its data; by default TMPDIR.")
@click.option("--max-rpo", type=opt.Span(), help="Fail if the backup is older.")
@click.option("--max-rto", type=opt.Span(), help="Fail if restoring takes longer.")
@opt.json_option
@opt.command
def drill(
    place: str,
    name: str | None,
    identities: tuple[str, ...],
    jobs: int,
    folder: str | None,
    max_rpo: timedelta | None,
    max_rto: timedelta | None,
    as_json: bool,
) -> None:
    """Restore a backup (by default the newest) into a throw-away server and compare every row.

    Exits with 1 if a row differs, or a limit is passed.
    """
    there = places.open_place(place)
    opened = Backup.open(there, name, sealing.read_identities(identities))
    with opt.progress("restoring", opened.manifest.raw_bytes) as report:
        done = asyncio.run(drilling.drill(there, opened, jobs, folder, report))
    late = [
        f"{what} is {opt.span(measured)}, at most {opt.span(limit.total_seconds())} was wanted"
        for what, measured, limit in (
            ("RPO", done.rpo_seconds, max_rpo),
            ("RTO", done.rto_seconds, max_rto),
        )
        if limit is not None and measured > limit.total_seconds()
    ]
    if as_json:
        opt.print_json({**opt.fields(done), "good": done.good and not late, "late": late})
    else:
        _show_drill(done, late)
    sys.exit(0 if done.good and not late else 1)


def _show_drill(done: drilling.Drilled, late: list[str]) -> None:
    click.echo(
        f"{done.backup}: {done.tables} tables, {done.rows:,} rows, {done.sequences} "
        f"sequences, {done.large_objects} large objects restored"
    )
    for step, seconds in done.steps.items():
        click.echo(f"    {step}: {opt.span(seconds)}")
    click.echo(f"RPO {opt.span(done.rpo_seconds)} (age of the snapshot)")
    if done.interval_seconds is not None:
        click.echo(f"    {opt.span(done.interval_seconds)} after the backup before it")
    click.echo(f"RTO {opt.span(done.rto_seconds)} (from an empty server to all of it)")
    for fault in (*done.faults, *late):
        click.echo(f"FAILED: {fault}")
    if done.good:
        click.echo(f"every row is as it was backed up (compared in {opt.span(done.check_seconds)})")


def _table(text: str | None) -> tuple[str, str] | None:
    """A schema with a dot in its name cannot be given, a table can."""
    if text is None:
        return None
    schema, dot, name = text.partition(".")
    if not (schema and dot and name):
        raise BackupFailed("--table wants SCHEMA.TABLE")
    return schema, name
