"""The trash."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, delete, get, post

from insula.db import Work
from insula.files import queries
from insula.files.jobs import cancel_purge, remove_bytes
from insula.files.routes.files import READ, WRITE
from insula.files.schemas import File, TrashedFile
from insula.http.conditional import versioned
from insula.http.listing import Page


@get("/trash", right=READ, listing=queries.TRASH)
async def list_trashed_files(request: Request[Any, Any, Any], tx: Work) -> Page[TrashedFile]:
    """The files in the trash, the latest first. They count for the quota."""
    return await queries.TRASH.page(tx, request)


@post("/trash/{file_id:uuid}/restore", right=WRITE, status_code=200)
async def restore_file(file_id: UUID, tx: Work) -> Response[File]:
    """Take a file out of the trash."""
    file = await tx.one(queries.RESTORE, file_id=file_id)
    await cancel_purge(tx, file_id)
    return versioned(file, file.version)


@delete("/trash/{file_id:uuid}", right=WRITE)
async def purge_file(file_id: UUID, tx: Work) -> None:
    """Delete a file for good. Its bytes go, and stop counting for the quota, a moment later."""
    size = await tx.one(queries.PURGE, id=file_id)
    await cancel_purge(tx, file_id)
    await remove_bytes(tx, {file_id: size})


ROUTES = (list_trashed_files, restore_file, purge_file)
