"""Every statement on exports and erasures."""

from uuid import UUID

from sqlalchemy import (
    Text,
    Uuid,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from insula.db import Statement, binds
from insula.events.tables import EventCursor, EventRow
from insula.files.tables import FileRow
from insula.http.listing import Listing
from insula.jobs.tables import JobRow
from insula.portability.schemas import Archive, Erasure, Export, TheirFile
from insula.portability.tables import ErasureRow, ExportRow
from insula.webhooks.tables import DeliveryRow

_status = case(
    (ExportRow.blob.is_not(None), literal("ready", Text)),
    (ExportRow.expires_at.is_not(None), literal("withdrawn", Text)),
    else_=func.coalesce(JobRow.status, literal("failed", Text)),
).label("status")
_EXPORT = select(
    ExportRow.id,
    ExportRow.kind,
    ExportRow.person_id,
    ExportRow.requested_by,
    ExportRow.job_id,
    _status,
    JobRow.error,
    ExportRow.size,
    func.encode(ExportRow.sha256, "hex").label("sha256"),
    ExportRow.created_at,
    ExportRow.expires_at,
).join(JobRow, JobRow.id == ExportRow.job_id, isouter=True)

EXPORTS = Listing(
    _EXPORT,
    Export,
    key=ExportRow.id,
    sort={"created_at": ExportRow.created_at},
    default="-created_at",
    filters={"kind": ExportRow.kind},
)
GET_EXPORT = Statement(_EXPORT.where(ExportRow.id == bindparam("id")), Export)
UNDER_WAY = Statement(
    select(func.count())
    .select_from(ExportRow)
    .join(JobRow, JobRow.id == ExportRow.job_id)
    .where(or_(JobRow.status == "queued", JobRow.status == "running")),
    int,
)
INSERT_EXPORT = Statement(
    insert(ExportRow).values(**binds("id", "kind", "person_id", "requested_by", "job_id"))
)
GET_ARCHIVE = Statement(
    select(
        ExportRow.blob,
        ExportRow.size,
        ExportRow.sha256,
        ExportRow.kind,
        ExportRow.person_id,
        ExportRow.created_at,
    ).where(ExportRow.id == bindparam("id")),
    Archive,
)
COMPLETE = Statement(
    update(ExportRow)
    .where(ExportRow.id == bindparam("export_id"), ExportRow.expires_at.is_(None))
    .values(**binds("blob", "size", "sha256", "expires_at"))
)
DELETE_EXPORT = Statement(
    delete(ExportRow).where(ExportRow.id == bindparam("id")).returning(ExportRow.id), UUID
)
WITHDRAW = Statement(
    update(ExportRow)
    .where(
        ExportRow.person_id.is_(None),
        or_(ExportRow.blob.is_not(None), ExportRow.expires_at.is_(None)),
    )
    .values(blob=None, size=None, sha256=None, expires_at=func.now())
    .returning(ExportRow.id),
    UUID,
)
"""Also those that are just being written: they may have seen what is erased now."""
OF_PERSON = Statement(
    select(ExportRow.id).where(ExportRow.person_id == bindparam("person_id", type_=Uuid())), UUID
)

# The log is deleted up to where every consumer has read it: what still lags would never hear that
# there is no more. A delivery that waits needs its event to be shown with.
_read = select(func.coalesce(func.min(EventCursor.seq), 0)).scalar_subquery()
_theirs = (
    select(EventRow.id)
    .where(EventRow.actor_id == bindparam("user_id"), EventRow.seq <= _read)
    .scalar_subquery()
)
_waiting = exists().where(DeliveryRow.event_id == EventRow.id, DeliveryRow.status == "waiting")
FORGET_DELIVERIES = Statement(
    delete(DeliveryRow).where(DeliveryRow.event_id.in_(_theirs), DeliveryRow.status != "waiting")
)
FORGET_EVENTS = Statement(
    delete(EventRow).where(
        EventRow.actor_id == bindparam("user_id"), EventRow.seq <= _read, ~_waiting
    )
)
REMAINING_EVENTS = Statement(
    select(func.count()).where(EventRow.actor_id == bindparam("user_id")), int
)
# A mail that waits, or what a job has left behind, may have the address in it.
FORGET_JOBS = Statement(
    delete(JobRow).where(
        JobRow.status != "running",
        func.strpos(func.lower(cast(JobRow.args, Text)), bindparam("email", type_=Text)) > 0,
    )
)
THEIR_FILES = Statement(
    delete(FileRow)
    .where(FileRow.created_by == bindparam("user_id"))
    .returning(FileRow.id, FileRow.size),
    TheirFile,
)

_ERASURE = (
    ErasureRow.id,
    ErasureRow.user_id,
    ErasureRow.content,
    ErasureRow.requested_by,
    ErasureRow.erased_at,
    ErasureRow.tables,
    ErasureRow.receipt,
)
ERASURES = Listing(
    select(*_ERASURE),
    Erasure,
    key=ErasureRow.id,
    sort={"erased_at": ErasureRow.erased_at},
    default="-erased_at",
    filters={"user_id": ErasureRow.user_id},
)
GET_ERASURE = Statement(select(*_ERASURE).where(ErasureRow.id == bindparam("id")), Erasure)
ERASED_BEFORE = Statement(
    select(*_ERASURE)
    .where(
        ErasureRow.user_id == bindparam("user_id"),
        or_(ErasureRow.content == bindparam("content"), ErasureRow.content == "remove"),
    )
    .order_by(ErasureRow.erased_at)
    .limit(literal(1)),
    Erasure,
)
INSERT_ERASURE = Statement(
    insert(ErasureRow).values(
        **binds("id", "user_id", "content", "requested_by", "erased_at", "receipt"),
        tables=bindparam("tables", type_=JSONB),
    )
)
