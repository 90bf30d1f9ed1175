"""What reads a database: testing the connection, inspecting, making a backup."""

import asyncio
import sys

import rich_click as click

from insula_ops.backup import create as creating
from insula_ops.backup import inspecting, sealing
from insula_ops.backup import place as places
from insula_ops.backup.commands import options as opt


@click.group()
def connect() -> None:
    """Connections to databases."""


@connect.command("test")
@opt.url_file
@opt.json_option
@opt.command
def connect_test(url_file: str | None, as_json: bool) -> None:
    """Find out whether a backup could begin: connection, version of pg_dump, rights.

    Exits with 1 if it could not.
    """
    found = asyncio.run(inspecting.test(opt.source(url_file)))
    if as_json:
        opt.print_json(found)
    else:
        click.echo(f"{found.address}: PostgreSQL {found.server_version} as {found.login}")
        click.echo(f"pg_dump {found.pg_dump}")
        if found.unreadable_tables:
            click.echo(f"{found.unreadable_tables} tables may not be read by {found.login}")
    sys.exit(1 if found.unreadable_tables else 0)


@click.command()
@opt.url_file
@click.option("--schema", "schemas", multiple=True, help="Only this schema; may be repeated.")
@opt.json_option
@opt.command
def inspect(url_file: str | None, schemas: tuple[str, ...], as_json: bool) -> None:
    """Show tables, columns, keys, sizes and what depends on what."""
    seen = asyncio.run(inspecting.inspect(opt.source(url_file), list(schemas) or None))
    if as_json:
        opt.print_json(seen)
        return
    click.echo(f"{seen.database}: {opt.size(seen.size)}, PostgreSQL {seen.server_version}, "
               f"{seen.large_objects} large objects")  # fmt: skip
    if seen.extensions:
        click.echo(f"extensions: {', '.join(seen.extensions)}")
    for table in seen.tables:
        click.echo()
        security = ", row security" if table.row_security else ""
        click.echo(f"{table.schema}.{table.name}: {table.kind}, about {table.rows:,} rows, "
                   f"{opt.size(table.size)}{security}")  # fmt: skip
        for line in (*table.columns, *table.keys):
            click.echo(f"    {line}")
        if table.depends_on:
            click.echo(f"    needs {', '.join(table.depends_on)}")


@click.command()
@opt.place
@opt.url_file
@click.option("--schema", "schemas", multiple=True, help="Only this schema; may be repeated.")
@click.option("--name", help="Of the backup; by default the database's with the time.")
@opt.jobs
@click.option(
    "--compression",
    default="zstd",
    show_default=True,
    type=click.Choice(["zstd", "gzip", "none"]),
    help="gzip and none are read by every pg_restore, zstd by those that were built with it.",
)
@click.option("--level", type=int, help="Of the compression; by default 1.")
@click.option(
    "--recipient",
    "recipients",
    multiple=True,
    metavar="age1…",
    help="Encrypt to this public key of age; may be repeated.",
)
@click.option(
    "--recipients-file", "files", multiple=True, metavar="FILE", help="Public keys, one a line."
)
@click.option("--no-sync", is_flag=True, help="Do not wait for the disk: for tests.")
@opt.json_option
@opt.command
def create(
    place: str,
    url_file: str | None,
    schemas: tuple[str, ...],
    name: str | None,
    jobs: int,
    compression: str,
    level: int | None,
    recipients: tuple[str, ...],
    files: tuple[str, ...],
    no_sync: bool,
    as_json: bool,
) -> None:
    """Make a backup of a database, or of some of its schemas, as of one moment."""
    keys = sealing.read_recipients(recipients, files)
    if name is not None:
        creating.check_name(name)
    wanted = creating.Options(name, list(schemas) or None, jobs, compression, level, keys)
    source = opt.source(url_file)
    with opt.progress("copying", None) as report:
        made = asyncio.run(
            creating.create(source, places.open_place(place, durable=not no_sync), wanted, report)
        )
    if as_json:
        opt.print_json(made)
    else:
        click.echo(
            f"{made.name}: {made.tables} tables, {made.rows:,} rows, "
            f"{opt.size(made.raw_bytes)} as {opt.size(made.size)} "
            f"in {opt.span(made.seconds)}"
        )
