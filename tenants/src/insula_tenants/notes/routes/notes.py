"""Writing and reading notes."""

from typing import Any
from uuid import UUID

from insula.db import Work
from insula.http.conditional import IfMatch, versioned
from insula.http.exchange import Caller
from insula.http.listing import Page
from litestar import Request, Response, delete, get, patch, post

from insula_tenants.notes import queries, service
from insula_tenants.notes.permissions import READ, WRITE
from insula_tenants.notes.schemas import Note, NoteCreate, NoteLine, NoteUpdate


@get("/", right=READ, listing=queries.LIST)
async def list_notes(request: Request[Any, Any, Any], tx: Work) -> Page[NoteLine]:
    """The notes, the latest change first."""
    return await queries.LIST.page(tx, request)


@post("/", right=WRITE)
async def create_note(data: NoteCreate, tx: Work, caller: Caller) -> Response[Note]:
    """Write a note in Markdown."""
    note = await service.create(tx, data, caller.user_id)
    answer = versioned(note, note.revision, 201)
    answer.headers["location"] = f"/api/v1/notes/{note.id}"
    return answer


@get("/{note_id:uuid}", right=READ)
async def get_note(note_id: UUID, tx: Work) -> Response[Note]:
    """One note, with its text as Markdown and as safe HTML."""
    note = await tx.one(queries.GET, id=note_id)
    return versioned(note, note.revision)


@patch("/{note_id:uuid}", right=WRITE)
async def update_note(
    note_id: UUID, data: NoteUpdate, tx: Work, caller: Caller, if_match: IfMatch = None
) -> Response[Note]:
    """Change title, text or tags. Send ``If-Match`` to be told when somebody was faster."""
    note = await service.update(tx, note_id, data, caller.user_id, if_match)
    return versioned(note, note.revision)


@delete("/{note_id:uuid}", right=WRITE)
async def delete_note(note_id: UUID, tx: Work, caller: Caller, if_match: IfMatch = None) -> None:
    """Put a note into the trash, from where it can be restored."""
    await service.delete(tx, note_id, caller.user_id, if_match)


ROUTES = (list_notes, create_note, get_note, update_note, delete_note)
