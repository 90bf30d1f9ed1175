"""Proof that a backup can be restored: into a throw-away server, held row for row against what was
read when it was made, with the time that it took."""

import asyncio
import hashlib
import re
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg
import msgspec

from insula_ops.backup import archive, blocks, restore, throwaway
from insula_ops.backup import place as places
from insula_ops.backup.address import Address
from insula_ops.backup.catalogue import quoted
from insula_ops.backup.dump import Report
from insula_ops.backup.errors import BackupFailed, first_of, server_says
from insula_ops.backup.load import qualified
from insula_ops.backup.manifest import LargeObject, TableData
from insula_ops.backup.place import Place
from insula_ops.backup.reading import Backup

_PIECE = 1 << 20


class Drilled(msgspec.Struct, frozen=True):
    """``rpo_seconds``: what would be lost if the database died now, the age of the snapshot;
    ``interval_seconds``: to the backup before, None if there is none. ``rto_seconds``: from the
    empty server to all rows restored, indexed, analysed; checking is not in it."""

    backup: str
    good: bool
    rpo_seconds: float
    interval_seconds: float | None
    rto_seconds: float
    start_seconds: float
    check_seconds: float
    steps: dict[str, float]
    tables: int
    rows: int
    sequences: int
    large_objects: int
    faults: list[str]


async def drill(
    place: Place, backup: Backup, jobs: int, folder: str | None, report: Report
) -> Drilled:
    """
    Raises:
        BackupFailed: it could not even be restored.
    """
    made = backup.manifest
    rpo = made.age.total_seconds()
    interval = await asyncio.to_thread(_interval, place, backup)
    toc = await asyncio.to_thread(backup.archive)
    began = time.monotonic()
    with throwaway.server(int(made.server_version.split(".")[0]), _encoding(toc), folder) as target:
        started = time.monotonic()
        address = await _database(target)
        options = restore.Options(jobs=jobs, roles=True, tablespaces=False)
        restored = await restore.restore(backup, address, options, report)
        checking = time.monotonic()
        contents = await asyncio.to_thread(backup.contents)
        faults = await _tables_differ(address, contents.tables, jobs)
        sequences = [entry for entry in toc.entries if entry.desc == "SEQUENCE SET"]
        faults += await _sequences_differ(address, sequences)
        faults += await _large_objects_differ(address, backup, contents.large_objects)
        checked = time.monotonic()
    return Drilled(
        made.name, not faults, round(rpo, 3), interval, restored.seconds,
        round(started - began, 3), round(checked - checking, 3), restored.steps,
        len(contents.tables), restored.rows, len(sequences), len(contents.large_objects), faults,
    )  # fmt: skip


def _interval(place: Place, backup: Backup) -> float | None:
    made = backup.manifest
    earlier = [
        each.snapshot.taken_at
        for each in places.all_manifests(place)[0]
        if (each.database, each.schemas) == (made.database, made.schemas)
        and each.snapshot.taken_at < made.snapshot.taken_at
    ]
    return (made.snapshot.taken_at - max(earlier)).total_seconds() if earlier else None


def _encoding(toc: archive.Archive) -> str:
    for entry in toc.entries:
        if entry.desc == "ENCODING" and (found := re.search(r"= '(\w+)'", entry.definition or "")):
            return found[1]
    return "UTF8"


async def _database(server: Address) -> Address:
    """A database made from the template that nobody has written to."""
    connection = await server.connect()
    try:
        await connection.execute("CREATE DATABASE drill TEMPLATE template0")
    finally:
        await connection.close()
    return Address(server.variables | {"PGDATABASE": "drill"})


async def _tables_differ(address: Address, tables: Sequence[TableData], jobs: int) -> list[str]:
    """Read every table as the backup did, and compare number and checksum of its rows."""
    work = deque(sorted(tables, key=lambda each: each.raw_bytes, reverse=True))
    faults: list[str] = []

    async def worker() -> None:
        connection = await address.connect()
        try:
            while work:
                table = work.popleft()
                rows, checksum = await _read(connection, table)
                if rows != table.rows:
                    faults.append(f"{qualified(table)} has {rows} rows instead of {table.rows}")
                elif checksum != table.checksum:
                    faults.append(f"{qualified(table)} has other rows than were backed up")
        finally:
            connection.terminate()

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(jobs, len(work))):
                group.create_task(worker())
    except BaseExceptionGroup as failed:
        raise first_of(failed) from None
    return faults


async def _read(connection: Any, table: TableData) -> tuple[int, int]:
    pieces: list[bytes] = []
    rows = total = size = 0

    async def add() -> None:
        nonlocal rows, total, size
        more, checksum = await asyncio.to_thread(blocks.checksum, b"".join(pieces))
        rows, total, size = rows + more, (total + checksum) % (1 << 64), 0
        pieces.clear()

    async def take(piece: bytes) -> None:
        nonlocal size
        pieces.append(piece)
        size += len(piece)
        if size >= _PIECE:
            await add()

    columns = ", ".join(map(quoted, table.columns))
    try:
        query = f"SELECT {columns} FROM ONLY {qualified(table)}"
        await connection.copy_from_query(query, output=take)
    except asyncpg.PostgresError as error:
        raise BackupFailed(f"{qualified(table)}: {server_says(error)}") from None
    await add()
    return rows, total


async def _sequences_differ(address: Address, entries: Sequence[archive.Entry]) -> list[str]:
    connection = await address.connect()
    faults: list[str] = []
    try:
        for entry in entries:
            name = f"{quoted(entry.namespace or '')}.{quoted(entry.tag)}"
            row = await connection.fetchrow(f"SELECT last_value, is_called FROM {name}")
            found = f", {row[0]}, {'true' if row[1] else 'false'});"
            if not (entry.definition or "").rstrip().endswith(found):
                faults.append(f"the sequence {name} stands elsewhere")
    finally:
        connection.terminate()
    return faults


async def _large_objects_differ(
    address: Address, backup: Backup, objects: Sequence[LargeObject]
) -> list[str]:
    connection = await address.connect()
    faults: list[str] = []
    try:
        for each in objects:
            wanted = await asyncio.to_thread(_digest, backup.data(each.file))
            found = hashlib.sha256()
            for start in range(0, each.size + 1, _PIECE):
                found.update(
                    await connection.fetchval("SELECT lo_get($1, $2, $3)", each.oid, start, _PIECE)
                )
            if found.digest() != wanted:
                faults.append(f"large object {each.oid} differs")
    finally:
        connection.terminate()
    return faults


def _digest(pieces: Iterator[bytes]) -> bytes:
    seen = hashlib.sha256()
    for piece in pieces:
        seen.update(piece)
    return seen.digest()
