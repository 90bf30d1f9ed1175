"""What a migration would do, without doing it."""

import msgspec

from insula.db import Database
from insula.db.pool import Pool
from insula.module import Module
from insula.settings import Settings
from insula.tenancy.cells import CATALOGUE_PRELUDE
from insula.tenancy.fleet.claims import Behind, find_behind, is_wanted, lift_quarantine
from insula.tenancy.fleet.files import Files, migrate_catalogue, release, tenant_files
from insula.tenancy.fleet.report import Failure, Options
from insula.tenancy.migrations import MigrationFile
from insula.tenancy.roles import PROVISIONER, login_url


class Step(msgspec.Struct, frozen=True):
    """A file, and how many tenants it would be applied to."""

    module: str
    version: int
    name: str
    tenants: int
    sql: str


class Plan(msgspec.Struct, frozen=True):
    catalogue: tuple[Step, ...] = ()
    """For the installation's own tables."""
    steps: tuple[Step, ...] = ()
    tenants: int = 0
    quarantined: int = 0
    """Modules of tenants that are behind and would be left out."""
    edited: tuple[Failure, ...] = ()
    """Modules that nothing would be done for, since an applied file was changed."""


class _RollBack(Exception):
    pass


async def plan_fleet(settings: Settings, modules: dict[str, Module], options: Options) -> Plan:
    """Find out what is to be done, in a transaction that is rolled back.

    Raises:
        asyncpg.InvalidPasswordError: nothing is installed in this database yet.
    """
    plan = Plan()
    database = Database([Pool(login_url(settings, PROVISIONER), size=1)])
    try:
        async with database.transaction(0, CATALOGUE_PRELUDE) as catalogue:
            await catalogue.run_script("SET LOCAL lock_timeout = '1s'")
            own = await migrate_catalogue(catalogue)
            files = tenant_files(modules)
            edited = await release(catalogue, files)
            if options.retry_quarantined:
                await lift_quarantine(catalogue, options)
            usable = {n: f for n, f in files.items() if n not in {line.module for line in edited}}
            behind = await find_behind(catalogue, usable)
            plan = _plan(own, usable, behind, tuple(edited), options)
            raise _RollBack
    except _RollBack:
        return plan
    finally:
        await database.close()


def _plan(
    own: list[MigrationFile],
    files: Files,
    behind: list[Behind],
    edited: tuple[Failure, ...],
    options: Options,
) -> Plan:
    due = [line for line in behind if is_wanted(line, options)]
    steps = [
        _step(file, sum(x.module == name and x.version < file.version for x in due))
        for name, those in files.items()
        for file in those
    ]
    return Plan(
        catalogue=tuple(_step(file, 0) for file in own),
        steps=tuple(step for step in steps if step.tenants),
        tenants=len({line.number for line in due}),
        quarantined=sum(line.state == "quarantined" for line in behind),
        edited=edited,
    )


def _step(file: MigrationFile, tenants: int) -> Step:
    return Step(file.module, file.version, file.name, tenants, file.sql)
