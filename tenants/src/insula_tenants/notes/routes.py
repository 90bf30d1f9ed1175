"""``/api/v1/notes``."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post

from insula.db import Work
from insula.db.ids import new_id
from insula.http.conditional import versioned
from insula.http.exchange import Caller
from insula.http.listing import Page
from insula_tenants.notes import queries
from insula_tenants.notes.permissions import READ, WRITE
from insula_tenants.notes.schemas import Note, NoteCreate, NoteLine


@get("/", right=READ, listing=queries.LIST)
async def list_notes(request: Request[Any, Any, Any], tx: Work) -> Page[NoteLine]:
    """The notes, the latest change first."""
    return await queries.LIST.page(tx, request)


@post("/", right=WRITE)
async def create_note(data: NoteCreate, tx: Work, caller: Caller) -> Response[Note]:
    """Write a note."""
    note = await tx.one(
        queries.INSERT,
        id=new_id(),
        author_id=caller.user_id,
        title=data.title,
        body=data.body,
        html="",
        tags=[],
    )
    return versioned(note, note.revision, 201)


@get("/{note_id:uuid}", right=READ)
async def get_note(note_id: UUID, tx: Work) -> Response[Note]:
    """One note, with its text as Markdown and as safe HTML."""
    note = await tx.one(queries.GET, id=note_id)
    return versioned(note, note.revision)


ROUTES = (list_notes, create_note, get_note)
