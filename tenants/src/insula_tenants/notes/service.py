"""The rules about notes: every change makes a revision, nothing is lost until it is purged."""

import hashlib
import secrets
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import msgspec
from insula.db import RowNotFound, Statement, Work
from insula.db.ids import new_id
from insula.events import EventType, emit, emit_all
from insula.files.attachments import remove_attachments
from insula.http.conditional import require_match
from insula.http.problem import FieldError, InvalidInput
from insula.markdown.diff import TextDiff, diff_texts
from msgspec import UNSET

from insula_tenants.notes import events, queries
from insula_tenants.notes.content import Content, compose
from insula_tenants.notes.errors import NoSuchTask, PathTaken
from insula_tenants.notes.pictures import with_pictures
from insula_tenants.notes.schemas import (
    Note,
    NoteCreate,
    NoteUpdate,
    ShareCreate,
    SharedNote,
    TaskList,
)
from insula_tenants.notes.tasks import TaskNotFound, set_task, tasks

T = TypeVar("T")


async def create(tx: Work, new: NoteCreate, author_id: UUID) -> Note:
    content = compose(
        body=new.body,
        title=None if new.title is UNSET else new.title,
        tags=None if new.tags is UNSET else new.tags,
    )
    return await insert(tx, content, author_id)


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A note that is about to be stored."""

    id: UUID
    content: Content
    path: str | None = None
    created: datetime | None = None
    updated: datetime | None = None

    def row(self, author_id: UUID) -> dict[str, Any]:
        return self.content.columns() | {
            "id": self.id,
            "author_id": author_id,
            "path": self.path,
            "created": self.created,
            "updated": self.updated,
        }


async def insert(tx: Work, content: Content, author_id: UUID) -> Note:
    """Store a new note with its links and first revision."""
    draft = Draft(id=new_id(), content=content)
    note = await tx.one(queries.INSERT, **draft.row(author_id))
    await _record(tx, note, content, author_id)
    await _emit(tx, events.CREATED, note, author_id)
    return note


async def insert_all(tx: Work, drafts: list[Draft], author_id: UUID) -> None:
    """Store many new notes, in four round trips."""
    await tx.execute_many(queries.INSERT, [draft.row(author_id) for draft in drafts])
    links = [row for draft in drafts for row in draft.content.link_rows(draft.id, draft.path)]
    await tx.execute_many(queries.INSERT_LINK, links)
    revisions = [_revision(draft.id, 1, draft.content, author_id) for draft in drafts]
    await tx.execute_many(queries.INSERT_REVISION, revisions)
    await emit_all(tx, events.CREATED, [_created(draft) for draft in drafts], actor=author_id)


def _created(draft: Draft) -> tuple[events.NoteChanged, str, tuple[str, ...]]:
    content, subject = draft.content, events.subject_of(draft.id)
    changed = events.NoteChanged(draft.id, content.title, list(content.tags), 1)
    return changed, subject, (subject,)


async def _emit(
    tx: Work, kind: EventType[events.NoteChanged], note: Note, actor_id: UUID | None
) -> None:
    changed = events.NoteChanged(note.id, note.title, note.tags, note.revision)
    subject = events.subject_of(note.id)
    await emit(tx, kind, changed, subject=subject, actor=actor_id, channels=(subject,))


async def _emit_gone(
    tx: Work, kind: EventType[events.NoteGone], note_id: UUID, actor_id: UUID | None
) -> None:
    gone, subject = events.NoteGone(note_id), events.subject_of(note_id)
    await emit(tx, kind, gone, subject=subject, actor=actor_id, channels=(subject,))


async def update(
    tx: Work, note_id: UUID, change: NoteUpdate, author_id: UUID, if_match: str | None
) -> Note:
    """Change a note. What changes nothing makes no revision.

    Raises:
        PreconditionFailed: somebody else changed the note since it was read.
    """
    stored = await tx.one(queries.LOCK, id=note_id)
    require_match(if_match, stored.revision)
    body = stored.body if change.body is UNSET else change.body
    content = compose(
        body=body,
        front_matter=stored.front_matter,
        title=_title(stored, change),
        tags=None if change.tags is UNSET else change.tags,
        path=stored.path,
    )
    return await replace(tx, stored, content, author_id)


def _title(stored: queries.Stored, change: NoteUpdate) -> str | None:
    """A title that followed the heading goes on following it; one that was given stays."""
    if change.title is not UNSET:
        return change.title
    follows = stored.heading != "" and stored.title == stored.heading
    return None if follows and change.body is not UNSET else stored.title


async def replace(tx: Work, stored: queries.Stored, content: Content, author_id: UUID) -> Note:
    """Make ``content`` the note's next revision, unless it is what the note says already."""
    same = (content.title, content.body, content.front_matter) == (
        stored.title,
        stored.body,
        stored.front_matter,
    )
    if same:
        return await tx.one(queries.GET, id=stored.id)
    note = await tx.one(queries.UPDATE, note_id=stored.id, **content.columns())
    await tx.execute(queries.DELETE_LINKS, note_id=stored.id)
    await _record(tx, note, content, author_id)
    await _emit(tx, events.UPDATED, note, author_id)
    return note


async def _record(tx: Work, note: Note, content: Content, author_id: UUID) -> None:
    if rows := content.link_rows(note.id, note.path):
        await tx.execute_many(queries.INSERT_LINK, rows)
    revision = _revision(note.id, note.revision, content, author_id)
    await tx.execute(queries.INSERT_REVISION, **revision)


def _revision(note_id: UUID, number: int, content: Content, author_id: UUID) -> dict[str, Any]:
    return {
        "note_id": note_id,
        "revision": number,
        "author_id": author_id,
        "title": content.title,
        "body": content.body,
        "front_matter": content.front_matter,
    }


# Trash


async def delete(tx: Work, note_id: UUID, author_id: UUID, if_match: str | None) -> None:
    """Put a note into the trash; its links and shares stop working until it is restored."""
    stored = await tx.one(queries.LOCK, id=note_id)
    require_match(if_match, stored.revision)
    await tx.execute(queries.DELETE, note_id=note_id)
    await _emit_gone(tx, events.DELETED, note_id, author_id)


async def restore(tx: Work, note_id: UUID, author_id: UUID) -> Note:
    """Take a note out of the trash.

    Raises:
        PathTaken: another file has been imported to its path since.
    """
    try:
        note = await tx.one(queries.RESTORE, note_id=note_id)
    except asyncpg.UniqueViolationError as error:
        raise PathTaken from error
    await _emit(tx, events.RESTORED, note, author_id)
    return note


async def purge(tx: Work, note_id: UUID, author_id: UUID) -> None:
    """Delete a note in the trash for good, with its history."""
    if await tx.execute(queries.PURGE, note_id=note_id) == 0:
        raise RowNotFound
    await remove_attachments(tx, "notes", [note_id])
    await _emit_gone(tx, events.PURGED, note_id, author_id)


# History


async def restore_revision(
    tx: Work, note_id: UUID, revision: int, author_id: UUID, if_match: str | None
) -> Note:
    """Make an old revision the newest one; what lay between stays in the history."""
    stored = await tx.one(queries.LOCK, id=note_id)
    require_match(if_match, stored.revision)
    old = await tx.one(queries.GET_REVISION, id=note_id, revision=revision)
    content = compose(
        body=old.body, front_matter=old.front_matter, title=old.title, path=stored.path
    )
    return await replace(tx, stored, content, author_id)


async def compare(tx: Work, note_id: UUID, older: int, newer: int) -> TextDiff:
    """What changed in the text between two revisions."""
    before = await tx.one(queries.GET_REVISION, id=note_id, revision=older)
    after = await tx.one(queries.GET_REVISION, id=note_id, revision=newer)
    return diff_texts(before.body, after.body)


# Tasks


async def list_tasks(tx: Work, note_id: UUID) -> TaskList:
    note = await tx.one(queries.GET, id=note_id)
    return TaskList(note.revision, tasks(note.body))


async def tick(
    tx: Work, note_id: UUID, number: int, *, done: bool, author_id: UUID, if_match: str | None
) -> Note:
    """Tick or open one task, and change nothing else in the text.

    Raises:
        NoSuchTask: the note has no task of this number.
    """
    stored = await tx.one(queries.LOCK, id=note_id)
    require_match(if_match, stored.revision)
    try:
        body = set_task(stored.body, number, done=done)
    except TaskNotFound as error:
        raise NoSuchTask(str(error)) from error
    content = compose(
        body=body, front_matter=stored.front_matter, title=stored.title, path=stored.path
    )
    return await replace(tx, stored, content, author_id)


# Sharing


async def share(tx: Work, note_id: UUID, new: ShareCreate, author_id: UUID) -> tuple[UUID, str]:
    """A link by which anybody can read the note: its id and its token, shown this once.

    Raises:
        InvalidInput: the link would have expired already.
    """
    await tx.one(queries.GET, id=note_id)
    expires = _expiry(new)
    share_id, token = new_id(), secrets.token_urlsafe(24)
    await tx.execute(
        queries.INSERT_SHARE,
        id=share_id,
        note_id=note_id,
        digest=_digest(token),
        created_by=author_id,
        expires_at=expires,
    )
    return share_id, token


def _expiry(new: ShareCreate) -> datetime | None:
    expires = new.expires_at
    if expires is None:
        return None
    if expires.tzinfo is None:
        fault = "needs a time zone, such as Z"
    elif expires <= datetime.now(UTC):
        fault = "is in the past"
    else:
        return expires
    raise InvalidInput(errors=(FieldError("/expires_at", fault),))


async def unshare(tx: Work, note_id: UUID, share_id: UUID) -> None:
    """The link stops working at once."""
    if await tx.execute(queries.DELETE_SHARE, note_id=note_id, share_id=share_id) == 0:
        raise RowNotFound


async def read_shared(tx: Work, token: str) -> SharedNote:
    """What a link shows; unknown, expired and withdrawn ones look the same."""
    note = await tx.one(queries.GET_SHARED, digest=_digest(token))
    pictures = f"/api/v1/notes/shared/{token}/attachments"
    return msgspec.structs.replace(note, html=with_pictures(note.html, pictures))


async def shared_note(tx: Work, token: str) -> UUID:
    """The id of the note that a link shows."""
    return await tx.one(queries.SHARED_NOTE, digest=_digest(token))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def list_links(tx: Work, statement: Statement[T], note_id: UUID) -> list[T]:
    """Links from or to a note that exists."""
    await tx.one(queries.GET, id=note_id)
    return await tx.many(statement, id=note_id)
