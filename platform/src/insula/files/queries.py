"""Every statement on files."""

from typing import Any

import msgspec
from sqlalchemy import BigInteger, Uuid, bindparam, delete, exists, func, insert, select, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from insula.db import Statement, binds
from insula.files.schemas import File, Stored, TrashedFile, Usage
from insula.files.tables import AttachmentRow, FileRemovalRow, FileRow, FileUsageRow
from insula.http.listing import Listing

COLUMNS = (
    FileRow.id,
    FileRow.name,
    FileRow.media_type,
    FileRow.size,
    func.encode(FileRow.sha256, "hex").label("sha256"),
    FileRow.details.label("metadata"),
    FileRow.version,
    FileRow.created_by,
    FileRow.created_at,
    FileRow.updated_at,
)
STORED = (
    FileRow.id,
    FileRow.blob,
    FileRow.name,
    FileRow.media_type,
    FileRow.size,
    FileRow.sha256,
    FileRow.version,
    FileRow.created_at,
)
_id = FileRow.id == bindparam("id")
_ids = FileRow.id == func.any(bindparam("ids", type_=ARRAY(Uuid())))
# What is attached belongs to a module, which alone says who may see it.
FREE = ~exists().where(AttachmentRow.file_id == FileRow.id)
_here = FileRow.deleted_at.is_(None)
_trashed = FileRow.deleted_at.is_not(None)

_free = select(*COLUMNS).where(_here, FREE)
LIST = Listing(
    _free,
    File,
    key=FileRow.id,
    sort={"created_at": FileRow.created_at, "name": FileRow.name, "size": FileRow.size},
    default="-created_at",
    filters={
        "name": FileRow.name,
        "media_type": FileRow.media_type,
        "size": FileRow.size,
        "created_by": FileRow.created_by,
        "created_at": FileRow.created_at,
    },
)
TRASH = Listing(
    select(
        FileRow.id,
        FileRow.name,
        FileRow.media_type,
        FileRow.size,
        FileRow.created_at,
        FileRow.deleted_at,
    ).where(_trashed, FREE),
    TrashedFile,
    key=FileRow.id,
    sort={"deleted_at": FileRow.deleted_at, "name": FileRow.name, "size": FileRow.size},
    default="-deleted_at",
)
GET = Statement(_free.where(_id), File)
GET_MANY = Statement(_free.where(_ids), File)
GET_STORED = Statement(select(*STORED).where(_id, _here, FREE), Stored)
GET_ANY = Statement(select(*STORED).where(_id, _here), Stored)
INSERT = Statement(
    insert(FileRow)
    .values(
        **binds("id", "blob", "name", "media_type", "size", "sha256", "created_by"),
        details=bindparam("metadata", type_=JSONB),
    )
    .returning(*COLUMNS),
    File,
)
IS_TAKEN = Statement(
    select(
        exists().where(FileRow.id == bindparam("id"))
        | exists().where(FileRemovalRow.id == bindparam("id"))
    ),
    bool,
)
LOCK = Statement(select(FileRow.version).where(_id, _here, FREE).with_for_update(), int)


class Names(msgspec.Struct, frozen=True):
    name: str
    metadata: dict[str, Any]


GET_NAMES = Statement(select(FileRow.name, FileRow.details.label("metadata")).where(_id), Names)
RENAME = Statement(
    update(FileRow)
    .where(FileRow.id == bindparam("file_id"))
    .values(
        name=bindparam("new_name"),
        details=bindparam("new_metadata", type_=JSONB),
        version=FileRow.version + 1,
        updated_at=func.now(),
    )
    .returning(*COLUMNS),
    File,
)
TRASH_FILE = Statement(
    update(FileRow)
    .where(FileRow.id == bindparam("file_id"), _here, FREE)
    .values(deleted_at=func.now(), version=FileRow.version + 1)
)
RESTORE = Statement(
    update(FileRow)
    .where(FileRow.id == bindparam("file_id"), _trashed, FREE)
    .values(deleted_at=None, version=FileRow.version + 1)
    .returning(*COLUMNS),
    File,
)
PURGE = Statement(delete(FileRow).where(_id, _trashed, FREE).returning(FileRow.size), int)
PURGE_OLD = Statement(
    delete(FileRow)
    .where(_id, _trashed, FileRow.deleted_at <= bindparam("before"))
    .returning(FileRow.size),
    int,
)
ADD_REMOVAL = Statement(insert(FileRemovalRow).values(**binds("id", "size")))
END_REMOVAL = Statement(
    delete(FileRemovalRow)
    .where(FileRemovalRow.id == bindparam("id"))
    .returning(FileRemovalRow.size),
    int,
)

# Quota: the row's lock makes those who reserve wait for each other

_quota = func.coalesce(FileUsageRow.quota, bindparam("default_quota", type_=BigInteger))
USAGE = Statement(select(FileUsageRow.bytes, _quota.label("quota")), Usage)
_more = bindparam("more", type_=BigInteger)
_total = FileUsageRow.bytes + _more
RESERVE = Statement(
    update(FileUsageRow).where(_total <= _quota).values(bytes=_total).returning(FileUsageRow.bytes),
    int,
)
LOCK_USAGE = Statement(select(FileUsageRow.bytes).with_for_update(), int)
RELEASE = Statement(
    update(FileUsageRow).values(
        bytes=func.greatest(0, FileUsageRow.bytes - bindparam("less", type_=BigInteger))
    )
)
SET_QUOTA = Statement(update(FileUsageRow).values(quota=bindparam("quota")))
