"""The task list in a note's text."""

from typing import Annotated
from uuid import UUID

from insula.db import Work
from insula.http.conditional import IfMatch, versioned
from insula.http.exchange import Caller
from litestar import Response, get, patch
from litestar.params import PathParameter

from insula_tenants.notes import service
from insula_tenants.notes.errors import NoSuchTask
from insula_tenants.notes.permissions import READ, WRITE
from insula_tenants.notes.schemas import Note, TaskList, TaskUpdate

Number = Annotated[int, PathParameter(ge=1, le=1_000_000)]


@get("/{note_id:uuid}/tasks", right=READ)
async def list_note_tasks(note_id: UUID, tx: Work) -> Response[TaskList]:
    """The items of the note's task lists, numbered in the order of its text."""
    listed = await service.list_tasks(tx, note_id)
    return versioned(listed, listed.revision)


@patch("/{note_id:uuid}/tasks/{number:int}", right=WRITE, problems=(NoSuchTask,))
async def update_note_task(
    note_id: UUID,
    number: Number,
    data: TaskUpdate,
    tx: Work,
    caller: Caller,
    if_match: IfMatch = None,
) -> Response[Note]:
    """Tick a task, or open it again; nothing else in the text changes."""
    note = await service.tick(
        tx, note_id, number, done=data.done, author_id=caller.user_id, if_match=if_match
    )
    return versioned(note, note.revision)


ROUTES = (list_note_tasks, update_note_task)
