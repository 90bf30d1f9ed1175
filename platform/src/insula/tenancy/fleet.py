"""Migrating the catalogue and every tenant, and how far that has come.

Each module of each tenant is a transaction of its own, so a run that was killed is simply run
again. Truth is in each tenant's ``insula_migrations``; ``tenant_modules`` in the catalogue is the
index by which those that are behind are found without asking them all.
"""

import asyncio
from collections.abc import Callable, Iterator
from itertools import groupby
from uuid import UUID

import asyncpg
import msgspec
import structlog
from sqlalchemy import Integer, Text, bindparam, column, func, insert, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from insula.db import Database, Statement, Work
from insula.module import Module
from insula.settings import Settings
from insula.tenancy import core
from insula.tenancy.cells import CATALOGUE_PRELUDE, Cells
from insula.tenancy.migrations import (
    APPLIED,
    MigrationChanged,
    MigrationFile,
    pending,
    read,
    script,
)
from insula.tenancy.provisioning import apply
from insula.tenancy.tables import CatalogueMigration, TenantModule, TenantRow

log = structlog.get_logger("insula.fleet")

Progress = Callable[[str, int, int], None]
"""What is being done, how many are done, how many there are."""

Files = dict[str, tuple[MigrationFile, ...]]
"""The migrations of each module, in the order in which modules build on each other."""

_AT_ONCE = 4
"""Tenants migrated at the same time: as many as sped 10,000 up (FACTS.md)."""

EVERYBODY = "*"
"""Stands for all tenants in a :class:`Failure`."""


class Failure(msgspec.Struct, frozen=True):
    tenant: str
    module: str
    error: str


class Report(msgspec.Struct, frozen=True):
    """What a migration did."""

    tenants: int = 0
    changed: int = 0
    """Modules of tenants that were brought up to date."""
    failures: tuple[Failure, ...] = ()
    skipped: tuple[str, ...] = ()
    """Hardening steps that this server refuses."""


class Due(msgspec.Struct, frozen=True):
    """A module of a tenant that is behind."""

    tenant_id: UUID
    number: int
    slug: str
    module: str
    version: int


def tenant_files(modules: dict[str, Module]) -> Files:
    """What is applied to tenants: the core's files, then the modules', each after its needs."""
    files = {
        name: read(name, module.migrations) for name, module in modules.items() if module.tables
    }
    return {core.TENANT: core.tenant_files(), **files}


async def migrate_fleet(
    settings: Settings, modules: dict[str, Module], progress: Progress
) -> Report:
    """Bring the catalogue and then every tenant up to date."""
    files = tenant_files(modules)
    cells = Cells(settings, size=_AT_ONCE)
    database = cells.catalogue
    try:
        async with database.transaction(0, CATALOGUE_PRELUDE) as catalogue:
            await _migrate_catalogue(catalogue)
            edited = await _release(catalogue, files)
        usable = {n: f for n, f in files.items() if n not in {line.module for line in edited}}
        async with database.transaction(0, CATALOGUE_PRELUDE) as catalogue:
            due = await catalogue.many(DUE, **latest(usable))
        run = _Run(database, usable, due, progress)
        await run.finish()
    finally:
        await cells.close()
    return Report(
        tenants=len({line.number for line in due}),
        changed=run.changed,
        failures=(*edited, *run.failures),
    )


async def _migrate_catalogue(catalogue: Work) -> None:
    await catalogue.run_script(
        "CREATE SCHEMA IF NOT EXISTS ctl; CREATE SCHEMA IF NOT EXISTS spool;"
        "GRANT USAGE ON SCHEMA spool TO PUBLIC"
    )
    exists = await catalogue.find(_HAS_MIGRATIONS)
    for files in (core.catalogue_files(), core.spool_files()):
        module = files[0].module
        applied = await catalogue.many(APPLIED, module=module) if exists else []
        if due := pending(files, applied):
            schema = "spool" if module == core.SPOOL else "ctl"
            await catalogue.run_script(f"SET LOCAL search_path = {schema}, ctl; {script(due)}")
            await catalogue.run_script("SET LOCAL search_path = ctl")
            exists = "ctl.insula_migrations"


async def _release(catalogue: Work, files: Files) -> list[Failure]:
    """Note each file's checksum the first time that this installation sees it. A module with a file
    that was edited since is not migrated anywhere."""
    edited = []
    for name, steps in files.items():
        seen = await catalogue.many(APPLIED, module=name)
        try:
            fresh = pending(steps, seen)
        except MigrationChanged as error:
            edited.append(Failure(EVERYBODY, name, str(error)))
            continue
        rows = [{"module": name, "version": f.version, "checksum": f.checksum} for f in fresh]
        await catalogue.execute_many(_NOTE, rows)
    return edited


class _Run:
    """One walk over the tenants that are behind, several at a time."""

    def __init__(
        self, database: Database, files: Files, due: list[Due], progress: Progress
    ) -> None:
        self.changed = 0
        self.failures: list[Failure] = []
        self._database = database
        self._files = files
        self._total = len(due)
        self._progress = progress
        self._done = 0
        order = list(files)
        self._tenants: Iterator[list[Due]] = iter(
            sorted(lines, key=lambda line: order.index(line.module))
            for _, lines in groupby(due, key=lambda line: line.number)
        )

    async def finish(self) -> None:
        self._progress("tenants", 0, self._total)
        async with asyncio.TaskGroup() as workers:
            for _ in range(_AT_ONCE):
                workers.create_task(self._work())

    async def _work(self) -> None:
        for lines in self._tenants:
            for line in lines:
                if not await self._migrate(line):
                    break  # the modules after it may build on it; the next run tries again
            self._done += len(lines)
            self._progress("tenants", self._done, self._total)

    async def _migrate(self, line: Due) -> bool:
        try:
            async with self._database.transaction(0, CATALOGUE_PRELUDE) as catalogue:
                await catalogue.run_script("SET LOCAL lock_timeout = '3s'")
                await _bring_up_to_date(catalogue, line, self._files[line.module])
        except (asyncpg.PostgresError, MigrationChanged) as error:
            log.error("migration failed", tenant=line.slug, module=line.module, error=str(error))
            self.failures.append(Failure(line.slug, line.module, str(error)))
            return False
        self.changed += 1
        return True


async def _bring_up_to_date(catalogue: Work, line: Due, files: tuple[MigrationFile, ...]) -> None:
    """One module of one tenant, and its line in the catalogue with it."""
    await apply(catalogue, line.number, files)
    await catalogue.execute(
        _SET_VERSION, tenant=line.tenant_id, name=line.module, new_version=files[-1].version
    )


def latest(files: Files) -> dict[str, list[str] | list[int]]:
    """The parameters of :data:`DUE`."""
    return {
        "modules": list(files),
        "versions": [steps[-1].version if steps else 0 for steps in files.values()],
    }


_latest_versions = (
    func.unnest(
        bindparam("modules", type_=ARRAY(Text)), bindparam("versions", type_=ARRAY(Integer))
    )
    .table_valued(column("module", Text), column("version", Integer))
    .render_derived(name="latest")
)
DUE = Statement(
    select(
        TenantModule.tenant_id,
        TenantRow.number,
        TenantRow.slug,
        TenantModule.module,
        TenantModule.version,
    )
    .join(TenantRow, TenantRow.id == TenantModule.tenant_id)
    .join(_latest_versions, _latest_versions.c.module == TenantModule.module)
    .where(TenantModule.version < _latest_versions.c.version)
    .order_by(TenantRow.number, TenantModule.module),
    Due,
)
_SET_VERSION = Statement(
    update(TenantModule)
    .where(TenantModule.tenant_id == bindparam("tenant"), TenantModule.module == bindparam("name"))
    .values(version=bindparam("new_version"), changed_at=func.now())
)
_NOTE = Statement(
    insert(CatalogueMigration).values(
        module=bindparam("module"), version=bindparam("version"), checksum=bindparam("checksum")
    )
)
_HAS_MIGRATIONS = Statement(select(func.to_regclass("ctl.insula_migrations").cast(Text)), str)
