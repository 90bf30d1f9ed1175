"""Vaults in and out: batch by batch, each batch a transaction of its own.

A file of a path that is already there becomes the note's next revision, if its text differs; so an
interrupted import is finished by running it again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from itertools import islice
from typing import Any
from uuid import UUID

import asyncpg
from insula.db import Work
from insula.db.ids import new_id
from insula.http.errors import RETRYABLE

from insula_tenants.notes import queries, service
from insula_tenants.notes.content import of_file
from insula_tenants.notes.schemas import FileReport, ImportReport
from insula_tenants.notes.titles import file_text
from insula_tenants.notes.vault import (
    FileNames,
    PathRefused,
    Refused,
    Skipped,
    Vault,
    VaultEntry,
    VaultNote,
)

BATCH = 100
_ATTEMPTS = 5

Transaction = Callable[[], AbstractAsyncContextManager[Work]]
"""Opens a transaction bound to the tenant."""


async def import_vault(
    transaction: Transaction, vault: Vault, author_id: UUID
) -> AsyncIterator[list[FileReport]]:
    """Import a vault; the reports of each batch once it is committed."""
    entries = iter(vault)
    # Reading and rendering are Python and Rust under the interpreter's lock, but the files are
    # read from a disk: a thread keeps the event loop free meanwhile.
    while batch := await asyncio.to_thread(_take, entries):
        yield await _commit_batch(transaction, batch, author_id)


def _take(entries: Iterator[VaultEntry]) -> list[VaultEntry]:
    return list(islice(entries, BATCH))


async def _commit_batch(
    transaction: Transaction, batch: list[VaultEntry], author_id: UUID
) -> list[FileReport]:
    """Again, if another import put one of the files there at the same moment, or a migration
    changed a table."""
    for attempt in range(_ATTEMPTS):
        try:
            async with transaction() as tx:
                return await _import_batch(tx, batch, author_id)
        except (asyncpg.UniqueViolationError, *RETRYABLE):
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


async def _import_batch(tx: Work, batch: list[VaultEntry], author_id: UUID) -> list[FileReport]:
    paths = [entry.path for entry in batch if isinstance(entry, VaultNote)]
    stored = {note.path: note for note in await tx.many(queries.LOCK_PATHS, paths=paths)}
    drafts: list[service.Draft] = []
    reports = [await _import_entry(tx, entry, stored, drafts, author_id) for entry in batch]
    await service.insert_all(tx, drafts, author_id)
    return reports


async def _import_entry(
    tx: Work,
    entry: VaultEntry,
    stored: dict[str | None, queries.Stored],
    drafts: list[service.Draft],
    author_id: UUID,
) -> FileReport:
    """Report on one file, updating its note; a new one is added to ``drafts``."""
    if isinstance(entry, Skipped):
        return FileReport(entry.path, "skipped", reason=entry.reason)
    if isinstance(entry, Refused):
        return FileReport(entry.path, "failed", reason=entry.reason)
    known = stored.get(entry.path)
    if known is not None:
        note = await service.replace(tx, known, of_file(entry), author_id)
        outcome = "unchanged" if note.revision == known.revision else "updated"
        return FileReport(entry.path, outcome, note.id, warnings=entry.warnings)
    draft = service.Draft(
        id=new_id(),
        content=of_file(entry),
        path=entry.path,
        created=entry.created or entry.modified,
        updated=entry.modified,
    )
    drafts.append(draft)
    return FileReport(entry.path, "created", draft.id, warnings=entry.warnings)


def summarise(reports: list[FileReport]) -> ImportReport:
    """Counts, and every file."""
    outcomes = [report.outcome for report in reports]
    return ImportReport(
        created=outcomes.count("created"),
        updated=outcomes.count("updated"),
        unchanged=outcomes.count("unchanged"),
        skipped=outcomes.count("skipped"),
        failed=outcomes.count("failed"),
        files=reports,
    )


Write = Callable[[str, str, Any], Awaitable[None]]
"""Takes path, text and date of one file."""


async def export_vault(
    tx: Work, write: Write, progress: Callable[[], None] = lambda: None
) -> list[FileReport]:
    """Give every note to ``write``, as it stands at one moment; the files that could not be
    written. An untouched note comes out as the file that it came in as."""
    faults: list[FileReport] = []
    names: FileNames | None = None
    taken: list[str] = []
    async for file in tx.stream(queries.FILES):
        if file.path is not None:  # these come first
            taken.append(file.path)
        elif names is None:
            names = FileNames(taken)
        path = file.path or names.claim(file.title)  # type: ignore[union-attr]
        text = file_text(
            file.front_matter, file.body, title=file.title, heading=file.heading, path=path
        )
        try:
            await write(path, text, file.updated_at)
        except PathRefused as error:
            faults.append(FileReport(path, "failed", reason=str(error)))
        progress()
    return faults
