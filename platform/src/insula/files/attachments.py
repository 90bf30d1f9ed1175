"""Files that belong to something in a module: an image of a note, a picture of a product.

A module says in one line what can have attachments, and gets the routes for it::

    ROUTES = attachment_routes("notes", at="/{note_id:uuid}", read=READ, write=WRITE, check=exists)

``check(tx, caller, note_id)`` raises unless the caller may see the thing; rights are the module's
own. Files that are attached are seen through these routes alone. Where things are deleted for
good, their attachments go along: ``await remove_attachments(tx, "notes", [note_id])``.
"""

from collections.abc import Sequence
from uuid import UUID

import asyncpg
from sqlalchemy import Text, Uuid, bindparam, delete, func, insert, select
from sqlalchemy.dialects.postgresql import ARRAY

from insula.db import RowNotFound, Statement, Work, binds
from insula.files import queries
from insula.files.errors import AlreadyAttached, TooManyAttachments
from insula.files.jobs import remove_bytes
from insula.files.schemas import File, Removed, Stored
from insula.files.tables import AttachmentRow, FileRow
from insula.http.listing import Listing
from insula.i18n import say

MAX_ATTACHMENTS = 200
"""Of one thing."""

_of_thing = (
    AttachmentRow.file_id == FileRow.id,
    AttachmentRow.module == bindparam("module", type_=Text()),
    AttachmentRow.thing_id == bindparam("thing_id", type_=Uuid()),
)
_id = FileRow.id == bindparam("id", type_=Uuid())
LIST = Listing(
    select(*queries.COLUMNS).where(*_of_thing),
    File,
    key=FileRow.id,
    sort={"created_at": FileRow.created_at, "name": FileRow.name, "size": FileRow.size},
    default="created_at",
    filters={"name": FileRow.name, "media_type": FileRow.media_type},
)
_GET = Statement(select(*queries.COLUMNS).where(*_of_thing, _id), File)
_GET_STORED = Statement(select(*queries.STORED).where(*_of_thing, _id), Stored)
_NAMED = Statement(
    select(*queries.STORED)
    .where(*_of_thing, FileRow.name == bindparam("name", type_=Text()))
    .order_by(FileRow.created_at.desc(), FileRow.id.desc())
    .limit(1),
    Stored,
)
_COUNT = Statement(select(func.count()).where(*_of_thing[1:]), int)
_ATTACH = Statement(insert(AttachmentRow).values(**binds("file_id", "module", "thing_id")))
_REMOVE = Statement(
    delete(FileRow).where(*_of_thing, _id).returning(FileRow.id, FileRow.size), Removed
)
_REMOVE_ALL = Statement(
    delete(FileRow)
    .where(
        AttachmentRow.file_id == FileRow.id,
        AttachmentRow.module == bindparam("module", type_=Text()),
        AttachmentRow.thing_id == func.any(bindparam("thing_ids", type_=ARRAY(Uuid()))),
    )
    .returning(FileRow.id, FileRow.size),
    Removed,
)


async def get_attachment(tx: Work, module: str, thing_id: UUID, file_id: UUID) -> File:
    """What is known of one.

    Raises:
        RowNotFound: the thing has no such attachment.
    """
    return await tx.one(_GET, module=module, thing_id=thing_id, id=file_id)


async def find_attachment(tx: Work, module: str, thing_id: UUID, file_id: UUID) -> Stored:
    """One of them, to be sent.

    Raises:
        RowNotFound: the thing has no such attachment.
    """
    return await tx.one(_GET_STORED, module=module, thing_id=thing_id, id=file_id)


async def attachment_named(tx: Work, module: str, thing_id: UUID, name: str) -> Stored:
    """The latest of a name.

    Raises:
        RowNotFound: the thing has none.
    """
    return await tx.one(_NAMED, module=module, thing_id=thing_id, name=name)


async def require_room(tx: Work, module: str, thing_id: UUID) -> None:
    """
    Raises:
        TooManyAttachments: the thing has as many as it may have.
    """
    if await tx.one(_COUNT, module=module, thing_id=thing_id) >= MAX_ATTACHMENTS:
        raise TooManyAttachments(
            say("A thing may have {max_attachments}.", max_attachments=MAX_ATTACHMENTS)
        )


async def attach(tx: Work, module: str, thing_id: UUID, file_id: UUID) -> None:
    """Make a file that is nobody's the thing's.

    Raises:
        RowNotFound: there is no such file.
        AlreadyAttached: it belongs to something.
    """
    try:
        await tx.execute(_ATTACH, file_id=file_id, module=module, thing_id=thing_id)
    except asyncpg.UniqueViolationError as error:
        raise AlreadyAttached from error
    except asyncpg.ForeignKeyViolationError as error:
        raise RowNotFound from error


async def remove_attachment(tx: Work, module: str, thing_id: UUID, file_id: UUID) -> None:
    """Delete one for good; there is no trash for what belonged to something.

    Raises:
        RowNotFound: the thing has no such attachment.
    """
    gone = await tx.one(_REMOVE, module=module, thing_id=thing_id, id=file_id)
    await remove_bytes(tx, {gone.id: gone.size})


async def remove_attachments(tx: Work, module: str, thing_ids: Sequence[UUID]) -> None:
    """Delete all that belongs to things that are deleted for good."""
    gone = await tx.many(_REMOVE_ALL, module=module, thing_ids=list(thing_ids))
    await remove_bytes(tx, {each.id: each.size for each in gone})
