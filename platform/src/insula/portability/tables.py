"""Exports that were asked for, and receipts of erasures."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from insula.db import TenantTable
from insula.db.marks import IMPERSONAL, SHORT, person, stays


class ExportRow(TenantTable):
    """An archive that a tenant has asked for. Its state is that of its job, until it is there."""

    __tablename__ = "exports"
    __table_args__ = (
        CheckConstraint("kind in ('tenant', 'person')", name="kind"),
        {"info": stays() | SHORT},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    person_id: Mapped[UUID | None] = mapped_column(info=person("delete"))
    """Whose data it is; NULL: everybody's."""
    requested_by: Mapped[UUID | None] = mapped_column(info=person("clear"))
    job_id: Mapped[UUID]
    blob: Mapped[str | None]
    """The bytes, in the folder of the store that is named after the export."""
    size: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    expires_at: Mapped[datetime | None]


class ErasureRow(TenantTable):
    """That somebody was erased, and what of them; nothing here says who it was."""

    __tablename__ = "erasures"
    __table_args__ = (CheckConstraint("content in ('keep', 'remove')", name="content"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(index=True, info=IMPERSONAL)
    content: Mapped[str]
    requested_by: Mapped[UUID] = mapped_column(info=person("keep"))
    erased_at: Mapped[datetime]
    tables: Mapped[dict[str, Any]]
    receipt: Mapped[str]
    """The same, signed: a JWS (RFC 7515)."""
