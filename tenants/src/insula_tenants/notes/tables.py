"""The tables of notes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Computed, ForeignKey, Index, func
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from insula.db import TenantTable

_SEARCH = (
    "setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', body), 'B')"
)


class Note(TenantTable):
    __tablename__ = "notes"
    __table_args__ = (
        Index("ix_notes_search", "search", postgresql_using="gin"),
        Index("ix_notes_tags", "tags", postgresql_using="gin"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str]
    body: Mapped[str]
    html: Mapped[str]  # rendered when written: reading is one row, no parser
    tags: Mapped[list[str]]
    revision: Mapped[int] = mapped_column(server_default="1")
    search: Mapped[str] = mapped_column(TSVECTOR, Computed(_SEARCH, persisted=True))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    deleted_at: Mapped[datetime | None]
