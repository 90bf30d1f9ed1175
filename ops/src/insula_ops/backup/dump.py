"""Rows out of the server: COPY over several connections under one snapshot, large tables in ranges
of pages, compressed in threads. Memory is bounded: a connection waits while its last blocks are
still being compressed and written."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

import asyncpg

from insula_ops.backup.address import Address
from insula_ops.backup.blocks import BLOCK, TERMINATOR, Block, Compressor
from insula_ops.backup.catalogue import Table, quoted
from insula_ops.backup.errors import BackupFailed, server_says
from insula_ops.backup.manifest import TableData
from insula_ops.backup.place import Writing

_RANGE = 1024
"""Pages that one COPY reads of a large table: 8 MiB."""
_WAITING = 2
"""Blocks of a connection that may wait to be written."""
_LOCK_WAIT = "30s"

Report = Callable[[int], None]
"""Gets the bytes, as COPY wrote them, of each block."""


class _TableFile:
    """One table's file, which several connections may be writing to."""

    def __init__(self, table: Table, create: Callable[[str], Writing], compressor: Compressor):
        self.table = table
        self.ranges = 0
        self._create = create
        self._compressor = compressor
        self._lock = threading.Lock()
        self._writing: Writing | None = None
        self._sum = Block(b"", 0, 0, 0)

    def add(self, pieces: Sequence[bytes]) -> int:
        """Write whole rows; called in threads."""
        block = self._compressor.block(pieces)
        with self._lock:
            if self._writing is None:
                self._writing = self._create(self._name)
            old = self._sum
            total = (old.checksum + block.checksum) % (1 << 64)
            self._sum = Block(b"", old.rows + block.rows, old.raw_bytes + block.raw_bytes, total)
        self._writing.write(block.frame)
        return block.raw_bytes

    def finish(self) -> tuple[TableData, Writing]:
        writing = self._writing or self._create(self._name)
        writing.write(self._compressor.frame(TERMINATOR))
        table, total = self.table, self._sum
        described = TableData(
            table.schema, table.name, table.columns, self._name, total.rows, total.raw_bytes,
            total.checksum,
        )  # fmt: skip
        return described, writing

    @property
    def _name(self) -> str:
        return f"{self.table.oid}.dat"


class Dumper:
    """Dumps tables under an exported snapshot; ``keep`` gets each file that has all its rows."""

    def __init__(
        self,
        address: Address,
        snapshot: str,
        compressor: Compressor,
        pool: Executor,
        create: Callable[[str], Writing],
        keep: Callable[[Writing], None],
    ) -> None:
        self._address = address
        self._snapshot = snapshot
        self._compressor = compressor
        self._pool = pool
        self._create = create
        self._keep = keep
        self._work: deque[tuple[_TableFile, str]] = deque()
        self.done: list[TableData] = []

    async def run(self, tables: Sequence[Table], jobs: int, report: Report) -> list[TableData]:
        """
        Raises:
            BackupFailed: a table could not be read.
        """
        for table in tables:
            file = _TableFile(table, self._create, self._compressor)
            statements = _statements(table, split=jobs > 1)
            file.ranges = len(statements)
            self._work += [(file, statement) for statement in statements]
        async with asyncio.TaskGroup() as group:
            for _ in range(min(jobs, len(self._work))):
                group.create_task(self._worker(report))
        return self.done

    async def _worker(self, report: Report) -> None:
        connection = await self._address.connect(lock_timeout=_LOCK_WAIT)
        try:
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            await connection.execute(f"SET TRANSACTION SNAPSHOT '{self._snapshot}'")
            while self._work:
                file, statement = self._work.popleft()
                await self._copy(connection, file, statement, report)
        finally:
            await _leave(connection)

    async def _copy(
        self, connection: Any, file: _TableFile, statement: str, report: Report
    ) -> None:
        loop = asyncio.get_running_loop()
        pieces: list[bytes] = []
        size = 0
        waiting: deque[asyncio.Future[int]] = deque()

        async def take(piece: bytes) -> None:
            nonlocal pieces, size
            pieces.append(piece)
            size += len(piece)
            if size >= BLOCK:
                waiting.append(loop.run_in_executor(self._pool, file.add, pieces))
                pieces, size = [], 0
                if len(waiting) > _WAITING:
                    report(await waiting.popleft())

        try:
            await connection.copy_from_query(statement, output=take)
        except asyncpg.LockNotAvailableError:
            raise BackupFailed(
                f"{file.table.qualified} is locked by somebody who wants to change it: try again"
            ) from None
        except asyncpg.PostgresError as error:
            raise BackupFailed(f"{file.table.qualified}: {server_says(error)}") from None
        finally:
            if waiting:
                await asyncio.wait(waiting)
        if pieces:
            waiting.append(loop.run_in_executor(self._pool, file.add, pieces))
        for block in waiting:
            report(await block)
        file.ranges -= 1
        if file.ranges == 0:
            await loop.run_in_executor(self._pool, self._finish, file)

    def _finish(self, file: _TableFile) -> None:
        described, writing = file.finish()
        self._keep(writing)
        self.done.append(described)


def _statements(table: Table, *, split: bool) -> list[str]:
    """Queries that together give each row once. The last range is open: a page that was added
    since the size was taken may hold what the snapshot sees."""
    columns = ", ".join(map(quoted, table.columns))
    query = f"SELECT {columns} FROM ONLY {table.qualified} {table.condition}"
    if not split or not table.heap or table.condition or table.pages < 2 * _RANGE:
        return [query]
    starts = range(0, table.pages, _RANGE)
    ranges = [f"ctid >= '({start},0)'" for start in starts]
    ends = [f" AND ctid < '({start},0)'" for start in starts[1:]]
    return [
        f"{query} WHERE {start}{end}" for start, end in zip(ranges, [*ends, ""], strict=True)
    ]  # fmt: skip


async def _leave(connection: Any) -> None:
    """Without waiting for what a cancelled COPY still has to say."""
    connection.terminate()
