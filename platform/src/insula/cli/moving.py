"""``insula tenants move``: to another PostgreSQL server."""

import asyncio
from functools import partial

import rich_click as click

from insula.cli.announcing import announce
from insula.cli.operating import catalogue, installation_settings
from insula.cli.printing import json_option, print_json, print_record, print_table, progress_bar
from insula.module import discover
from insula.settings import Settings
from insula.tenancy.cells import Cells
from insula.tenancy.lifecycle import get_tenant
from insula.tenancy.moving import records
from insula.tenancy.moving.beginning import begin
from insula.tenancy.moving.mover import Mover, Progress
from insula.tenancy.moving.records import Move


@click.command()
@click.argument("slug", required=False)
@click.argument("cell", required=False)
@click.option("--status", is_flag=True, help="Show moves, all or this tenant's, and do nothing.")
@click.option("--cancel", is_flag=True, help="Have the tenant stay where it is.")
@json_option
def move(slug: str | None, cell: str | None, status: bool, cancel: bool, as_json: bool) -> None:
    """Move a tenant to another cell (`insula cells list`), while it serves.

    Writes wait for a moment at the end, reads go on. Interrupted or killed, the same command goes
    on where this one ended; once writes wait, a worker does so by itself.
    """
    if status:
        _show(asyncio.run(_list(slug)), as_json=as_json)
        return
    if slug is None or (cell is None) != cancel:
        raise click.UsageError("Name a tenant and a cell; with --cancel a tenant.")
    with progress_bar() as report:
        done = asyncio.run(_cancel(slug) if cancel else _move(slug, cell or "", report))
    if as_json:
        print_json(done)
    elif done is not None:
        print_record(done)


async def _move(slug: str, cell: str, progress: Progress) -> Move:
    settings = installation_settings()
    async with catalogue(settings) as work:
        begun = await begin(work, settings, slug, cell)
    cells = Cells(settings, size=2)
    try:
        return await _mover(settings, cells, progress).run(begun)
    finally:
        await cells.close()


async def _cancel(slug: str) -> None:
    settings = installation_settings()
    begun = next((move for move in await _list(slug) if move.phase != "done"), None)
    if begun is None:
        raise click.ClickException(f"{slug} does not move.")
    cells = Cells(settings, size=2)
    try:
        await _mover(settings, cells, lambda *_: None).cancel(begun)
    finally:
        await cells.close()


def _mover(settings: Settings, cells: Cells, progress: Progress) -> Mover:
    return Mover(cells, discover(), partial(announce, settings), progress)


async def _list(slug: str | None) -> list[Move]:
    async with catalogue(installation_settings()) as work:
        if slug is None:
            return await work.many(records.ALL)
        tenant = await get_tenant(work, slug)
        found = await work.find(records.OF_TENANT, tenant=tenant.id)
        return [] if found is None else [found]


def _show(moves: list[Move], *, as_json: bool) -> None:
    if as_json:
        print_json(moves)
        return
    rows = [(m.slug, m.source, m.target, m.phase, m.size, m.pause or "-") for m in moves]
    print_table(("slug", "from bucket", "to bucket", "phase", "bytes", "pause in s"), rows)
