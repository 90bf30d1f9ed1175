"""``insula cells``: the PostgreSQL databases over which tenants are spread."""

import asyncio
import os
import sys

import rich_click as click

from insula.cli.operating import catalogue, installation_settings
from insula.cli.printing import json_option, print_json, print_record, print_table, warn
from insula.tenancy import joining
from insula.tenancy.cells import BUCKETS_OF_CELL, Cells
from insula.tenancy.joining import CellLine
from insula.tenancy.room import shortage

URL = "INSULA_CELL_URL"


@click.group()
def cells() -> None:
    """Spread tenants over several PostgreSQL databases, on one server or on several.

    Cell 0, home, is INSULA_DATABASE_URL. New tenants go to the open cell that is least full;
    `insula tenants move` takes one elsewhere.
    """


@cells.command()
@click.argument("name")
@click.option("--here", is_flag=True, help="Make a database for it, on home's own server.")
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
def add(name: str, here: bool, buckets: int, capacity: int, as_json: bool) -> None:
    """Make a database a cell, or repair and upgrade one that is.

    With --here the login of INSULA_DATABASE_URL makes one beside home's, named after it. Else the
    URL of a login that may create roles there is read from INSULA_CELL_URL, or from stdin: it is
    used once and not kept. Passwords of Insula's own logins derive from INSULA_SECRET_KEY.
    """
    settings = installation_settings()
    size = {"buckets": buckets, "capacity": capacity}
    if here:
        joined = asyncio.run(joining.add_beside_home(settings, name, **size))
    else:
        joined = asyncio.run(joining.add(settings, name, _url(), **size))
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
    """Every cell, and how full it is; a warning where there is little room for new tenants."""
    lines = asyncio.run(_lines())
    if as_json:
        print_json(lines)
        _warn_of_shortage(lines)
        return
    rows = [
        (line.number, line.name, line.state, line.tenants, line.capacity, line.url or "-")
        for line in lines
    ]
    print_table(("cell", "name", "state", "tenants", "capacity", "url"), rows)
    _warn_of_shortage(lines)


@cells.command()
@click.argument("name")
@click.argument("tenants", type=click.IntRange(min=1))
@json_option
def capacity(name: str, tenants: int, as_json: bool) -> None:
    """Say how many tenants a cell is to hold, home among them."""

    async def change() -> list[CellLine]:
        async with catalogue(installation_settings()) as work:
            await joining.set_capacity(work, name, tenants)
            return await joining.list_cells(work)

    _show(name, asyncio.run(change()), as_json=as_json)


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

    _show(name, asyncio.run(change()), as_json=as_json)


def _show(name: str, lines: list[CellLine], *, as_json: bool) -> None:
    (line,) = (line for line in lines if line.name == name)
    if as_json:
        print_json(line)
    else:
        print_record(line)


@cells.command()
@json_option
def check(as_json: bool) -> None:
    """Whether every cell answers, is what it is taken for, and is up to date; else exit code 1.
    Cells that are full are warned of."""

    async def ask() -> tuple[list[CellLine], dict[str, str]]:
        there = Cells(installation_settings(), size=1)
        try:
            lines = [line for line in await _lines() if line.state != "closed"]
            states = {line.name: await joining.check(there, line) or "ok" for line in lines}
            return lines, states
        finally:
            await there.close()

    lines, found = asyncio.run(ask())
    if as_json:
        print_json(found)
    else:
        print_table(("cell", "state"), list(found.items()))
    _warn_of_shortage(lines)
    if set(found.values()) != {"ok"}:
        sys.exit(1)


def _warn_of_shortage(lines: list[CellLine]) -> None:
    if found := shortage(lines):
        warn(found)


async def _lines() -> list[CellLine]:
    async with catalogue(installation_settings()) as work:
        return await joining.list_cells(work)
