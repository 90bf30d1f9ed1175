"""What notes take and give."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from insula.markdown.tags import TAG_LIMIT
from msgspec import UNSET, Meta, UnsetType

from insula_tenants.notes.markdown import BODY_LIMIT
from insula_tenants.notes.outline import Task
from insula_tenants.notes.pictures import with_pictures
from insula_tenants.notes.titles import TITLE_LIMIT

Title = Annotated[
    str, Meta(min_length=1, max_length=TITLE_LIMIT, pattern=r"\S", examples=["Roof garden"])
]
Body = Annotated[
    str, Meta(max_length=BODY_LIMIT, examples=["# Roof garden\n\n- [ ] water the #tomatoes"])
]
Tag = Annotated[str, Meta(min_length=1, max_length=TAG_LIMIT, pattern=r"\S", examples=["garden"])]
Tags = Annotated[list[Tag], Meta(max_length=100)]


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Input: a field that nobody knows is a mistake worth telling."""


class NoteCreate(Strict):
    """Without a title, a note is called after its first heading."""

    title: Title | UnsetType = UNSET
    body: Body = ""
    tags: Tags | UnsetType = UNSET
    """Kept in the note's front matter; ``#tags`` in the text count as well."""


class NoteUpdate(Strict):
    title: Title | UnsetType = UNSET
    body: Body | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET


class Note(msgspec.Struct):
    """A note. ``html`` is ``body`` rendered, safe to put into a page."""

    id: UUID
    title: str
    body: str
    html: str
    tags: list[str]
    path: str | None
    author_id: UUID
    revision: int
    created_at: datetime
    updated_at: datetime

    def __post_init__(self) -> None:
        self.html = with_pictures(self.html, f"/api/v1/notes/{self.id}/attachments/named")


class NoteLine(msgspec.Struct):
    """A note in a list: everything but its text."""

    id: UUID
    title: str
    tags: list[str]
    path: str | None
    author_id: UUID
    revision: int
    created_at: datetime
    updated_at: datetime


class TrashLine(msgspec.Struct):
    """A deleted note, which can be restored."""

    id: UUID
    title: str
    tags: list[str]
    path: str | None
    deleted_at: datetime


class Backlink(msgspec.Struct):
    """A place in another note that links to this one."""

    note_id: UUID
    title: str
    kind: str
    text: str
    heading: str
    line: int


class OutgoingLink(msgspec.Struct):
    """A link in this note; ``note_id`` is null while nothing has the name that it gives."""

    kind: str
    target: str
    heading: str
    text: str
    line: int
    note_id: UUID | None
    title: str | None


class TagCount(msgspec.Struct):
    tag: str
    notes: int


class TaskList(msgspec.Struct):
    """The tasks of a note, in the order of its text."""

    revision: int
    tasks: tuple[Task, ...]


class TaskUpdate(Strict):
    done: bool


class RevisionLine(msgspec.Struct):
    revision: int
    title: str
    author_id: UUID
    created_at: datetime


class Revision(msgspec.Struct):
    revision: int
    title: str
    body: str
    front_matter: str
    author_id: UUID
    created_at: datetime


class ShareCreate(Strict):
    expires_at: datetime | None = None


class ShareLine(msgspec.Struct):
    id: UUID
    created_by: UUID
    created_at: datetime
    expires_at: datetime | None


class Share(msgspec.Struct):
    """A fresh share. The token is shown this once; only its digest is kept."""

    id: UUID
    token: str
    url: str
    expires_at: datetime | None


class SharedNote(msgspec.Struct):
    """What somebody sees who has the link."""

    title: str
    body: str
    html: str
    updated_at: datetime


class FileReport(msgspec.Struct, omit_defaults=True):
    """What became of one file of a vault: created, updated, unchanged, skipped or failed."""

    path: str
    outcome: str
    note_id: UUID | None = None
    reason: str = ""
    warnings: tuple[str, ...] = ()


class ImportReport(msgspec.Struct):
    created: int
    updated: int
    unchanged: int
    skipped: int
    failed: int
    files: list[FileReport]
