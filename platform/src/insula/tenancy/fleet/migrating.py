"""The whole migration: catalogue, then tenants."""

from collections import Counter

import msgspec
from sqlalchemy import select

from insula.db import Statement, Work
from insula.module import Module
from insula.settings import Settings
from insula.tenancy import core, spool
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME, Cells
from insula.tenancy.fleet.attempt import CellDown, at_cell
from insula.tenancy.fleet.claims import count_quarantined, lift_quarantine
from insula.tenancy.fleet.empty import migrate_slots
from insula.tenancy.fleet.files import foundations, migrate_catalogue, release, tenant_files
from insula.tenancy.fleet.report import DownCell, Options, Progress, Report
from insula.tenancy.fleet.run import Run, Stopped
from insula.tenancy.fleet.tempo import Audience, Tempo
from insula.tenancy.lifecycle import get_tenant
from insula.tenancy.migrations import ALONE
from insula.tenancy.tables import CellRow

_SYNC = "SELECT pg_current_xact_id()"
"""Has a transaction something to commit, which waits until it, and all before it, is on the disk:
tenants were migrated without waiting for that."""


class _Cell(msgspec.Struct, frozen=True):
    number: int
    name: str


_FURTHER_CELLS = Statement(
    select(CellRow.number, CellRow.name)
    .where(CellRow.number != HOME, CellRow.state != "closed")
    .order_by(CellRow.number),
    _Cell,
)


async def migrate_fleet(
    settings: Settings, modules: dict[str, Module], progress: Progress, options: Options
) -> Report:
    """Bring the catalogue and then every tenant up to date.

    Raises:
        TenantNotFound: the options name a tenant that there is not.
    """
    files = tenant_files(modules)
    cells = Cells(settings, size=options.workers)
    try:
        async with cells.catalogue.transaction(HOME, CATALOGUE_PRELUDE) as catalogue:
            await catalogue.run_script(ALONE)
            await migrate_catalogue(catalogue)
            edited = await release(catalogue, files)
            await _check(catalogue, options)
            further = await catalogue.many(_FURTHER_CELLS)
            if options.retry_quarantined:
                await lift_quarantine(catalogue, options)
        down = await _migrate_spools(cells, further)
        needs, unusable = foundations(modules), {line.module for line in edited}
        usable = {n: f for n, f in files.items() if not unusable & {n, *needs[n]}}
        audience = Audience(settings.redis_url)
        tempo = Tempo(options, audience)
        run = Run(cells.catalogue, usable, needs, options, progress, down, tempo)
        stopped = ""
        try:
            async with audience.watched():
                await run.finish()
            if core.TENANT in usable and not options.tenants and not options.modules:
                await migrate_slots(cells.catalogue, usable[core.TENANT], down, batch=options.batch)
        except Stopped as error:
            stopped = str(error)
        async with cells.catalogue.transaction(HOME, CATALOGUE_PRELUDE) as catalogue:
            quarantined = await count_quarantined(catalogue)
            await catalogue.run_script(_SYNC)
        left = await run.count_left() if down else Counter[int]()
    finally:
        await cells.close()
    return Report(
        tenants=run.tenants,
        changed=run.changed,
        failures=(*edited, *run.failures),
        locked=tuple(run.locked.values()),
        down=tuple(
            DownCell(cell.name, down[cell.number], left[cell.number])
            for cell in further
            if cell.number in down
        ),
        quarantined=quarantined,
        stopped=stopped,
        seconds=run.pace.seconds,
        aside=tempo.aside,
    )


async def _migrate_spools(cells: Cells, further: list[_Cell]) -> dict[int, str]:
    """What every cell has besides its tenants. The cells that are down, and why."""
    down: dict[int, str] = {}
    for cell in further:
        try:
            async with at_cell(cells.catalogue, cell.number) as there:
                await spool.install(there)
        except CellDown as error:
            down[error.cell] = str(error)
    return down


async def _check(catalogue: Work, options: Options) -> None:
    """A slug that was mistyped must not mean: nobody.

    Raises:
        TenantNotFound: there is no such tenant.
    """
    named = [*options.tenants, *filter(None, [options.canary_slug])]
    for slug in named:
        await get_tenant(catalogue, slug)
