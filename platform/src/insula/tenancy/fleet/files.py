"""What is applied: the migration files of the catalogue, the core and the modules."""

from sqlalchemy import Text, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from insula.db import Statement, Work
from insula.module import Module
from insula.tenancy import core
from insula.tenancy.fleet.report import EVERYBODY, Failure
from insula.tenancy.migrations import (
    APPLIED,
    MigrationChanged,
    MigrationFile,
    pending,
    read,
    script,
)
from insula.tenancy.tables import CatalogueMigration

Files = dict[str, tuple[MigrationFile, ...]]
"""The migrations of each module, in the order in which modules build on each other."""


def tenant_files(modules: dict[str, Module]) -> Files:
    """What is applied to tenants: the core's files, then the modules', each after its needs."""
    files = {
        name: read(name, module.migrations) for name, module in modules.items() if module.tables
    }
    return {core.TENANT: core.tenant_files(), **files}


def foundations(modules: dict[str, Module]) -> dict[str, frozenset[str]]:
    """The modules without whose newest tables a module's migrations are not run: the core, and what
    it needs, directly or not."""
    found: dict[str, frozenset[str]] = {core.TENANT: frozenset()}
    for name, module in modules.items():  # needs come first
        found[name] = frozenset({core.TENANT, *module.needs}).union(
            *(found[need] for need in module.needs)
        )
    return found


def newest(steps: tuple[MigrationFile, ...]) -> int:
    """The version that the files lead to."""
    return steps[-1].version if steps else 0


async def migrate_catalogue(catalogue: Work) -> list[MigrationFile]:
    """Bring the installation's own tables up to date; what was applied."""
    if not await catalogue.one(_HAS_SPOOL):
        await catalogue.run_script(
            "CREATE SCHEMA IF NOT EXISTS ctl; CREATE SCHEMA spool;"
            "GRANT USAGE ON SCHEMA spool TO PUBLIC"
        )
    exists = await catalogue.find(_HAS_MIGRATIONS)
    done: list[MigrationFile] = []
    for files in (core.catalogue_files(), core.spool_files()):
        module = files[0].module
        applied = await catalogue.many(APPLIED, module=module) if exists else []
        if due := pending(files, applied):
            schema = "spool" if module == core.SPOOL else "ctl"
            await catalogue.run_script(f"SET LOCAL search_path = {schema}, ctl; {script(due)}")
            await catalogue.run_script("SET LOCAL search_path = ctl")
            exists = "ctl.insula_migrations"
            done += due
    return done


async def release(catalogue: Work, files: Files) -> list[Failure]:
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


_NOTE = Statement(
    upsert(CatalogueMigration)
    .values(
        module=bindparam("module"), version=bindparam("version"), checksum=bindparam("checksum")
    )
    .on_conflict_do_nothing()
)
_HAS_MIGRATIONS = Statement(select(func.to_regclass("ctl.insula_migrations").cast(Text)), str)
_HAS_SPOOL = Statement(select(func.to_regnamespace("spool").is_not(None)), bool)
