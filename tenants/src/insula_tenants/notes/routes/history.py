"""The revisions of a note."""

from typing import Annotated
from uuid import UUID

from insula.db import Work
from insula.http.conditional import IfMatch, versioned
from insula.http.exchange import Caller
from insula.markdown.diff import TextDiff
from litestar import Response, get, post
from litestar.params import PathParameter, QueryParameter

from insula_tenants.notes import queries, service
from insula_tenants.notes.permissions import READ, WRITE
from insula_tenants.notes.schemas import Note, Revision, RevisionLine

Number = Annotated[int, PathParameter(ge=1, le=2_000_000_000)]


@get("/{note_id:uuid}/revisions", right=READ)
async def list_revisions(note_id: UUID, tx: Work) -> list[RevisionLine]:
    """The latest thousand revisions, newest first."""
    await tx.one(queries.GET, id=note_id)
    return await tx.many(queries.LIST_REVISIONS, id=note_id)


@get("/{note_id:uuid}/revisions/{revision:int}", right=READ)
async def get_revision(note_id: UUID, revision: Number, tx: Work) -> Revision:
    """The note as it was."""
    return await tx.one(queries.GET_REVISION, id=note_id, revision=revision)


@get("/{note_id:uuid}/revisions/{revision:int}/diff", right=READ)
async def diff_revisions(
    note_id: UUID,
    revision: Number,
    tx: Work,
    against: Annotated[int | None, QueryParameter(ge=1, le=2_000_000_000)] = None,
) -> TextDiff:
    """What the revision changed; or what changed between ``against`` and it."""
    older = max(1, revision - 1) if against is None else against
    return await service.compare(tx, note_id, older, revision)


@post("/{note_id:uuid}/revisions/{revision:int}/restore", right=WRITE, status_code=200)
async def restore_revision(
    note_id: UUID, revision: Number, tx: Work, caller: Caller, if_match: IfMatch = None
) -> Response[Note]:
    """Make an old revision the newest one."""
    note = await service.restore_revision(tx, note_id, revision, caller.user_id, if_match)
    return versioned(note, note.revision)


ROUTES = (list_revisions, get_revision, diff_revisions, restore_revision)
