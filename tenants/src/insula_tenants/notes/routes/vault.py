"""Whole vaults in and out."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from typing import Any, BinaryIO

import msgspec
from insula.db import Database, Work
from insula.http.exchange import Caller
from insula.http.upload import receive_file
from insula.tenancy.tenant import Tenant
from litestar import Request, Response, get, post
from litestar.response import Stream

from insula_tenants.notes.errors import VaultUnreadable
from insula_tenants.notes.importing import Transaction, export_vault, import_vault, summarise
from insula_tenants.notes.permissions import READ, WRITE
from insula_tenants.notes.schemas import FileReport, ImportReport
from insula_tenants.notes.vault import ArchiveRefused, ZipWriter, open_vault

ARCHIVE_LIMIT = 256 << 20
_MEMORY = 8 << 20
_CHUNK = 1 << 16
_QUICK = 10_000
"""Characters that are packed sooner than they are handed to a thread."""
_TYPES = ("application/zip", "application/x-zip-compressed", "application/octet-stream")
_LINES = "application/x-ndjson"


@post(
    "/import",
    right=WRITE,
    status_code=200,
    body_limit=ARCHIVE_LIMIT,
    consumes=_TYPES,
    produces=(_LINES,),
    problems=(VaultUnreadable,),
)
async def import_notes(
    request: Request[Any, Any, Any], caller: Caller, tenant: Tenant, database: Database
) -> Response[ImportReport] | Stream:
    """Import a zip of Markdown files, such as an Obsidian vault. A file that is there already
    becomes the note's next revision, so repeating is harmless. With ``Accept:
    application/x-ndjson`` each file's report comes as a line as soon as it is stored."""

    def transaction() -> Any:
        return database.transaction(tenant.bucket, tenant.prelude)

    archive = await receive_file(
        request,
        limit=ARCHIVE_LIMIT,
        types=_TYPES,
        hint="Send a zip archive with Content-Type: application/zip.",
    )
    if request.accept.best_match(["application/json", _LINES]) == _LINES:
        return Stream(_lines(archive, transaction, caller), media_type=_LINES)
    with archive:
        reports = [
            report async for batch in _import(archive, transaction, caller) for report in batch
        ]
    return Response(summarise(reports))


async def _import(
    archive: BinaryIO, transaction: Transaction, caller: Caller
) -> AsyncIterator[list[FileReport]]:
    try:
        with open_vault(archive) as vault:
            async for batch in import_vault(transaction, vault, caller.user_id):
                yield batch
    except ArchiveRefused as error:
        raise VaultUnreadable(str(error)) from error


async def _lines(
    archive: BinaryIO, transaction: Transaction, caller: Caller
) -> AsyncIterator[bytes]:
    """A line per file, then one with the counts, or with the problem that ended it."""
    counted: list[FileReport] = []
    with archive:
        try:
            async for batch in _import(archive, transaction, caller):
                counted += (msgspec.structs.replace(report, warnings=()) for report in batch)
                yield b"".join(msgspec.json.encode(report) + b"\n" for report in batch)
        except VaultUnreadable as error:
            yield error.body() + b"\n"
            return
    summary = msgspec.structs.replace(summarise(counted), files=[])
    yield msgspec.json.encode(summary) + b"\n"


@get("/export", right=READ, media_type="application/zip")
async def export_notes(tx: Work) -> Stream:
    """Every note as a Markdown file in a zip, all as they stand at one moment. What was imported
    and not changed since comes out byte for byte."""
    file = tempfile.SpooledTemporaryFile(_MEMORY)  # noqa: SIM115 - closed when it has been sent
    archive = ZipWriter()

    async def write(path: str, text: str, modified: Any) -> None:
        if len(text) < _QUICK:
            file.write(archive.add(path, text, modified))
        else:
            file.write(await asyncio.to_thread(archive.add, path, text, modified))

    await export_vault(tx, write)
    file.write(archive.finish())
    file.seek(0)
    headers = {"content-disposition": 'attachment; filename="notes.zip"'}
    return Stream(_chunks(file), media_type="application/zip", headers=headers)


async def _chunks(file: Any) -> AsyncIterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk


ROUTES = (import_notes, export_notes)
