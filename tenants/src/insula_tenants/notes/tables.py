"""The tables of notes."""

from datetime import datetime
from uuid import UUID

from insula.db import TenantTable
from insula.db.marks import SHORT, person, written
from insula.search import searchable
from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column


class Note(TenantTable):
    __tablename__ = "notes"
    __table_args__ = (
        Index("ix_notes_tags", "tags", postgresql_using="gin"),
        Index("ix_notes_keys", "keys", postgresql_using="gin"),
        Index("uq_notes_path", "path", unique=True, postgresql_where=text("deleted_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), info=person("content"))
    title: Mapped[str]
    body: Mapped[str]
    front_matter: Mapped[str]  # as written, fences included: front_matter + body is the file
    path: Mapped[str | None]  # where the note lies in the vault that it came from
    heading: Mapped[str]  # first heading of level 1: what the file says its title is
    html: Mapped[str]  # rendered when written: reading is one row, no parser
    tags: Mapped[list[str]]
    keys: Mapped[list[str]]  # the names by which other notes link to this one, folded
    revision: Mapped[int] = mapped_column(server_default="1")
    search: Mapped[str] = searchable(A="title", B="body")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    deleted_at: Mapped[datetime | None] = mapped_column(index=True)


class NoteLink(TenantTable):
    """A link as written: what it leads to is decided when it is read, so it may come later."""

    __tablename__ = "notes_links"

    note_id: Mapped[UUID] = mapped_column(
        ForeignKey("notes.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    target: Mapped[str]
    heading: Mapped[str]
    text: Mapped[str]
    line: Mapped[int]


class NoteRevision(TenantTable):
    """Every version, the present one included."""

    __tablename__ = "notes_revisions"

    note_id: Mapped[UUID] = mapped_column(
        ForeignKey("notes.id", ondelete="CASCADE"), primary_key=True
    )
    revision: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), info=person("content"))
    title: Mapped[str] = mapped_column(info=written(of="author_id", blank="''"))
    body: Mapped[str] = mapped_column(info=written(of="author_id", blank="''"))
    front_matter: Mapped[str] = mapped_column(info=written(of="author_id", blank="''"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class NoteShare(TenantTable):
    """A link by which anybody may read one note. Only the token's SHA-256 digest is kept."""

    __tablename__ = "notes_shares"
    __table_args__ = ({"info": SHORT},)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    note_id: Mapped[UUID] = mapped_column(ForeignKey("notes.id", ondelete="CASCADE"), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"), info=person("delete"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]


class NoteWord(TenantTable):
    """A word that the grammar check takes for right: one user's, or everybody's."""

    __tablename__ = "notes_words"
    __table_args__ = (
        UniqueConstraint("owner_id", "folded", postgresql_nulls_not_distinct=True),
        {"info": SHORT},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), info=person("delete"))
    word: Mapped[str]
    folded: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
