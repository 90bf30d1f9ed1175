"""Deleted notes."""

from typing import Any
from uuid import UUID

from insula.db import Work
from insula.http.conditional import versioned
from insula.http.exchange import Caller
from insula.http.listing import Page
from litestar import Request, Response, delete, get, post

from insula_tenants.notes import queries, service
from insula_tenants.notes.errors import PathTaken
from insula_tenants.notes.permissions import READ, WRITE
from insula_tenants.notes.schemas import Note, TrashLine


@get("/trash", right=READ, listing=queries.TRASH)
async def list_trash(request: Request[Any, Any, Any], tx: Work) -> Page[TrashLine]:
    """The notes in the trash, the latest first."""
    return await queries.TRASH.page(tx, request)


@post("/trash/{note_id:uuid}/restore", right=WRITE, status_code=200, problems=(PathTaken,))
async def restore_note(note_id: UUID, tx: Work, caller: Caller) -> Response[Note]:
    """Take a note out of the trash, with its history and links."""
    note = await service.restore(tx, note_id, caller.user_id)
    return versioned(note, note.revision)


@delete("/trash/{note_id:uuid}", right=WRITE)
async def purge_note(note_id: UUID, tx: Work, caller: Caller) -> None:
    """Delete a note for good. There is no way back."""
    await service.purge(tx, note_id, caller.user_id)


ROUTES = (list_trash, restore_note, purge_note)
