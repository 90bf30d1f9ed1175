"""Making many tenants like one, for load tests: with the same modules, users and rows."""

import asyncio
from collections.abc import Iterator

import msgspec
from sqlalchemy import BigInteger, Table, Text, Uuid, bindparam, column, insert, select, text

from insula.db import Statement, TenantTable, Work
from insula.db.ids import new_id
from insula.module import Module
from insula.settings import Settings
from insula.tenancy import core, slots
from insula.tenancy.building import LEAVE, build
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME, Cells
from insula.tenancy.fleet.files import tenant_files
from insula.tenancy.fleet.report import Progress
from insula.tenancy.lifecycle import get_tenant
from insula.tenancy.migrations import script
from insula.tenancy.tables import TenantModule, TenantRow
from insula.tenancy.tenant import Tenant, schema_name


class Shape(msgspec.Struct, frozen=True):
    """What each of them has, as the model does."""

    tables: int
    indexes: int
    bytes: int
    """On the disk, without its lines in PostgreSQL's own catalogue."""


class _Model(msgspec.Struct, frozen=True):
    tenant: Tenant
    script: str
    """Tables and rows, from within the new schema."""
    shape: Shape


async def populate(
    settings: Settings,
    modules: dict[str, Module],
    *,
    like: str,
    prefix: str,
    upto: int,
    workers: int,
    progress: Progress,
) -> Shape:
    """Make tenants ``<prefix>-1`` to ``<prefix>-<upto>``, those that are not there yet. Whoever
    can sign in to the model can sign in to them, the same way.

    Raises:
        TenantNotFound: there is no model.
    """
    cells = Cells(settings, size=workers)
    try:
        async with cells.catalogue.transaction(HOME, CATALOGUE_PRELUDE) as catalogue:
            model = await _read(catalogue, modules, like)
            there = set(await catalogue.many(_THERE, prefix=f"{prefix}-"))
        wanted = [name for name in (f"{prefix}-{n + 1}" for n in range(upto)) if name not in there]
        names, done = iter(wanted), 0

        async def work() -> None:
            nonlocal done
            for name in names:
                async with cells.catalogue.transaction(HOME, CATALOGUE_PRELUDE) as catalogue:
                    await _make(catalogue, name, model, settings.buckets)
                done += 1
                progress("tenants", done, len(wanted))

        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work())
    finally:
        await cells.close()
    return model.shape


async def _make(catalogue: Work, slug: str, model: _Model, buckets: int) -> None:
    """In one transaction. That resets what other backends know of their relations (FACTS.md), so
    this is nothing to do beside people who work."""
    tenant_id, files = new_id(), core.tenant_files()
    place = await catalogue.one(
        slots.SKIP,
        id=tenant_id,
        slug=slug,
        name=slug,
        version=files[-1].version,
        first=HOME,
        buckets=buckets,
    )
    building = build(place.number, place.bucket, files, catalogue.capabilities)
    await catalogue.run_script(building + model.script + LEAVE)
    await catalogue.execute(_LIKE, new=tenant_id, old=model.tenant.id)


async def _read(catalogue: Work, modules: dict[str, Module], like: str) -> _Model:
    tenant = await get_tenant(catalogue, like)
    files = tenant_files(modules)
    own = [name for name in await catalogue.many(_OWN, tenant=tenant.id) if files.get(name)]
    schema = schema_name(tenant.number)
    parts = [script(files[name]) for name in files if name in own]
    parts += [_copy(table, schema) for table in _tables(modules, own)]
    shape = await catalogue.one(_SHAPE, schema=schema)
    return _Model(tenant, "\n".join(parts), shape)


def _tables(modules: dict[str, Module], own: list[str]) -> Iterator[Table]:
    """Those whose rows are copied, what others refer to first: users, and what modules have."""
    wanted = {each.__tablename__ for name in own for each in modules[name].tables} | {"users"}
    for table in TenantTable.metadata.sorted_tables:
        if table.name in wanted:
            yield table


def _copy(table: Table, schema: str) -> str:
    columns = ", ".join(f'"{column.name}"' for column in table.columns if column.computed is None)
    return (
        f'INSERT INTO "{table.name}" ({columns}) OVERRIDING SYSTEM VALUE '
        f'SELECT {columns} FROM {schema}."{table.name}";'
    )


_THERE = Statement(
    select(TenantRow.slug).where(TenantRow.slug.startswith(bindparam("prefix", type_=Text))), str
)
_OWN = Statement(
    select(TenantModule.module).where(
        TenantModule.tenant_id == bindparam("tenant"), TenantModule.module != core.TENANT
    ),
    str,
)
_LIKE = Statement(
    insert(TenantModule).from_select(
        ["tenant_id", "module", "version", "enabled"],
        select(
            bindparam("new", type_=Uuid),
            TenantModule.module,
            TenantModule.version,
            TenantModule.enabled,
        ).where(TenantModule.tenant_id == bindparam("old"), TenantModule.module != core.TENANT),
    )
)
_SHAPE = Statement(
    text("""
    SELECT count(*) FILTER (WHERE relkind = 'r') AS tables,
        count(*) FILTER (WHERE relkind = 'i') AS indexes,
        sum(pg_total_relation_size(oid)) FILTER (WHERE relkind = 'r')::bigint AS bytes
    FROM pg_class WHERE relnamespace = CAST(:schema AS regnamespace)
    """)
    .bindparams(bindparam("schema", type_=Text))
    .columns(
        column("tables", BigInteger), column("indexes", BigInteger), column("bytes", BigInteger)
    ),
    Shape,
)
