"""Every SQL statement of the relay: the outbox of a cell, and how far each tenant's events are."""

from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Text, bindparam, case, cast, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from insula.db import Statement, binds
from insula.events.outbox import OutboxRow
from insula.events.tables import EventLane

_JOB_BODY = 4096
"""Bytes of a job in the outbox: its id, its name, its trace."""


class Waiting(msgspec.Struct, frozen=True):
    """A row of the outbox."""

    id: int
    body: Any


class DueJob(msgspec.Struct, frozen=True):
    """A job whose time has come."""

    role: str
    """Who wrote it: ``t_<number>``, unless somebody went astray."""
    body: str | None
    """JSON, as it is; None where there is more of it than a job has to say."""


class Lane(msgspec.Struct, frozen=True):
    """How far a tenant's events are."""

    last_seq: int
    done_seq: int


_most = bindparam("most", type_=BigInteger)
_number = bindparam("number", type_=BigInteger)
_role: Any = bindparam("role")


ROLES = Statement(
    select(OutboxRow.tenant)
    .where(OutboxRow.kind == "event", OutboxRow.tenant > bindparam("after", type_=Text))
    .distinct()
    .order_by(OutboxRow.tenant)
    .limit(_most),
    str,
)
ADD_LANE = Statement(upsert(EventLane).values(**binds("tenant")).on_conflict_do_nothing())
LOCK_LANE = Statement(
    select(EventLane.last_seq, EventLane.done_seq)
    .where(EventLane.tenant == _number)
    .with_for_update(skip_locked=True),
    Lane,
)
DROP = Statement(delete(OutboxRow).where(OutboxRow.tenant == _role))
# Of a tenant that is gone; one that is just being made gets a minute.
DROP_ORPHANS = Statement(
    delete(OutboxRow).where(
        OutboxRow.tenant == _role, OutboxRow.due_at < func.now() - timedelta(minutes=1)
    )
)
DROP_LANE = Statement(delete(EventLane).where(EventLane.tenant == _number))
_oldest = (
    select(OutboxRow.id)
    .where(OutboxRow.tenant == _role, OutboxRow.kind == "event")
    .order_by(OutboxRow.id)
    .limit(_most)
    .cte("oldest")
)
TAKE_EVENTS = Statement(
    delete(OutboxRow).where(OutboxRow.id == _oldest.c.id).returning(OutboxRow.id, OutboxRow.body),
    Waiting,
)
_due = (
    select(OutboxRow.id)
    .where(
        OutboxRow.kind == "job",
        OutboxRow.due_at <= func.now(),
        OutboxRow.tenant != func.all(bindparam("served", type_=ARRAY(Text))),
    )
    .order_by(OutboxRow.due_at)
    .limit(_most)
    .with_for_update(skip_locked=True)
    .cte("due")
)
# The rows of all tenants: nothing in one of them may fail the statement, nor fill the memory.
_body = case((func.pg_column_size(OutboxRow.body) <= _JOB_BODY, cast(OutboxRow.body, Text)))
TAKE_JOBS = Statement(
    delete(OutboxRow)
    .where(OutboxRow.id == _due.c.id)
    .returning(OutboxRow.tenant.label("role"), _body.label("body")),
    DueJob,
)
SET_LAST = Statement(
    update(EventLane)
    .where(EventLane.tenant == _number)
    .values(last_seq=bindparam("last", type_=BigInteger), retry_at=None)
)
_done = bindparam("done", type_=BigInteger)
SET_DONE = Statement(
    update(EventLane)
    .where(EventLane.tenant == _number, EventLane.done_seq < EventLane.last_seq)
    .values(
        done_seq=func.greatest(EventLane.done_seq, func.least(EventLane.last_seq, _done)),
        retry_at=bindparam("retry"),
    )
)
BEHIND = Statement(
    select(EventLane.tenant)
    .where(
        EventLane.done_seq < EventLane.last_seq,
        or_(EventLane.retry_at.is_(None), EventLane.retry_at <= func.now()),
        EventLane.tenant != func.all(bindparam("besides", type_=ARRAY(BigInteger))),
    )
    .limit(_most),
    int,
)
POSTPONE = Statement(
    update(EventLane).where(EventLane.tenant == _number).values(retry_at=bindparam("retry"))
)
