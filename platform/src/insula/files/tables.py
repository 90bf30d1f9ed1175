"""Files, uploads on their way, what files are attached to, and how much a tenant may keep."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from insula.db import TenantTable
from insula.db.marks import SHORT, carried_where, person, stays


class FileRow(TenantTable):
    """A file. Its row is written when its bytes are in the store, and never before."""

    __tablename__ = "files"
    __table_args__ = ({"info": carried_where("deleted_at IS NULL")},)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    # The name of the bytes within the file's folder of the store; never what an archive says.
    blob: Mapped[str] = mapped_column(info=stays("'content-' || left(encode(r.sha256, 'hex'), 32)"))
    name: Mapped[str]
    media_type: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    # "metadata" is a word that SQLAlchemy keeps for itself
    details: Mapped[dict[str, Any]] = mapped_column("metadata", server_default="{}")
    version: Mapped[int] = mapped_column(server_default="1")
    created_by: Mapped[UUID | None] = mapped_column(info=person("content"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None] = mapped_column(index=True)


class UploadRow(TenantTable):
    """Bytes on their way in. Written before the first of them is stored, so that nothing lies in
    the store that no row speaks of; becomes the file of the same id."""

    __tablename__ = "uploads"
    __table_args__ = ({"info": stays()},)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    resumable: Mapped[bool]
    name: Mapped[str]
    media_type: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)  # declared, and reserved from the quota
    received: Mapped[int] = mapped_column(BigInteger, server_default="0")
    writer: Mapped[UUID | None]  # the request that writes; the next one puts it out of work
    details: Mapped[dict[str, Any]] = mapped_column("metadata", server_default="{}")
    created_by: Mapped[UUID | None] = mapped_column(info=person("clear"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class UploadPartRow(TenantTable):
    """A stretch of a resumable upload that is safe in the store."""

    __tablename__ = "upload_parts"
    __table_args__ = ({"info": stays() | SHORT},)

    upload_id: Mapped[UUID] = mapped_column(
        ForeignKey("uploads.id", ondelete="CASCADE"), primary_key=True
    )
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    blob: Mapped[str]


class FileRemovalRow(TenantTable):
    """Bytes that are to be deleted: the file's row is gone, its share of the quota is not yet."""

    __tablename__ = "file_removals"
    __table_args__ = ({"info": stays()},)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)


class AttachmentRow(TenantTable):
    """A file that belongs to something in a module, which says who may see it."""

    __tablename__ = "attachments"
    __table_args__ = (
        Index("ix_attachments_thing", "module", "thing_id", "file_id"),
        {
            "info": carried_where("file_id IN (SELECT id FROM files WHERE deleted_at IS NULL)")
            | SHORT
        },
    )

    file_id: Mapped[UUID] = mapped_column(
        ForeignKey("files.id", ondelete="CASCADE"), primary_key=True
    )
    module: Mapped[str]
    thing_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class FileUsageRow(TenantTable):
    """What the tenant's files take, uploads under way and the trash included: one row, whose lock
    makes reservations queue."""

    __tablename__ = "file_usage"
    __table_args__ = (CheckConstraint("id = 1", name="single"), {"info": stays()})

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, server_default="1")
    bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    quota: Mapped[int | None] = mapped_column(BigInteger)  # instead of the installation's
