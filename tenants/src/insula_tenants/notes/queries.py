"""Every SQL statement of notes."""

from sqlalchemy import bindparam, insert, select

from insula.db import Statement
from insula.http.listing import Listing
from insula_tenants.notes import schemas
from insula_tenants.notes.tables import Note

_WHOLE = (
    Note.id, Note.title, Note.body, Note.html, Note.tags, Note.revision, Note.created_at,
    Note.updated_at,
)  # fmt: skip
_LINE = (Note.id, Note.title, Note.tags, Note.revision, Note.created_at, Note.updated_at)

GET = Statement(
    select(*_WHOLE).where(Note.id == bindparam("id"), Note.deleted_at.is_(None)), schemas.Note
)
INSERT = Statement(
    insert(Note)
    .values(
        id=bindparam("id"),
        author_id=bindparam("author_id"),
        title=bindparam("title"),
        body=bindparam("body"),
        html=bindparam("html"),
        tags=bindparam("tags"),
    )
    .returning(*_WHOLE),
    schemas.Note,
)
LIST = Listing(
    select(*_LINE).where(Note.deleted_at.is_(None)),
    schemas.NoteLine,
    key=Note.id,
    sort={"created_at": Note.created_at, "updated_at": Note.updated_at, "title": Note.title},
    default="-updated_at",
    filters={
        "tag": Note.tags,
        "title": Note.title,
        "created_at": Note.created_at,
        "updated_at": Note.updated_at,
    },
    search=Note.search,
)
