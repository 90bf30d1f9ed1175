"""Making many tenants like one, for load tests: with the same modules, users and rows."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import islice

import msgspec
from sqlalchemy import BigInteger, Table, Text, Uuid, bindparam, column, insert, select, text

from insula.db import Database, Statement, TenantTable, Work
from insula.db.ids import new_id
from insula.module import Module
from insula.settings import Settings
from insula.tenancy import core, slots
from insula.tenancy.building import LEAVE, furnish
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME, Cells
from insula.tenancy.fleet.files import tenant_files
from insula.tenancy.fleet.report import Progress
from insula.tenancy.lifecycle import get_tenant
from insula.tenancy.migrations import script
from insula.tenancy.registrars import create_role
from insula.tenancy.roles import OWNER
from insula.tenancy.tables import TenantModule, TenantRow
from insula.tenancy.tenant import Tenant, schema_name

_TOGETHER = 10
"""Tenants of a transaction: each commit looks through all buffers for files that were dropped, and
tells all other connections what has changed."""
_OF_A_CONNECTION = 100
"""Tenants of a connection: PostgreSQL keeps what it has made in the session's caches, and looks
through them at each step."""


class Shape(msgspec.Struct, frozen=True):
    """What each of them has, as the model does."""

    tables: int
    indexes: int
    bytes: int
    """On the disk, without its lines in PostgreSQL's own catalogue."""


class _Model(msgspec.Struct, frozen=True):
    tenant: Tenant
    head: str
    """Of the transaction."""
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
    async with (
        _connected(settings, 1) as database,
        database.transaction(HOME, CATALOGUE_PRELUDE) as catalogue,
    ):
        model = await _read(catalogue, modules, like)
        there = set(await catalogue.many(_THERE, prefix=f"{prefix}-"))
    wanted = [name for name in (f"{prefix}-{n + 1}" for n in range(upto)) if name not in there]
    done = 0

    async def work(database: Database, names: Iterator[str]) -> None:
        nonlocal done
        while some := list(islice(names, _TOGETHER)):
            async with database.transaction(HOME, CATALOGUE_PRELUDE) as catalogue:
                await _make(catalogue, some, model, settings.buckets)
            done += len(some)
            progress("tenants", done, len(wanted))

    for at in range(0, len(wanted), workers * _OF_A_CONNECTION):
        names = iter(wanted[at : at + workers * _OF_A_CONNECTION])
        async with _connected(settings, workers) as database, asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work(database, names))
    return model.shape


@asynccontextmanager
async def _connected(settings: Settings, size: int) -> AsyncIterator[Database]:
    cells = Cells(settings, size=size)
    try:
        yield cells.catalogue
    finally:
        await cells.close()


async def _make(catalogue: Work, slugs: list[str], model: _Model, buckets: int) -> None:
    """In one transaction. That resets what other backends know of their relations (FACTS.md), so
    this is nothing to do beside people who work."""
    files, parts = core.tenant_files(), ["SET LOCAL synchronous_commit = off;", model.head]
    roles: list[str] = []
    for slug in slugs:
        tenant_id = new_id()
        place = await catalogue.one(
            slots.SKIP,
            id=tenant_id,
            slug=slug,
            name=slug,
            version=files[-1].version,
            first=HOME,
            buckets=buckets,
        )
        await catalogue.execute(_LIKE, new=tenant_id, old=model.tenant.id)
        # Roles first: PostgreSQL looks up anew who is in which role after each that is made.
        roles.append(create_role(schema_name(place.number), place.bucket))
        parts += [furnish(place.number, files, catalogue.capabilities), model.script, LEAVE]
    await catalogue.run_script("\n".join([*roles, *parts]))


async def _read(catalogue: Work, modules: dict[str, Module], like: str) -> _Model:
    tenant = await get_tenant(catalogue, like)
    files = tenant_files(modules)
    own = [name for name in await catalogue.many(_OWN, tenant=tenant.id) if files.get(name)]
    schema = schema_name(tenant.number)
    parts = [script(files[name], fresh=set(own)) for name in files if name in own]
    may_copy = await catalogue.one(_MAY_COPY)
    parts += await _rows(catalogue, list(_tables(modules, own)), schema, may_copy=may_copy)
    shape = await catalogue.one(_SHAPE, schema=schema)
    return _Model(tenant, _WITHOUT_TRIGGERS if may_copy else "", "\n".join(parts), shape)


def _tables(modules: dict[str, Module], own: list[str]) -> Iterator[Table]:
    """Those whose rows are copied, what others refer to first: users, and what modules have."""
    wanted = {each.__tablename__ for name in own for each in modules[name].tables} | {"users"}
    for table in TenantTable.metadata.sorted_tables:
        if table.name in wanted:
            yield table


async def _rows(catalogue: Work, tables: list[Table], schema: str, *, may_copy: bool) -> list[str]:
    """Statements that copy the rows of those tables that have any, and, if triggers are off, what
    they have made of them."""
    await catalogue.run_script(f"SET LOCAL ROLE {OWNER}")
    filled = set(await catalogue.many(_filled(tables, schema)))
    await catalogue.run_script(LEAVE)
    copies = [_copy(table, schema) for table in tables if table.name in filled]
    if may_copy:
        copies.append(
            "INSERT INTO search_words (word, trigrams) "
            f"SELECT word, trigrams FROM {schema}.search_words;"
        )
    return copies


def _filled(tables: Iterable[Table], schema: str) -> Statement[str]:
    parts = (f"SELECT '{t.name}' WHERE EXISTS (SELECT FROM {schema}.{t.name})" for t in tables)
    return Statement(text(" UNION ALL ".join(parts)), str)


def _copy(table: Table, schema: str) -> str:
    columns = ", ".join(f'"{column.name}"' for column in table.columns if column.computed is None)
    return (
        f'INSERT INTO "{table.name}" ({columns}) OVERRIDING SYSTEM VALUE '
        f'SELECT {columns} FROM {schema}."{table.name}";'
    )


# Triggers and foreign keys leave plans in the session, of each tenant its own; and at each table
# that PostgreSQL makes it looks through all of them.
_WITHOUT_TRIGGERS = "SET LOCAL session_replication_role = replica;"
_MAY_COPY = Statement(
    text("SELECT has_parameter_privilege('session_replication_role', 'SET')"), bool
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
