"""What happens to notes."""

from uuid import UUID

import msgspec
from insula.events import EventType


class NoteChanged(msgspec.Struct, frozen=True):
    """A note as it is now, without its text: ``GET /api/v1/notes/{id}`` has that."""

    id: UUID
    title: str
    tags: list[str]
    revision: int


class NoteGone(msgspec.Struct, frozen=True):
    """A note that can no longer be read."""

    id: UUID


CREATED = EventType("notes.note.created", NoteChanged, "A note was written or imported.")
UPDATED = EventType("notes.note.updated", NoteChanged, "A note has a new revision.")
DELETED = EventType("notes.note.deleted", NoteGone, "A note was put into the trash.")
RESTORED = EventType("notes.note.restored", NoteChanged, "A note was taken out of the trash.")
PURGED = EventType("notes.note.purged", NoteGone, "A note was deleted for good.")

EVENTS = (CREATED, UPDATED, DELETED, RESTORED, PURGED)


def subject_of(note_id: UUID) -> str:
    """What the event is about; also the live channel in which it is shown."""
    return f"notes/{note_id}"
