"""Making a backup: one snapshot, definitions by pg_dump, rows by our own parallel COPY."""

import asyncio
import os
import re
import threading
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import asyncpg
import msgspec

from insula_ops.backup import catalogue, definitions, entries, manifest
from insula_ops.backup.address import Address
from insula_ops.backup.blocks import SUFFIXES, Compressor
from insula_ops.backup.catalogue import Table
from insula_ops.backup.definitions import Definitions
from insula_ops.backup.dump import Dumper, Report
from insula_ops.backup.errors import BackupFailed, first_of, server_says
from insula_ops.backup.manifest import Contents, File, Manifest, Snapshot, TableData
from insula_ops.backup.place import Place, Writing

_LOCKED_AT_ONCE = 500
_SNAPSHOT = """
    SELECT pg_export_snapshot(), clock_timestamp(), (CASE WHEN pg_is_in_recovery()
        THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END)::text,
        current_database()::text, current_setting('server_version')
"""


class Options(msgspec.Struct, frozen=True):
    name: str | None = None
    schemas: list[str] | None = None
    jobs: int = 2
    compression: str = "zstd"
    level: int | None = None
    recipients: list[str] = []


class Files:
    """The files of a backup that is being made; threads add to it."""

    def __init__(self, place: Place, name: str, recipients: list[str]) -> None:
        self.done: list[File] = []
        self._place = place
        self._name = name
        self._recipients = recipients
        self._lock = threading.Lock()

    def create(self, file: str) -> Writing:
        stored = file + manifest.SEALED if self._recipients else file
        return Writing(self._place.create(self._name, stored), stored, self._recipients)

    def keep(self, writing: Writing) -> None:
        file = writing.close()
        with self._lock:
            self.done.append(file)

    def add(self, file: str, content: bytes) -> None:
        writing = self.create(file)
        writing.write(content)
        self.keep(writing)

    def add_open(self, file: str, content: bytes) -> None:
        """A file that is not encrypted whatever the rest is, and not listed either."""
        sink = self._place.create(self._name, file)
        sink.write(content)
        sink.close()


async def create(address: Address, place: Place, options: Options, report: Report) -> Manifest:
    """Make a backup.

    Raises:
        BackupFailed: there is none then, and what was written of it is removed.
    """
    started = time.monotonic()
    compressor = Compressor(options.compression, options.level)
    async with _snapshot(address) as (connection, snapshot, database, server):
        name = options.name or f"{_safe(database)}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        await _check_schemas(connection, options.schemas)
        await asyncio.to_thread(place.begin, name)
        files = Files(place, name, options.recipients)
        try:
            tables = await catalogue.tables(connection, options.schemas)
            await _lock(connection, tables)
            found, copied = await _read(address, connection, snapshot, tables, files, options,
                                        compressor, report)  # fmt: skip
            await _complete(connection, found, tables, options.schemas)
            roles = entries.roles_script(await catalogue.roles(connection))
            await asyncio.to_thread(_describe, files, found, copied, roles)
            made = Manifest(
                name=name, database=database, server_version=server,
                tool=f"insula backup {version('insula-ops')}",
                pg_dump=found.archive.dump_version or "", snapshot=snapshot,
                finished_at=datetime.now(UTC), seconds=round(time.monotonic() - started, 3),
                schemas=options.schemas, compression=options.compression,
                recipients=options.recipients, tables=len(copied),
                rows=sum(table.rows for table in copied),
                raw_bytes=sum(table.raw_bytes for table in copied), files=files.done,
            )  # fmt: skip
            await asyncio.to_thread(_finish, place, files, made)
        except BaseException:
            await asyncio.to_thread(_abandon, place, name)
            raise
    return made


@asynccontextmanager
async def _snapshot(address: Address) -> AsyncIterator[tuple[Any, Snapshot, str, str]]:
    """A connection whose transaction has exported its snapshot, which lives as long as it."""
    connection = await address.connect()
    try:
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        exported, now, lsn, database, server = await connection.fetchrow(_SNAPSHOT)
        yield connection, Snapshot(now, lsn, exported), database, server
    except asyncpg.PostgresError as error:
        raise BackupFailed(f"{address.shown}: {address.redact(server_says(error))}") from None
    finally:
        connection.terminate()


async def _read(
    address: Address,
    connection: Any,
    snapshot: Snapshot,
    tables: Sequence[Table],
    files: Files,
    options: Options,
    compressor: Compressor,
    report: Report,
) -> tuple[Definitions, list[TableData]]:
    """pg_dump and our connections, at the same time."""
    major = connection.get_server_version().major
    suffix = SUFFIXES[options.compression]

    def create(file: str) -> Writing:
        return files.create(file + suffix)

    # One thread more than compress: it belongs to pg_dump's stream.
    with ThreadPoolExecutor((os.cpu_count() or 1) + 1) as pool:
        dumper = Dumper(address, snapshot.id, compressor, pool, create, files.keep)
        try:
            async with asyncio.TaskGroup() as group:
                defining = group.create_task(
                    asyncio.to_thread(
                        definitions.read, address, major, snapshot.id, options.schemas,
                        compressor, create, files.keep,
                    )
                )  # fmt: skip
                copying = group.create_task(dumper.run(tables, options.jobs, report))
        except BaseExceptionGroup as failed:
            raise first_of(failed) from None
    return defining.result(), copying.result()


async def _complete(
    connection: Any, found: Definitions, tables: Sequence[Table], schemas: list[str] | None
) -> None:
    sequences = await catalogue.sequences(connection, schemas)
    views, needs = await catalogue.materialised_views(connection, schemas)
    entries.add(found.archive, tables, sequences, views, needs)


def _describe(files: Files, found: Definitions, copied: list[TableData], roles: str) -> None:
    """Write what the stock tools and ours read first."""
    for entry in found.archive.entries:
        if entry.desc == "BLOBS":
            entry.filename = found.archive.blobs_toc(entry)
            oids = found.by_entry.get(entry.id, [])
            lines = "".join(f"{oid} blob_{oid}.dat\n" for oid in oids)
            files.add(entry.filename, lines.encode())
    files.add(manifest.TOC, found.archive.encode())
    sequences = sum(entry.desc == "SEQUENCE SET" for entry in found.archive.entries)
    contents = Contents(
        sorted(copied, key=lambda each: (each.schema, each.name)), sequences, found.large_objects
    )
    files.add(manifest.CONTENTS, manifest.as_json(contents))
    files.add(manifest.ROLES, roles.encode())


def _finish(place: Place, files: Files, made: Manifest) -> None:
    files.add_open(manifest.SUMS, manifest.sums(files.done))
    place.finish(made.name, manifest.as_json(made))


def _abandon(place: Place, name: str) -> None:
    """What is left of a backup that failed would only have to be pruned."""
    for left in place.incomplete():
        if left in (name, f"{name}.partial"):
            place.remove(left)


async def _check_schemas(connection: Any, schemas: list[str] | None) -> None:
    known = {row[0] for row in await connection.fetch("SELECT nspname::text FROM pg_namespace")}
    if missing := [schema for schema in schemas or () if schema not in known]:
        raise BackupFailed(f"there is no schema {', '.join(missing)}")


async def _lock(connection: Any, tables: Sequence[Table]) -> None:
    """Keep every table as the snapshot knows it until its rows are read."""
    for start in range(0, len(tables), _LOCKED_AT_ONCE):
        batch = ", ".join(f"ONLY {each.qualified}" for each in tables[start:][:_LOCKED_AT_ONCE])
        await connection.execute(f"LOCK TABLE {batch} IN ACCESS SHARE MODE")


def check_name(name: str) -> None:
    """
    Raises:
        BackupFailed: it would not do as a folder's name everywhere.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", name) or name.endswith(
        (".partial", ".removing")
    ):
        raise BackupFailed("a backup's name has letters, digits and .-_, at most 128")


def _safe(database: str) -> str:
    """A database's name as a part of a file's: other databases' names cannot collide in time."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", database).lstrip("-_")[:80] or "database"
