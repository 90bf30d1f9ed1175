"""The tenant's schema at the target, made as the source's was: by the same migrations."""

import asyncpg
from sqlalchemy import Text, bindparam, text

from insula.db import Statement, Work
from insula.db.capabilities import Capabilities
from insula.module import Module
from insula.tenancy import building, core
from insula.tenancy.cells import CATALOGUE_PRELUDE, CellRefused, Cells, cell_of
from insula.tenancy.fleet import tenant_files
from insula.tenancy.migrations import MigrationFile, script
from insula.tenancy.moving import anatomy, fencing
from insula.tenancy.moving.records import Move
from insula.tenancy.registrars import create_role, share_role
from insula.tenancy.roles import OWNER
from insula.tenancy.tenant import schema_name

_HAS_ROLE = Statement(
    text("SELECT to_regrole(:name) IS NOT NULL").bindparams(bindparam("name", type_=Text)), bool
)


async def ensure(
    source: asyncpg.Connection,
    target: asyncpg.Connection,
    cells: Cells,
    modules: dict[str, Module],
    move: Move,
) -> bool:
    """Make the schema, unless it is there and complete; whether it is new.

    Raises:
        CellRefused: the source has seen migrations that this code does not have.
    """
    schema = schema_name(move.number)
    seen = await _versions(source, schema)
    if move.copied and await _versions(target, schema) == seen:
        return False
    await fencing.drop(target, schema, move.target)
    first, *rest = _portions(seen, modules)
    catalogue = cells.catalogue
    cell = cell_of(move.target)
    async with catalogue.transaction(cell, CATALOGUE_PRELUDE) as tx:
        await _begin(tx, move, first, tx.capabilities)
    for files in rest:
        async with catalogue.transaction(cell, CATALOGUE_PRELUDE) as tx:
            await tx.run_script(building.enter(move.number) + script(files))
    return True


async def _begin(
    tx: Work, move: Move, files: tuple[MigrationFile, ...], capabilities: Capabilities
) -> None:
    schema = schema_name(move.number)
    if await tx.one(_HAS_ROLE, name=schema):  # the source's: roles are a server's, not a database's
        role = share_role(schema, move.target)
    else:
        role = create_role(schema, move.target)
    await tx.run_script(role + building.furnish(move.number, files, capabilities))


async def _versions(connection: asyncpg.Connection, schema: str) -> set[tuple[str, int, str]]:
    async with connection.transaction():
        await connection.execute(f"SET LOCAL ROLE {OWNER}")
        return await anatomy.versions(connection, schema)


def _portions(
    seen: set[tuple[str, int, str]], modules: dict[str, Module]
) -> list[tuple[MigrationFile, ...]]:
    portions, left = [], set(seen)
    for module, files in tenant_files(modules).items():
        known = {(module, file.version, file.checksum): file for file in files}
        chosen = tuple(file for line, file in known.items() if line in seen)
        if chosen:
            portions += building.portions(chosen)
        left -= set(known)
    if left or not any(files[0].module == core.TENANT for files in portions):
        names = ", ".join(sorted(f"{module} {version}" for module, version, _ in left)) or "core"
        raise CellRefused(f"The tenant has migrations that are not installed here: {names}.")
    return portions
