"""Rows on their way from one server to another, and whether they have arrived.

Binary COPY, straight from one connection into the other. At the target no trigger fires and no
foreign key is checked (``session_replication_role``): what the source's triggers did is copied with
the rest, and the comparison shows that everything is there.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from insula.tenancy.cells import CellRefused
from insula.tenancy.moving import anatomy, capture
from insula.tenancy.moving.anatomy import CHANGES, Table
from insula.tenancy.roles import OWNER

_AHEAD = 32
"""Chunks that are read before the first of them is written."""
_KEYS = 5000

_SETTINGS = {
    "application_name": "insula move",
    # Rows are compared as text.
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}


class Differs(CellRefused):
    """What arrived is not what was sent."""


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of our own to a cell, as the provisioner."""
    connection = await asyncpg.connect(url, server_settings=_SETTINGS)
    try:
        yield connection
    finally:
        connection.terminate()


async def pipe(
    source: asyncpg.Connection, query: str, target: asyncpg.Connection, schema: str, table: Table
) -> int:
    """Copy what a query finds into a table; how many bytes went over."""
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(_AHEAD)
    sent = 0

    async def put(chunk: bytes) -> None:
        nonlocal sent
        sent += len(chunk)
        await queue.put(chunk)

    async def read() -> None:
        await source.copy_from_query(query, output=put, format="binary")
        await queue.put(None)

    async def chunks() -> AsyncIterator[bytes]:
        while (chunk := await queue.get()) is not None:
            yield chunk

    async with asyncio.TaskGroup() as group:
        group.create_task(read())
        group.create_task(
            target.copy_to_table(
                _bare(table.name),
                schema_name=schema,
                columns=[_bare(column) for column in table.columns],
                source=chunks(),
                format="binary",
            )
        )
    return sent


def _bare(identifier: str) -> str:
    """asyncpg quotes by itself."""
    if identifier.startswith('"'):
        return identifier[1:-1].replace('""', '"')
    return identifier


@asynccontextmanager
async def writing(target: asyncpg.Connection) -> AsyncIterator[None]:
    """A transaction at the target in which nothing but the copy happens."""
    async with target.transaction():
        await target.execute(
            f"SET LOCAL session_replication_role = replica; SET LOCAL ROLE {OWNER}"
        )
        yield


async def copy_table(
    source: asyncpg.Connection, target: asyncpg.Connection, schema: str, table: Table
) -> int:
    """The whole table as it is now, in place of what the target has of it; how many bytes."""
    async with source.transaction():
        await source.execute(f"SET LOCAL ROLE {OWNER}")
        return await copy_rows(source, target, schema, table)


async def copy_rows(
    source: asyncpg.Connection, target: asyncpg.Connection, schema: str, table: Table
) -> int:
    """The same, as ``source``'s open snapshot sees it."""
    name = f"{schema}.{table.name}"
    query = f"SELECT {', '.join(table.columns)} FROM {name}"
    async with writing(target):
        await target.execute(f"DELETE FROM {name}")  # migrations fill some tables
        return await pipe(source, query, target, schema, table)


async def set_sequences(
    source: asyncpg.Connection, target: asyncpg.Connection, schema: str
) -> None:
    """Have the target count on from where the source is."""
    names = [f"{schema}.{name}" for name in await anatomy.sequences(source, schema)]
    if not names:
        return
    standing = " UNION ALL ".join(
        f"SELECT {_literal(name)} AS name, last_value AS value, is_called AS called FROM {name}"
        for name in names
    )
    rows = await source.fetch(standing)
    async with writing(target):
        await target.execute(
            "SELECT setval(s.name::regclass, s.value, s.called) "
            "FROM jsonb_to_recordset($1::text::jsonb) AS s (name text, value bigint, called bool)",
            json.dumps([dict(row) for row in rows]),
        )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


async def analyze(target: asyncpg.Connection, schema: str, tables: list[Table]) -> None:
    """Tell the planner what has arrived: the first queries at the new place are not to be guessed
    at."""
    names = ", ".join(f"{schema}.{table.name}" for table in tables)
    async with target.transaction():
        await target.execute(f"SET LOCAL ROLE {OWNER}; ANALYZE {names}")


async def copy_changes(
    source: asyncpg.Connection, target: asyncpg.Connection, schema: str, tables: list[Table]
) -> int:
    """The rows that have changed, as ``source``'s open snapshot sees them; how many there were.
    Afterwards the target is what that snapshot sees.

    Raises:
        Differs: a row that has arrived is not the one that was sent.
    """
    places = await capture.places(source, schema)
    total = 0
    async with writing(target):
        for table in tables:
            if table.name in places:
                total += await _replace(source, target, schema, table)
    if total:
        await source.execute(f"DELETE FROM {schema}.{CHANGES}")
    return total


async def _replace(
    source: asyncpg.Connection, target: asyncpg.Connection, schema: str, table: Table
) -> int:
    keys = await capture.changed(source, schema, table)
    name, using = f"{schema}.{table.name}", ", ".join(table.key)
    same = " AND ".join(f"t.{column} = k.{column}" for column in table.key)
    chunks = [f"[{','.join(keys[at : at + _KEYS])}]" for at in range(0, len(keys), _KEYS)]
    for chunk in chunks:
        await target.execute(
            f"DELETE FROM {name} t USING ({capture.keys_in(schema, table)}) k WHERE {same}",
            chunk,
        )
    columns = ", ".join(f"t.{column}" for column in table.columns)
    rows = (
        f"SELECT {columns} FROM ({capture.keys_of(schema, table)}) k JOIN {name} t USING ({using})"
    )
    await pipe(source, rows, target, schema, table)
    here = await _sum(source, f"({rows}) t", [f"t.{column}" for column in table.columns], [])
    there = [
        await _sum(
            target,
            f"({capture.keys_in(schema, table)}) k JOIN {name} t USING ({using})",
            [f"t.{column}" for column in table.columns],
            [chunk],
        )
        for chunk in chunks
    ]
    if here != (sum(n for n, _ in there), sum(h for _, h in there)):
        raise Differs(f"rows of {table.name} that have changed are not those that have arrived")
    return len(keys)


async def _sum(
    connection: asyncpg.Connection, rows: str, columns: list[str], parameters: list[str]
) -> tuple[int, int]:
    """How many rows, and the sum of their hashes."""
    row = await connection.fetchrow(
        f"SELECT count(*), coalesce(sum(hashtextextended(ROW({', '.join(columns)})::text, 0)), 0)"
        f"::text FROM {rows}",
        *parameters,
    )
    return int(row[0]), int(row[1])


async def compare(
    source: asyncpg.Connection, target: asyncpg.Connection, schema: str, table: Table
) -> None:
    """Hold a whole table against what ``source``'s open snapshot sees.

    Raises:
        Differs: they are not the same.
    """
    columns, rows = [f"t.{column}" for column in table.columns], f"{schema}.{table.name} t"
    async with writing(target):
        here, there = await asyncio.gather(
            _sum(source, rows, columns, []), _sum(target, rows, columns, [])
        )
    if here != there:
        raise Differs(f"{table.name}: {here[0]} rows were sent, {there[0]} arrived, or others")
