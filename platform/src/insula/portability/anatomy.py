"""Which tables a tenant has, as its schema itself says: it may be older than the code.

What of them is carried is said by marks on the table classes (:mod:`insula.db.marks`).
"""

from collections.abc import Iterable, Mapping

import asyncpg
import msgspec

from insula.db import TenantTable
from insula.db.marks import Stays
from insula.portability.core_tables import CORE_TABLES
from insula.portability.errors import ArchiveRefused
from insula.tenancy import core


class ColumnAnatomy(msgspec.Struct, frozen=True):
    name: str
    type: str
    required: bool
    is_generated: bool
    stays: Stays | None


class Reference(msgspec.Struct, frozen=True):
    """A foreign key, by its name and the table that it points at."""

    constraint: str
    table: str


class TableAnatomy(msgspec.Struct, frozen=True):
    name: str
    module: str
    columns: tuple[ColumnAnatomy, ...]
    key: tuple[str, ...]
    identity: str | None
    """The column that a sequence numbers."""
    references: tuple[Reference, ...]
    where: str | None
    """Which rows are carried; None: all."""

    @property
    def carried(self) -> tuple[ColumnAnatomy, ...]:
        """The columns that an archive has, in a fixed order."""
        return tuple(c for c in self.columns if not c.is_generated and c.stays is None)

    def column(self, name: str) -> ColumnAnatomy | None:
        return next((column for column in self.columns if column.name == name), None)


class _Row(msgspec.Struct, frozen=True):
    table: str
    column: str
    type: str
    required: bool
    generated: bool
    identity: bool
    position: int | None


_COLUMNS = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
        a.attgenerated <> '', a.attidentity <> '',
        array_position(i.indkey::int2[], a.attnum)
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
    ORDER BY c.relname, a.attname
"""
_REFERENCES = """
    SELECT c.relname, k.conname, f.relname FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid
    WHERE k.contype = 'f' AND c.relnamespace = current_schema()::regnamespace
    ORDER BY c.relname, k.conname
"""


async def read_anatomy(
    connection: asyncpg.Connection,
    modules: Iterable[str],
    also: frozenset[str] = frozenset(),
) -> tuple[TableAnatomy, ...]:
    """The carried tables of the schema that comes first on the search path, and those of ``also``,
    each after those that it refers to. ``modules`` are those that the tenant has tables of."""
    rows: dict[str, list[_Row]] = {}
    for record in await connection.fetch(_COLUMNS):
        rows.setdefault(record[0], []).append(_Row(*record))
    references: dict[str, list[Reference]] = {}
    for table, constraint, target in await connection.fetch(_REFERENCES):
        references.setdefault(table, []).append(Reference(constraint, target))
    owners = frozenset(modules)
    tables = {
        name: _table(name, columns, tuple(references.get(name, ())), owners)
        for name, columns in rows.items()
        if name in also or not _table_stays(name)
    }
    _check_known(tables.values())
    return tuple(tables[name] for name in _in_order(tables))


def _check_known(tables: Iterable[TableAnatomy]) -> None:
    """Of a table that no class speaks of, nobody knows whether it may leave the installation.

    Raises:
        ArchiveRefused: there is one in the core.
    """
    assert CORE_TABLES  # imported: their classes are in the metadata
    for table in tables:
        if table.module == core.TENANT and table.name not in TenantTable.metadata.tables:
            raise ArchiveRefused(
                f"The table {table.name} is not known to this release of Insula: use the one that "
                "has made it."
            )


def _table(
    name: str, rows: list[_Row], references: tuple[Reference, ...], modules: frozenset[str]
) -> TableAnatomy:
    prefix = name.partition("_")[0]
    known = TenantTable.metadata.tables.get(name)
    marks = {} if known is None else {column.name: column.info for column in known.columns}
    columns = tuple(
        ColumnAnatomy(
            row.column,
            row.type,
            row.required,
            row.generated,
            marks.get(row.column, {}).get("stays"),
        )
        for row in rows
    )
    placed = sorted((row.position, row.column) for row in rows if row.position is not None)
    return TableAnatomy(
        name,
        prefix if prefix in modules else core.TENANT,
        columns,
        tuple(column for _, column in placed),
        next((row.column for row in rows if row.identity), None),
        references,
        None if known is None else known.info.get("carried_where"),
    )


def _table_stays(name: str) -> bool:
    known = TenantTable.metadata.tables.get(name)
    return known is not None and "stays" in known.info


def _in_order(tables: Mapping[str, TableAnatomy]) -> list[str]:
    """Alphabetically as far as foreign keys let it be, so that it is the same everywhere. Where
    they go in a circle it is cut; :func:`early` says at which of them."""
    left = dict(sorted(tables.items()))
    ordered: list[str] = []
    while left:
        free = (
            name
            for name, table in left.items()
            if not any(r.table in left and r.table != name for r in table.references)
        )
        name = next(free, next(iter(left)))
        del left[name]
        ordered.append(name)
    return ordered


def early(tables: tuple[TableAnatomy, ...]) -> list[tuple[str, str]]:
    """Table and constraint of each foreign key whose target may be loaded after it."""
    places = {table.name: place for place, table in enumerate(tables)}
    return [
        (table.name, reference.constraint)
        for table in tables
        for reference in table.references
        if places.get(reference.table, -1) >= places[table.name]
    ]
