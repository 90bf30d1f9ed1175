"""Files and what is known of them."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, delete, get, patch, post
from msgspec import UNSET

from insula.db import Work
from insula.files import queries
from insula.files.errors import (
    BodyIncomplete,
    DigestMismatch,
    FileRefused,
    FileTooLarge,
    QuotaExceeded,
    UploadExpired,
)
from insula.files.jobs import schedule_purge
from insula.files.names import safe_name
from insula.files.receiving import body_of
from insula.files.routes.taking import (
    BODY_LIMIT,
    ContentDigest,
    Disposition,
    FileName,
    ReprDigest,
    incoming,
)
from insula.files.schemas import File, FileUpdate, Usage
from insula.files.service import Files
from insula.http.conditional import IfMatch, require_match, versioned
from insula.http.exchange import Caller
from insula.http.listing import Page
from insula.tenancy.tenant import Tenant

READ, WRITE = "files:read", "files:write"
TAKING = (
    QuotaExceeded,
    FileTooLarge,
    FileRefused,
    DigestMismatch,
    BodyIncomplete,
    UploadExpired,
)


@get("/", right=READ, listing=queries.LIST)
async def list_files(request: Request[Any, Any, Any], tx: Work) -> Page[File]:
    """The files, the latest first. What is attached to something is listed there."""
    return await queries.LIST.page(tx, request)


@post("/", right=WRITE, body_limit=BODY_LIMIT, keyed=True, problems=TAKING)
async def upload_file(
    request: Request[Any, Any, Any],
    tx: Work,
    tenant: Tenant,
    caller: Caller,
    files: Files,
    name: FileName = None,
    disposition: Disposition = None,
    repr_digest: ReprDigest = None,
    content_digest: ContentDigest = None,
) -> Response[File]:
    """Upload a file: the body is its bytes, of any media type. Its name comes in the query or in
    ``Content-Disposition``; its type is what the bytes are, whatever ``Content-Type`` says."""
    described = incoming(
        request,
        name=name,
        disposition=disposition,
        digests=(repr_digest, content_digest),
        limit=files.settings.file_limit,
        by=caller.user_id,
    )
    file = await files.take(tx, tenant, described, body_of(request))
    return made(file)


def made(file: File) -> Response[File]:
    """The answer that says where a new file is."""
    answer = versioned(file, file.version, 201)
    answer.headers["location"] = f"/api/v1/files/{file.id}"
    return answer


@get("/usage", right=READ)
async def get_usage(tx: Work, files: Files) -> Usage:
    """How much of its quota the tenant has used."""
    return await files.quota.usage(tx)


@get("/{file_id:uuid}", right=READ)
async def get_file(file_id: UUID, tx: Work) -> Response[File]:
    """What is known of one file."""
    file = await tx.one(queries.GET, id=file_id)
    return versioned(file, file.version)


@patch("/{file_id:uuid}", right=WRITE)
async def update_file(
    file_id: UUID, data: FileUpdate, tx: Work, if_match: IfMatch = None
) -> Response[File]:
    """Rename a file, or replace what is noted of it."""
    require_match(if_match, await tx.one(queries.LOCK, id=file_id))
    now = await tx.one(queries.GET_NAMES, id=file_id)
    file = await tx.one(
        queries.RENAME,
        file_id=file_id,
        new_name=now.name if data.name is UNSET else safe_name(data.name),
        new_metadata=now.metadata if data.metadata is UNSET else data.metadata,
    )
    return versioned(file, file.version)


@delete("/{file_id:uuid}", right=WRITE)
async def delete_file(file_id: UUID, tx: Work, files: Files, if_match: IfMatch = None) -> None:
    """Put a file into the trash, from where it can be restored; after some weeks (a setting) it is
    deleted for good."""
    require_match(if_match, await tx.one(queries.LOCK, id=file_id))
    await tx.execute(queries.TRASH_FILE, file_id=file_id)
    await schedule_purge(tx, file_id, files.settings.trash_days)


ROUTES = (list_files, upload_file, get_usage, get_file, update_file, delete_file)
