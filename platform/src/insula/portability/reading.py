"""Reading a tenant as it stood at one moment, while it goes on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from insula.portability.anatomy import TableAnatomy, read_anatomy
from insula.portability.manifest import Column, Component, Step, Table
from insula.portability.naming import PLAIN_VALUES, quoted
from insula.settings import Settings
from insula.tenancy import core
from insula.tenancy.building import enter
from insula.tenancy.cells import Cells, cell_of
from insula.tenancy.roles import PROVISIONER, login_url
from insula.tenancy.tenant import Tenant

_CHUNK = 4 << 20
"""Bytes of rows in one member, about."""

# COPY's CSV, with signs that JSON always escapes: what comes is the JSON itself, a line a row.
_AS_IS = {"format": "csv", "delimiter": "\x02", "quote": "\x01"}

Wanted = Callable[[TableAnatomy], str | None]
"""Which rows of a table: SQL over its columns; None: all that are carried."""

NONE = "false"
"""The table is left out."""


class Snapshot:
    """One tenant under one transaction's snapshot (REPEATABLE READ, read only)."""

    def __init__(self, connection: asyncpg.Connection, tenant: Tenant) -> None:
        self._connection = connection
        self.tenant = tenant
        self.tables: tuple[TableAnatomy, ...] = ()
        self._where: dict[str, str] = {}
        self.modules: list[Component] = []

    async def open(self, wanted: Wanted, also: frozenset[str]) -> None:
        await self._connection.execute(enter(self.tenant.number) + PLAIN_VALUES)
        self.modules = await self._read_modules()
        names = [module.name for module in self.modules]
        tables = await read_anatomy(self._connection, names, also)
        for table in tables:
            conditions = [f"({c})" for c in (table.where, wanted(table)) if c is not None]
            self._where[table.name] = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        self.tables = tuple(table for table in tables if wanted(table) != NONE)

    async def describe(self) -> list[Table]:
        """The tables with the number of their rows."""
        return [
            Table(
                table.module,
                table.name,
                [Column(column.name, column.type) for column in table.carried],
                await self._connection.fetchval(
                    f"SELECT count(*) FROM {quoted(table.name)}{self._where[table.name]}"
                ),
            )
            for table in self.tables
        ]

    async def rows(
        self, table: TableAnatomy, blank: frozenset[str], take: Callable[[bytes], Awaitable[None]]
    ) -> None:
        """Hand the rows to ``take`` as lines of JSON in the order of the primary key, a few
        megabytes of whole lines at a time. The columns in ``blank`` are written as null."""
        columns = ", ".join(
            f"NULL AS {quoted(c.name)}" if c.name in blank else quoted(c.name)
            for c in table.carried
        )
        query = (
            f"SELECT row_to_json(r) FROM (SELECT {columns} FROM {quoted(table.name)}"
            f"{self._where[table.name]} ORDER BY {_order(table)}) AS r"
        )
        lines = _Lines(take)
        await self._connection.copy_from_query(query, output=lines.add, **_AS_IS)
        await lines.flush()

    async def files(self) -> AsyncIterator[tuple[UUID, str, int]]:
        """Id, blob and size of each file whose row is carried."""
        where = self._where.get("files", "")
        query = f"SELECT id, blob, size FROM files{where} ORDER BY id"
        async for record in self._connection.cursor(query, prefetch=500):
            yield record[0], record[1], record[2]

    async def count_files(self) -> tuple[int, int]:
        """How many files there are, and their bytes."""
        where = self._where.get("files", "")
        query = f"SELECT count(*), coalesce(sum(size), 0)::bigint FROM files{where}"
        record = await self._connection.fetchrow(query)
        return record[0], record[1]

    async def _read_modules(self) -> list[Component]:
        records = await self._connection.fetch(
            "SELECT module, version, checksum FROM insula_migrations ORDER BY module, version"
        )
        steps: dict[str, list[Step]] = {name: [] for name in sorted(self.tenant.modules)}
        for module, version, checksum in records:
            steps.setdefault(module, []).append(Step(version, checksum))
        enabled = self.tenant.modules | {core.TENANT}
        return [Component(name, name in enabled, steps[name]) for name in sorted(steps)]


class _Lines:
    """Cuts what COPY sends into chunks of whole lines."""

    def __init__(self, take: Callable[[bytes], Awaitable[None]]) -> None:
        self._take = take
        self._parts: list[bytes] = []
        self._size = 0

    async def add(self, data: bytes) -> None:
        for line in data.splitlines(keepends=True):
            self._parts.append(line)
            self._size += len(line)
            if self._size >= _CHUNK and line.endswith(b"\n"):
                await self.flush()

    async def flush(self) -> None:
        if self._parts:
            chunk = b"".join(self._parts)
            self._parts, self._size = [], 0
            await self._take(chunk)


def _order(table: TableAnatomy) -> str:
    """By primary key, texts byte by byte: collations differ from server to server."""
    types = {column.name: column.type for column in table.columns}
    return ", ".join(
        f'{quoted(name)} COLLATE "C"' if types[name] == "text" else quoted(name)
        for name in table.key
    )


def _all(_: TableAnatomy) -> str | None:
    return None


@asynccontextmanager
async def snapshot(
    settings: Settings,
    cells: Cells,
    tenant: Tenant,
    wanted: Wanted = _all,
    also: frozenset[str] = frozenset(),
) -> AsyncIterator[Snapshot]:
    """A connection of its own: it lasts as long as the archive takes to be written, and holds back
    nobody but VACUUM. ``also``: tables that stay, to be read all the same."""
    url = await cells.url(cell_of(tenant.bucket))
    connection = await asyncpg.connect(
        login_url(settings, PROVISIONER, url),
        server_settings={"application_name": "insula export"},
    )
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            opened = Snapshot(connection, tenant)
            await opened.open(wanted, also)
            yield opened
    finally:
        connection.terminate()
