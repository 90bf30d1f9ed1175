"""``insula cells``: the PostgreSQL servers over which tenants are spread."""

import asyncio
import os
import sys

import rich_click as click

from insula.cli.operating import catalogue, installation_settings
from insula.cli.printing import json_option, print_json, print_record, print_table, warn
from insula.tenancy import joining
from insula.tenancy.cells import BUCKETS_OF_CELL, Cells
from insula.tenancy.joining import CellLine

URL = "INSULA_CELL_URL"


@click.group()
def cells() -> None:
    """Spread tenants over several PostgreSQL servers.

    Cell 0, home, is INSULA_DATABASE_URL. New tenants go to the open cell that is least full;
    `insula tenants move` takes one elsewhere.
    """


@cells.command()
@click.argument("name")
@click.option(
    "--buckets",
    type=click.IntRange(1, BUCKETS_OF_CELL),
    default=4,
    show_default=True,
    help="Login roles over which its tenants are spread.",
)
@click.option(
    "--capacity",
    type=click.IntRange(min=1),
    default=2000,
    show_default=True,
    help="Tenants that it is to hold.",
)
@json_option
def add(name: str, buckets: int, capacity: int, as_json: bool) -> None:
    """Make a server a cell, or repair and upgrade one that is.

    The URL of a login that may create roles there is read from INSULA_CELL_URL, else from stdin:
    it is used once and not kept. Passwords of Insula's own logins derive from INSULA_SECRET_KEY.
    """
    url = _url()
    settings = installation_settings()
    joined = asyncio.run(joining.add(settings, name, url, buckets=buckets, capacity=capacity))
    if as_json:
        print_json(joined)
    else:
        print_record(joined.cell)
    for step in joined.skipped:
        warn(f"this server refuses: {step}")


def _url() -> str:
    if url := os.environ.get(URL, "").strip():
        return url
    if sys.stdin.isatty():
        asked: str = click.prompt("PostgreSQL URL of a login that may create roles", err=True)
        return asked.strip()
    if url := sys.stdin.readline().strip():
        return url
    raise click.UsageError(f"No URL: set {URL} or write it to stdin.")


@cells.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Every cell, and how full it is."""
    lines = asyncio.run(_lines())
    if as_json:
        print_json(lines)
        return
    rows = [
        (line.number, line.name, line.state, line.tenants, line.capacity, line.url or "-")
        for line in lines
    ]
    print_table(("cell", "name", "state", "tenants", "capacity", "url"), rows)


@cells.command()
@click.argument("name")
@json_option
def drain(name: str, as_json: bool) -> None:
    """Send no new tenants to a cell; those that are there stay until they are moved."""
    _set(name, "draining", as_json=as_json)


@cells.command("open")
@click.argument("name")
@json_option
def open_(name: str, as_json: bool) -> None:
    """Send new tenants to a cell again."""
    _set(name, "open", as_json=as_json)


@cells.command()
@click.argument("name")
@json_option
def close(name: str, as_json: bool) -> None:
    """Take leave of a cell that has no tenants any more; its server can be switched off."""
    _set(name, "closed", as_json=as_json)


def _set(name: str, state: str, *, as_json: bool) -> None:
    async def change() -> list[CellLine]:
        async with catalogue(installation_settings()) as work:
            await joining.set_state(work, name, state)
            return await joining.list_cells(work)

    (line,) = (line for line in asyncio.run(change()) if line.name == name)
    if as_json:
        print_json(line)
    else:
        print_record(line)


@cells.command()
@json_option
def check(as_json: bool) -> None:
    """Whether every cell answers, is what it is taken for, and is up to date; else exit code 1."""

    async def ask() -> dict[str, str]:
        there = Cells(installation_settings(), size=1)
        try:
            lines = [line for line in await _lines() if line.state != "closed"]
            return {line.name: await joining.check(there, line) or "ok" for line in lines}
        finally:
            await there.close()

    found = asyncio.run(ask())
    if as_json:
        print_json(found)
    else:
        print_table(("cell", "state"), list(found.items()))
    if set(found.values()) != {"ok"}:
        sys.exit(1)


async def _lines() -> list[CellLine]:
    async with catalogue(installation_settings()) as work:
        return await joining.list_cells(work)
