"""Every SQL statement of notes."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from insula.db import Statement, binds
from insula.http.listing import Listing
from sqlalchemy import (
    Text,
    Uuid,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal_column,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, array
from sqlalchemy.orm import aliased

from insula_tenants.notes import schemas
from insula_tenants.notes.tables import Note, NoteLink, NoteRevision, NoteShare

_WHOLE = (
    Note.id, Note.title, Note.body, Note.html, Note.tags, Note.path, Note.author_id,
    Note.revision, Note.created_at, Note.updated_at,
)  # fmt: skip
_LINE = (
    Note.id, Note.title, Note.tags, Note.path, Note.author_id, Note.revision, Note.created_at,
    Note.updated_at,
)  # fmt: skip
_LIVE = Note.deleted_at.is_(None)


class Stored(msgspec.Struct):
    """A note as its next version is made from it."""

    id: UUID
    title: str
    body: str
    front_matter: str
    path: str | None
    heading: str
    revision: int


class File(msgspec.Struct):
    """A note as a file of a vault."""

    title: str
    body: str
    front_matter: str
    path: str | None
    heading: str
    updated_at: Any


class NoteState(msgspec.Struct, frozen=True):
    """What somebody who watches a note begins with."""

    id: UUID
    title: str
    tags: list[str]
    revision: int
    updated_at: datetime
    deleted: bool


_STORED = (
    Note.id, Note.title, Note.body, Note.front_matter, Note.path, Note.heading, Note.revision,
)  # fmt: skip

LIST = Listing(
    select(*_LINE).where(_LIVE),
    schemas.NoteLine,
    key=Note.id,
    sort={"created_at": Note.created_at, "updated_at": Note.updated_at, "title": Note.title},
    default="-updated_at",
    filters={
        "tag": Note.tags,
        "title": Note.title,
        "path": Note.path,
        "author_id": Note.author_id,
        "created_at": Note.created_at,
        "updated_at": Note.updated_at,
    },
    search=Note.search,
)
TRASH = Listing(
    select(Note.id, Note.title, Note.tags, Note.path, Note.deleted_at).where(
        Note.deleted_at.is_not(None)
    ),
    schemas.TrashLine,
    key=Note.id,
    sort={"deleted_at": Note.deleted_at},
    default="-deleted_at",
)
STATE = Statement(
    select(
        Note.id, Note.title, Note.tags, Note.revision, Note.updated_at,
        Note.deleted_at.is_not(None).label("deleted"),
    ).where(Note.id == bindparam("id")),
    NoteState,
)  # fmt: skip
GET = Statement(select(*_WHOLE).where(Note.id == bindparam("id"), _LIVE), schemas.Note)
GET_MANY = Statement(
    select(*_WHOLE).where(Note.id == func.any(bindparam("ids", type_=ARRAY(Uuid))), _LIVE),
    schemas.Note,
)
EXISTS = Statement(select(Note.id).where(Note.id == bindparam("id"), _LIVE), UUID)
LOCK = Statement(
    select(*_STORED).where(Note.id == bindparam("id"), _LIVE).with_for_update(), Stored
)
LOCK_PATHS = Statement(
    select(*_STORED)
    .where(Note.path == func.any(bindparam("paths", type_=ARRAY(Text))), _LIVE)
    .order_by(Note.id)
    .with_for_update(),
    Stored,
)
INSERT = Statement(
    insert(Note)
    .values(
        **binds(
            "id",
            "author_id",
            "title",
            "body",
            "front_matter",
            "path",
            "heading",
            "html",
            "tags",
            "keys",
        ),
        created_at=func.coalesce(bindparam("created"), func.now()),
        updated_at=func.coalesce(bindparam("updated"), func.now()),
    )
    .returning(*_WHOLE),
    schemas.Note,
)
UPDATE = Statement(
    update(Note)
    .where(Note.id == bindparam("note_id"))
    .values(
        **binds("title", "body", "front_matter", "heading", "html", "tags", "keys"),
        revision=Note.revision + 1,
        updated_at=func.now(),
    )
    .returning(*_WHOLE),
    schemas.Note,
)
DELETE = Statement(
    update(Note).where(Note.id == bindparam("note_id"), _LIVE).values(deleted_at=func.now())
)
RESTORE = Statement(
    update(Note)
    .where(Note.id == bindparam("note_id"), Note.deleted_at.is_not(None))
    .values(deleted_at=None)
    .returning(*_WHOLE),
    schemas.Note,
)
PURGE = Statement(delete(Note).where(Note.id == bindparam("note_id"), Note.deleted_at.is_not(None)))
TAGS = Statement(
    select(literal_column("tag"), func.count().label("notes"))
    .select_from(select(func.unnest(Note.tags).label("tag")).where(_LIVE).subquery("tagged"))
    .group_by(literal_column("tag"))
    .order_by(func.count().desc(), literal_column("tag"))
    .limit(1000),
    schemas.TagCount,
)
FILES = Statement(
    select(Note.title, Note.body, Note.front_matter, Note.path, Note.heading, Note.updated_at)
    .where(_LIVE)
    .order_by(Note.path.is_(None), Note.path, Note.id),
    File,
)
COUNT = Statement(select(func.count()).select_from(Note).where(_LIVE), int)

# Links

INSERT_LINK = Statement(
    insert(NoteLink).values(
        **binds("note_id", "number", "key", "kind", "target", "heading", "text", "line"),
    )
)
DELETE_LINKS = Statement(delete(NoteLink).where(NoteLink.note_id == bindparam("note_id")))
_linked = aliased(Note)
_keys = (
    select(_linked.keys)
    .where(_linked.id == bindparam("id"), _linked.deleted_at.is_(None))
    .scalar_subquery()
)
BACKLINKS = Statement(
    select(
        NoteLink.note_id,
        Note.title,
        NoteLink.kind,
        NoteLink.text,
        NoteLink.heading,
        NoteLink.line,
    )
    .join(Note, Note.id == NoteLink.note_id)
    .where(
        NoteLink.key == func.any(cast(_keys, ARRAY(Text))),
        NoteLink.note_id != bindparam("id"),
        _LIVE,
    )
    .order_by(Note.title, Note.id, NoteLink.number)
    .limit(1000),
    schemas.Backlink,
)
_target = (
    select(Note.id.label("note_id"), Note.title.label("title"))
    .where(Note.keys.contains(array([NoteLink.key])), _LIVE)
    .order_by(Note.created_at)
    .limit(1)
    .lateral("target")
)
LINKS = Statement(
    select(
        NoteLink.kind,
        NoteLink.target,
        NoteLink.heading,
        NoteLink.text,
        NoteLink.line,
        _target.c.note_id,
        _target.c.title,
    )
    .join(_target, true(), isouter=True)
    .where(NoteLink.note_id == bindparam("id"))
    .order_by(NoteLink.number)
    .limit(1000),
    schemas.OutgoingLink,
)

# Revisions

INSERT_REVISION = Statement(
    insert(NoteRevision).values(
        **binds("note_id", "revision", "author_id", "title", "body", "front_matter"),
    )
)
_OF_LIVE = (NoteRevision.note_id == bindparam("id"), _LIVE)
LIST_REVISIONS = Statement(
    select(
        NoteRevision.revision, NoteRevision.title, NoteRevision.author_id, NoteRevision.created_at
    )
    .join(Note, Note.id == NoteRevision.note_id)
    .where(*_OF_LIVE)
    .order_by(NoteRevision.revision.desc())
    .limit(1000),
    schemas.RevisionLine,
)
GET_REVISION = Statement(
    select(
        NoteRevision.revision,
        NoteRevision.title,
        NoteRevision.body,
        NoteRevision.front_matter,
        NoteRevision.author_id,
        NoteRevision.created_at,
    )
    .join(Note, Note.id == NoteRevision.note_id)
    .where(*_OF_LIVE, NoteRevision.revision == bindparam("revision")),
    schemas.Revision,
)

# Shares

INSERT_SHARE = Statement(
    insert(NoteShare).values(
        **binds("id", "note_id", "digest", "created_by", "expires_at"),
    )
)
LIST_SHARES = Statement(
    select(NoteShare.id, NoteShare.created_by, NoteShare.created_at, NoteShare.expires_at)
    .where(NoteShare.note_id == bindparam("id"))
    .order_by(NoteShare.created_at)
    .limit(1000),
    schemas.ShareLine,
)
DELETE_SHARE = Statement(
    delete(NoteShare).where(
        NoteShare.id == bindparam("share_id"), NoteShare.note_id == bindparam("note_id")
    )
)
GET_SHARED = Statement(
    select(Note.title, Note.body, Note.html, Note.updated_at)
    .join(NoteShare, NoteShare.note_id == Note.id)
    .where(
        NoteShare.digest == bindparam("digest"),
        (NoteShare.expires_at.is_(None)) | (NoteShare.expires_at > func.now()),
        _LIVE,
    ),
    schemas.SharedNote,
)
SHARED_NOTE = Statement(
    select(Note.id)
    .join(NoteShare, NoteShare.note_id == Note.id)
    .where(
        NoteShare.digest == bindparam("digest"),
        (NoteShare.expires_at.is_(None)) | (NoteShare.expires_at > func.now()),
        _LIVE,
    ),
    UUID,
)
