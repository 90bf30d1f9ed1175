"""What a tenant is like, as scripts that make another one like it (:mod:`.populating`)."""

from collections.abc import Iterator

import msgspec
from sqlalchemy import (
    BigInteger,
    Table,
    Text,
    bindparam,
    column,
    func,
    literal,
    select,
    text,
)

from insula.db import Statement, TenantTable, Work
from insula.module import Module
from insula.tenancy import core, placement
from insula.tenancy.building import LEAVE
from insula.tenancy.cells import cell_of
from insula.tenancy.fleet.files import tenant_files
from insula.tenancy.lifecycle import get_tenant
from insula.tenancy.migrations import script
from insula.tenancy.roles import OWNER
from insula.tenancy.tables import CellRow, TenantModule
from insula.tenancy.tenant import Tenant, schema_name


class Shape(msgspec.Struct, frozen=True):
    """What each of them has, as the model does."""

    tables: int
    indexes: int
    bytes: int
    """On the disk, without its lines in PostgreSQL's own catalogue."""


class Rows(msgspec.Struct, frozen=True):
    """Statements that copy the model's rows, from within the new schema …"""

    own: str
    derived: str
    """… and what triggers have made of them, which is for where triggers are off."""


class Model(msgspec.Struct, frozen=True):
    tenant: Tenant
    tables: str
    near: Rows
    """From the model's schema, in the cell where it is …"""
    far: Rows
    """… and elsewhere, written out."""
    shape: Shape

    def rows(self, cell: int) -> Rows:
        return self.near if cell == cell_of(self.tenant.bucket) else self.far


async def read_model(catalogue: Work, modules: dict[str, Module], like: str) -> Model:
    tenant = await get_tenant(catalogue, like)
    files = tenant_files(modules)
    own = [name for name in await catalogue.many(_OWN, tenant=tenant.id) if files.get(name)]
    made = "\n".join(script(files[name], fresh=set(own)) for name in files if name in own)
    schema = schema_name(tenant.number)
    async with placement.at(catalogue, tenant.bucket) as there:
        tables = await _filled(there, list(_tables(modules, own)), schema)
        near = Rows("".join(_copy(table, schema) for table in tables), _WORDS.format(schema))
        shape = await there.one(_SHAPE, schema=schema)
        far = near
        if await catalogue.one(_OTHERS, own=cell_of(tenant.bucket)):
            far = await _written_out(there, tables, schema)
    return Model(tenant, made, near, far, shape)


def _tables(modules: dict[str, Module], own: list[str]) -> Iterator[Table]:
    """Those whose rows are copied, what others refer to first: users, and what modules have."""
    wanted = {each.__tablename__ for name in own for each in modules[name].tables} | {"users"}
    for table in TenantTable.metadata.sorted_tables:
        if table.name in wanted:
            yield table


async def _filled(there: Work, tables: list[Table], schema: str) -> list[Table]:
    """Those that have any rows."""
    parts = (f"SELECT '{t.name}' WHERE EXISTS (SELECT FROM {schema}.{t.name})" for t in tables)
    await there.run_script(f"SET LOCAL ROLE {OWNER}")
    filled = set(await there.many(Statement(text(" UNION ALL ".join(parts)), str)))
    await there.run_script(LEAVE)
    return [table for table in tables if table.name in filled]


def _columns(table: Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.columns if column.computed is None)


def _copy(table: Table, schema: str) -> str:
    columns = _columns(table)
    return (
        f'INSERT INTO "{table.name}" ({columns}) OVERRIDING SYSTEM VALUE '
        f'SELECT {columns} FROM {schema}."{table.name}";\n'
    )


async def _written_out(there: Work, tables: list[Table], schema: str) -> Rows:
    """The same for another database."""
    await there.run_script(f"SET LOCAL ROLE {OWNER}")
    own = [await _literal(there, table.name, _columns(table), schema) for table in tables]
    derived = await _literal(there, "search_words", _WORD_COLUMNS, schema)
    await there.run_script(LEAVE)
    return Rows("".join(own), derived)


async def _literal(there: Work, name: str, columns: str, schema: str) -> str:
    rows: str = await there.one(
        Statement(
            text(
                f"SELECT quote_literal(coalesce(json_agg(r)::text, '[]')) "
                f'FROM (SELECT {columns} FROM {schema}."{name}") AS r'
            ),
            str,
        )
    )
    return (
        f'INSERT INTO "{name}" ({columns}) OVERRIDING SYSTEM VALUE '
        f'SELECT {columns} FROM json_populate_recordset(NULL::"{name}", {rows});\n'
    )


_WORD_COLUMNS = "word, trigrams"
_WORDS = (
    f"INSERT INTO search_words ({_WORD_COLUMNS}) SELECT {_WORD_COLUMNS} FROM {{}}.search_words;\n"
)
_OTHERS = Statement(
    select(func.count())
    .select_from(CellRow)
    .where(CellRow.state == literal("open"), CellRow.number != bindparam("own")),
    int,
)
"""Cells in which tenants are made, besides the model's own: that may take nobody any more."""
_OWN = Statement(
    select(TenantModule.module).where(
        TenantModule.tenant_id == bindparam("tenant"), TenantModule.module != core.TENANT
    ),
    str,
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
