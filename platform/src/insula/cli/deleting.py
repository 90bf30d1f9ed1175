"""``insula tenants delete``, ``undelete`` and ``purge``."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import rich_click as click

from insula.cli.announcing import announce, redis_line
from insula.cli.operating import catalogue, installation_settings
from insula.cli.printing import json_option, print_json, print_record, progress_bar
from insula.files.blobs import Blobs
from insula.tenancy import deletion, lifecycle
from insula.tenancy.cells import Cells
from insula.tenancy.filling import Filling
from insula.tenancy.purging import Purging
from insula.tenancy.schemas import TenantLine

Progress = Callable[[str, int, int], None]


class Purged(msgspec.Struct):
    """What a purge has removed."""

    purged: list[str]


@click.command()
@click.argument("slug")
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
def delete(slug: str, yes: bool, as_json: bool) -> None:
    """Delete a tenant: from now on it is as if it did not exist.

    For INSULA_DELETION_GRACE days `insula tenants undelete` brings it back and its slug is nobody
    else's. Then it goes for good, or before with `insula tenants purge`.
    """
    if not yes:
        _confirm(slug, "lets nobody of it in and removes all of its data in a while")
    _show(asyncio.run(_delete(slug)), as_json=as_json)


async def _delete(slug: str) -> TenantLine:
    settings = installation_settings()
    async with catalogue(settings) as work:
        tenant = await lifecycle.get_tenant(work, slug)
        epoch = await deletion.delete(work, tenant, days=settings.deletion_grace)
        line = await lifecycle.get_line(work, slug)
    await announce(settings, tenant, epoch)
    return line


@click.command()
@click.argument("slug")
@json_option
def undelete(slug: str, as_json: bool) -> None:
    """Bring a deleted tenant back as it was. Everybody has to sign in anew."""
    _show(asyncio.run(_undelete(slug)), as_json=as_json)


async def _undelete(slug: str) -> TenantLine:
    settings = installation_settings()
    cells = Cells(settings, size=2)
    try:
        async with redis_line(settings) as redis:
            await deletion.undelete(cells.catalogue, cells.tenants, redis, slug)
    finally:
        await cells.close()
    async with catalogue(settings) as work:
        return await lifecycle.get_line(work, slug)


@click.command()
@click.argument("slug", required=False)
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
def purge(slug: str | None, yes: bool, as_json: bool) -> None:
    """Remove for good: tenants whose time of grace is over, or a deleted one of this SLUG now.

    Workers do the former by themselves. Interrupted, the next run goes on where this one ended.
    """
    if slug is not None and not yes:
        _confirm(slug, "removes all of its data now, for good")
    with progress_bar() as report:
        purged = asyncio.run(_purge(slug, report))
    if as_json:
        print_json(Purged(purged))
    else:
        click.echo(f"{len(purged)} tenants purged" + (f": {', '.join(purged)}" if purged else ""))


async def _purge(slug: str | None, report: Progress) -> list[str]:
    async with _purging() as purging:
        doomed = await purging.due() if slug is None else [await purging.hasten(slug)]
        for done, each in enumerate(doomed):
            report("tenants", done, len(doomed))
            await purging.purge(each)
        report("tenants", len(doomed), len(doomed))
        return [each.slug for each in doomed]


@asynccontextmanager
async def _purging() -> AsyncIterator[Purging]:
    settings = installation_settings()
    cells = Cells(settings, size=2)
    filling = Filling(cells.catalogue, buckets=settings.buckets)
    try:
        async with redis_line(settings) as redis:
            yield Purging(cells, Blobs.open(settings), redis, filling)
    finally:
        await cells.close()


def _confirm(slug: str, what: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask at: use --yes.")
    if click.prompt(f"This {what}. Type the slug of the tenant to go on", err=True) != slug:
        raise click.Abort


def _show(line: TenantLine, *, as_json: bool) -> None:
    if as_json:
        print_json(line)
    else:
        print_record(line)
