"""Every statement on uploads under way."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, Uuid, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import JSONB

from insula.db import Statement, binds
from insula.files.schemas import Upload
from insula.files.tables import UploadPartRow, UploadRow
from insula.http.listing import Listing

_id = UploadRow.id == bindparam("upload_id", type_=Uuid())
_alive = UploadRow.expires_at > func.now()
_columns = (
    UploadRow.id,
    UploadRow.name,
    UploadRow.media_type,
    UploadRow.size,
    UploadRow.received.label("offset"),
    UploadRow.details.label("metadata"),
    UploadRow.created_at,
    UploadRow.expires_at,
)


class Reserved(msgspec.Struct, frozen=True):
    """An upload that was given up: what to give back."""

    id: UUID
    size: int


class Standing(msgspec.Struct, frozen=True):
    """A resumable upload as its next writer finds it."""

    id: UUID
    name: str
    media_type: str
    size: int
    received: int
    metadata: dict[str, Any]
    created_by: UUID | None
    expires_at: datetime


class Part(msgspec.Struct, frozen=True):
    start: int
    size: int
    blob: str


LIST = Listing(
    select(*_columns).where(UploadRow.resumable, _alive),
    Upload,
    key=UploadRow.id,
    sort={"created_at": UploadRow.created_at},
    default="-created_at",
)
GET = Statement(select(*_columns).where(_id, UploadRow.resumable), Upload)
INSERT = Statement(
    insert(UploadRow).values(
        **binds("id", "resumable", "name", "media_type", "size", "created_by", "expires_at"),
        details=bindparam("metadata", type_=JSONB),
    )
)
GROW = Statement(
    update(UploadRow)
    .where(_id)
    .values(
        size=UploadRow.size + bindparam("more", type_=BigInteger), expires_at=bindparam("expires")
    )
)
DELETE = Statement(delete(UploadRow).where(_id).returning(UploadRow.id, UploadRow.size), Reserved)
DELETE_RESUMABLE = Statement(
    delete(UploadRow).where(_id, UploadRow.resumable).returning(UploadRow.id, UploadRow.size),
    Reserved,
)
SHRINK = Statement(update(UploadRow).where(_id).values(size=bindparam("actual")))
NEXT_EXPIRY = Statement(select(func.min(UploadRow.expires_at)), datetime)
DELETE_EXPIRED = Statement(
    delete(UploadRow).where(~_alive).returning(UploadRow.id, UploadRow.size), Reserved
)

# Resumable: whoever takes it over puts the writer before out of work

TAKE_OVER = Statement(
    update(UploadRow)
    .where(
        _id,
        UploadRow.resumable,
        _alive,
        UploadRow.received == bindparam("offset", type_=BigInteger),
    )
    .values(writer=bindparam("by"), expires_at=bindparam("expires"))
    .returning(
        UploadRow.id,
        UploadRow.name,
        UploadRow.media_type,
        UploadRow.size,
        UploadRow.received,
        UploadRow.details.label("metadata"),
        UploadRow.created_by,
        UploadRow.expires_at,
    ),
    Standing,
)
_mine = (
    _id,
    UploadRow.writer == bindparam("by", type_=Uuid()),
    UploadRow.received == bindparam("offset", type_=BigInteger),
)
ADVANCE = Statement(
    update(UploadRow)
    .where(*_mine)
    .values(received=bindparam("until"), expires_at=bindparam("expires"))
)
FINISH = Statement(delete(UploadRow).where(*_mine))
ADD_PART = Statement(insert(UploadPartRow).values(**binds("upload_id", "start", "size", "blob")))
PARTS = Statement(
    select(UploadPartRow.start, UploadPartRow.size, UploadPartRow.blob)
    .where(UploadPartRow.upload_id == bindparam("upload_id", type_=Uuid()))
    .order_by(UploadPartRow.start),
    Part,
)
