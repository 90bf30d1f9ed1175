"""Writing an archive of a tenant."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final
from uuid import UUID

import msgspec

from insula.files.blobs import Blobs, key_of
from insula.portability import manifest
from insula.portability.members import Sink, Writer
from insula.portability.naming import GONE, MANIFEST, file_name, rows_name
from insula.portability.reading import Snapshot

Progress = Callable[[str, int, int], None]
"""What is being done, how much is done, of how much."""

_SECRET_COLUMNS: Final = {"users": frozenset({"password_hash"})}
_WHOLE = 8 << 20
"""Files up to this size are read before their header is written, so that one that goes away in this
moment is left out instead of breaking the archive."""


class Exported(msgspec.Struct, frozen=True):
    """What an archive holds."""

    tables: int
    rows: int
    files: int
    file_bytes: int


async def write_archive(
    snapshot: Snapshot,
    blobs: Blobs,
    sink: Sink,
    *,
    passwords: bool,
    person: UUID | None = None,
    progress: Progress = lambda *_: None,
) -> Exported:
    """Write what the snapshot sees. ``passwords`` says whether password hashes are in it."""
    described = await _describe(snapshot, passwords=passwords, person=person)
    async with Writer(sink) as archive:
        content = msgspec.json.format(msgspec.json.encode(described), indent=1)
        await archive.add(MANIFEST, content + b"\n")
        await _write_tables(snapshot, archive, described, progress)
        await _write_files(snapshot, blobs, archive, described, progress)
    rows = sum(table.rows for table in described.tables)
    return Exported(len(described.tables), rows, described.files, described.file_bytes)


async def _describe(
    snapshot: Snapshot, *, passwords: bool, person: UUID | None
) -> manifest.Manifest:
    tenant = snapshot.tenant
    files, file_bytes = await snapshot.count_files()
    return manifest.Manifest(
        format="insula-archive",
        version=manifest.VERSION,
        kind="person" if person else "tenant",
        exported_at=datetime.now(UTC).replace(microsecond=0),
        source=manifest.Source(tenant.slug, tenant.id, version("insula")),
        tenant=manifest.Settings(tenant.name, tenant.locale, tenant.time_zone),
        person=person,
        passwords=passwords,
        modules=snapshot.modules,
        tables=await snapshot.describe(),
        files=files,
        file_bytes=file_bytes,
    )


async def _write_tables(
    snapshot: Snapshot, archive: Writer, described: manifest.Manifest, progress: Progress
) -> None:
    total, done = sum(table.rows for table in described.tables), 0
    progress("rows", 0, total)
    for table, line in zip(snapshot.tables, described.tables, strict=True):
        number = 0

        async def take(lines: bytes, module: str = line.module, name: str = line.name) -> None:
            nonlocal number, done
            number += 1
            done += lines.count(b"\n")
            await archive.add(rows_name(module, name, number), lines)
            progress("rows", done, total)

        blank = frozenset() if described.passwords else _SECRET_COLUMNS.get(table.name, frozenset())
        await snapshot.rows(table, blank, take)


async def _write_files(
    snapshot: Snapshot,
    blobs: Blobs,
    archive: Writer,
    described: manifest.Manifest,
    progress: Progress,
) -> None:
    """The bytes of every file. One that is deleted for good meanwhile is named in ``gone.txt``: its
    row was seen, its bytes are not there to be read."""
    gone: list[UUID] = []
    done = 0
    progress("bytes of files", 0, described.file_bytes)
    async for file_id, blob, size in snapshot.files():
        key = key_of(snapshot.tenant.number, file_id, blob)
        try:
            await _write_file(blobs, archive, key, file_name(file_id), size)
        except FileNotFoundError:
            gone.append(file_id)
        done += size
        progress("bytes of files", done, described.file_bytes)
    if gone:
        await archive.add(GONE, "".join(f"{file_id}\n" for file_id in gone).encode())


async def _write_file(blobs: Blobs, archive: Writer, key: str, name: str, size: int) -> None:
    """
    Raises:
        FileNotFoundError: the blob is gone; nothing was written.
        OSError: it went while it was being read: the archive is lost.
    """
    if size <= _WHOLE:
        content = b"".join([chunk async for chunk in blobs.read(key, 0, size)])
        await archive.add(name, content)
        return
    chunks = blobs.read(key, 0, size)
    first = await anext(chunks)
    await archive.add_stream(name, size, _all_of_it(first, chunks))


async def _all_of_it(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    try:
        async for chunk in chunks:
            yield chunk
    except FileNotFoundError as error:
        raise OSError("A file was deleted while it was being read: export again.") from error
