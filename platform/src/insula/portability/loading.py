"""Filling a tenant's empty tables from an archive."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import asyncpg

from insula.portability.anatomy import TableAnatomy, early
from insula.portability.errors import ArchiveRefused
from insula.portability.exporting import Progress
from insula.portability.manifest import Manifest, Table
from insula.portability.naming import quoted, rows_name
from insula.portability.unpacking import Member, Reader

_CHUNK = 96 << 20
"""The largest member of rows: the writer's few megabytes and its longest row."""
BAD_DATA = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    UnicodeDecodeError,
)
"""What PostgreSQL says of rows that do not fit; while they are migrated, too."""
_HIGHEST = 1 << 53
"""Numbers that a sequence goes on from: beyond it, what follows would soon be out of numbers."""


class Loader:
    """Writes the rows of an archive's members as the schema's owner, in one transaction."""

    def __init__(
        self,
        connection: asyncpg.Connection,
        tables: tuple[TableAnatomy, ...],
        manifest: Manifest,
        progress: Progress,
    ) -> None:
        """
        Raises:
            ArchiveRefused: the archive's tables are not those of the schema.
        """
        self._connection = connection
        self._manifest = manifest
        self._progress = progress
        self._total = sum(table.rows for table in manifest.tables)
        self._done = 0
        self._tables = tables
        known = {table.name: table for table in tables}
        self._inserts = {t.name: _insert(t, _anatomy(known, t)) for t in manifest.tables}
        if len(self._inserts) < len(manifest.tables):
            raise ArchiveRefused("The manifest names a table twice.")

    async def load(self, reader: Reader) -> Member | None:
        """All rows; the first member after them, or None.

        Raises:
            ArchiveRefused: with the table, and what is wrong with it.
        """
        deferred = early(self._tables)
        await constrain(self._connection, deferred, DEFERRED)
        self._progress("rows", 0, self._total)
        member = await reader.next()
        for table in self._manifest.tables:
            member = await self._load_table(table, reader, member)
        try:
            await self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        except asyncpg.ForeignKeyViolationError as error:
            raise ArchiveRefused(f"A row refers to one that is not there: {error}.") from error
        await constrain(self._connection, deferred, AT_ONCE)
        await number_on(self._connection, self._tables)
        return member

    async def _load_table(
        self, table: Table, reader: Reader, member: Member | None
    ) -> Member | None:
        number = loaded = 0
        while member is not None and member.name == rows_name(table.module, table.name, number + 1):
            number += 1
            loaded += await self._insert_rows(table.name, member)
            self._progress("rows", self._done, self._total)
            member = await reader.next()
        if loaded != table.rows:
            raise ArchiveRefused(
                f"{table.name} has {loaded} rows instead of {table.rows} as the manifest says."
            )
        return member

    async def _insert_rows(self, table: str, member: Member) -> int:
        content = await member.content(_CHUNK)
        lines = content.split(b"\n")
        if lines.pop():
            raise ArchiveRefused(f"{member.name} does not end with a line's end.")
        try:
            rows = f"[{b','.join(lines).decode()}]"
            done = await self._connection.execute(self._inserts[table], rows)
        except BAD_DATA as error:
            raise ArchiveRefused(f"{member.name}: {_explain(error)}.") from error
        inserted = int(done.rpartition(" ")[2])
        self._done += inserted
        return inserted


DEFERRED, AT_ONCE = "DEFERRABLE INITIALLY DEFERRED", "NOT DEFERRABLE"


async def constrain(
    connection: asyncpg.Connection, constraints: Iterable[tuple[str, str]], how: str
) -> None:
    """Have foreign keys be checked at the end, or each row's at once."""
    for table, constraint in constraints:
        await connection.execute(
            f"ALTER TABLE {quoted(table)} ALTER CONSTRAINT {quoted(constraint)} {how}"
        )


async def number_on(connection: asyncpg.Connection, tables: Sequence[TableAnatomy]) -> None:
    """Let each sequence go on after the highest number there is.

    Raises:
        ArchiveRefused: what follows would soon be out of numbers.
    """
    for table in tables:
        if table.identity is None:
            continue
        column = quoted(table.identity)
        highest = await connection.fetchval(
            f"SELECT coalesce(max({column}), 0) FROM {quoted(table.name)}"
        )
        if not 0 <= highest < _HIGHEST:
            raise ArchiveRefused(f"{table.name}.{table.identity} goes up to {highest}.")
        await connection.execute(
            f"ALTER TABLE {quoted(table.name)} ALTER COLUMN {column} RESTART WITH {highest + 1}"
        )


def _anatomy(known: Mapping[str, TableAnatomy], table: Table) -> TableAnatomy:
    found = known.get(table.name)
    if found is None or found.module != table.module:
        raise ArchiveRefused(
            f"The archive has a table {table.module}/{table.name}, which its migrations do not "
            "make or which no archive may have."
        )
    return found


def _insert(table: Table, anatomy: TableAnatomy) -> str:
    """An INSERT of a JSON array of rows. What stays in an installation is not taken from them."""
    columns: dict[str, str] = {}
    for line in table.columns:
        column = anatomy.column(line.name)
        if column is None or column.type != line.type:
            raise ArchiveRefused(
                f"The archive's {table.name}.{line.name} is {line.type}, and its migrations make "
                f"it {column.type if column else 'nothing'}."
            )
        if not column.is_generated and column.stays is None:
            value = f"r.{quoted(column.name)}"
            is_json = column.type == "jsonb" and column.required
            columns[column.name] = f"coalesce({value}, 'null'::jsonb)" if is_json else value
    for column in anatomy.columns:
        if column.stays is not None and column.stays.filled is not None:
            columns[column.name] = column.stays.filled
    names = ", ".join(map(quoted, columns))
    return (
        f"INSERT INTO {quoted(table.name)} ({names}) OVERRIDING SYSTEM VALUE "
        f"SELECT {', '.join(columns.values())} "
        f"FROM json_populate_recordset(NULL::{quoted(table.name)}, $1::text::json) AS r"
    )


def _explain(error: Exception) -> str:
    text = str(error)
    detail = getattr(error, "detail", None)
    return f"{text} ({detail})"[:500] if detail else text[:500]


async def empty(connection: asyncpg.Connection, tables: Sequence[TableAnatomy]) -> None:
    """Take out what migrations have put in: the archive has its own."""
    script = "".join(f"DELETE FROM {quoted(table.name)};" for table in reversed(tables))
    await connection.execute(script)


def id_in(name: str) -> UUID | None:
    """The file whose bytes a member has, if its name says one."""
    prefix, _, text = name.partition("/")
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if prefix == "files" and str(found) == text else None
