"""Live channels of notes: who has a note open sees it change, and who else has it open."""

from uuid import UUID

from insula.db import Work
from insula.http.exchange import Caller
from insula.realtime import Channel

from insula_tenants.notes import queries
from insula_tenants.notes.permissions import READ


async def may_watch(tx: Work, caller: Caller | None, note_id: UUID) -> None:
    """Whoever may read notes may watch one, also while it lies in the trash: it may come back."""
    await tx.one(queries.STATE, id=note_id)


async def state(tx: Work, caller: Caller | None, note_id: UUID) -> queries.NoteState:
    """The note without its text."""
    return await tx.one(queries.STATE, id=note_id)


CHANNELS = (
    Channel(
        pattern="notes/{note_id:uuid}",
        right=READ,
        authorize=may_watch,
        snapshot=state,
        presence=True,
    ),
)
