"""Rows into a server: COPY over several connections, each table by one of them."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from typing import Any

import asyncpg

from insula_ops.backup.address import Address
from insula_ops.backup.catalogue import quoted
from insula_ops.backup.dump import Report
from insula_ops.backup.errors import BackupFailed, Damaged, first_of, server_says
from insula_ops.backup.manifest import LargeObject, TableData
from insula_ops.backup.reading import Backup

_PIECE = 1 << 20


class Loader:
    """Loads what ``backup`` has of some tables into ones of the same names. ``fresh`` are the files
    of those that were made just now: nobody else sees them yet."""

    def __init__(self, address: Address, backup: Backup, fresh: Collection[str]) -> None:
        self._address = address
        self._backup = backup
        self._fresh = fresh

    async def tables(self, tables: Sequence[TableData], jobs: int, report: Report) -> None:
        """
        Raises:
            BackupFailed: the server refuses rows, or fewer arrive than were backed up.
        """
        work = deque(sorted(tables, key=lambda each: each.raw_bytes, reverse=True))

        async def worker() -> None:
            connection = await self._address.connect()
            try:
                while work:
                    await self._table(connection, work.popleft(), report)
            finally:
                connection.terminate()

        await _all([worker] * min(jobs, len(work)))

    async def large_objects(self, objects: Sequence[LargeObject]) -> None:
        """Fill large objects that exist already."""
        if not objects:
            return
        connection = await self._address.connect()
        try:
            for each in objects:
                await self._large_object(connection, each)
        finally:
            connection.terminate()

    async def analyse(self, tables: Sequence[TableData], jobs: int) -> None:
        """Give the planner its statistics."""
        work = deque(tables)

        async def worker() -> None:
            connection = await self._address.connect()
            try:
                while work:
                    table = work.popleft()
                    await connection.execute(f"ANALYZE {qualified(table)}")
            finally:
                connection.terminate()

        await _all([worker] * min(jobs, len(work)))

    async def _table(self, connection: Any, table: TableData, report: Report) -> None:
        pieces = in_thread(self._backup.rows(table.file), report)
        fresh = table.file in self._fresh
        try:
            await connection.execute("BEGIN")
            if fresh:
                # In the transaction of a TRUNCATE, COPY writes frozen rows, which no vacuum has to
                # visit again; and with wal_level=minimal no log.
                await connection.execute(f"TRUNCATE TABLE ONLY {qualified(table)}")
            status = await connection.copy_to_table(
                table.name,
                schema_name=table.schema,
                columns=table.columns or None,
                source=pieces,
                freeze=True if fresh else None,
            )
            await connection.execute("COMMIT")
        except asyncpg.PostgresError as error:
            raise BackupFailed(f"{qualified(table)}: {server_says(error)}") from None
        if status != f"COPY {table.rows}":
            raise Damaged(f"{qualified(table)}: {status} instead of {table.rows}")

    async def _large_object(self, connection: Any, each: LargeObject) -> None:
        at = 0
        async for piece in in_thread(self._backup.data(each.file), lambda _: None):
            for start in range(0, len(piece), _PIECE):
                part = piece[start : start + _PIECE]
                await connection.execute("SELECT lo_put($1, $2, $3)", each.oid, at, part)
                at += len(part)
        if at != each.size:
            raise Damaged(f"large object {each.oid}: {at} bytes instead of {each.size}")


def qualified(table: TableData) -> str:
    return f"{quoted(table.schema)}.{quoted(table.name)}"


async def in_thread(pieces: Iterator[bytes], report: Report) -> AsyncIterator[bytes]:
    """What reads, checks, decrypts and expands, away from the loop that speaks to the server."""
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
        report(len(piece))


async def _all(workers: Sequence[Any]) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for worker in workers:
                group.create_task(worker())
    except BaseExceptionGroup as failed:
        raise first_of(failed) from None
