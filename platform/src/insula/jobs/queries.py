"""Every statement on a tenant's own jobs."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import (
    DateTime,
    Float,
    Text,
    Uuid,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from insula.db import Statement, binds
from insula.events.outbox import OutboxRow
from insula.http.listing import Listing
from insula.jobs import schemas
from insula.jobs.tables import JobRow


class Claim(msgspec.Struct, frozen=True):
    """What a worker needs to know of a job that it runs."""

    name: str
    args: Any
    attempt: int
    actor_id: UUID | None


class Rest(msgspec.Struct, frozen=True):
    """A job that is not to be run now."""

    status: str
    due_at: datetime


_LINE = (
    JobRow.id, JobRow.name, JobRow.key, JobRow.status, JobRow.attempt, JobRow.done, JobRow.total,
    JobRow.note, JobRow.error, JobRow.actor_id, JobRow.due_at, JobRow.created_at,
    JobRow.started_at, JobRow.finished_at,
)  # fmt: skip
_id = bindparam("job", type_=Uuid)
_run = bindparam("present", type_=Uuid)
_mine = (JobRow.id == _id, JobRow.run == _run, JobRow.status == "running")
_alive = (JobRow.status == "queued") | (JobRow.status == "running")
_pause = func.make_interval(0, 0, 0, 0, 0, 0, bindparam("pause", type_=Float))

LIST = Listing(
    select(*_LINE),
    schemas.JobLine,
    key=JobRow.id,
    sort={"created_at": JobRow.created_at, "due_at": JobRow.due_at},
    default="-created_at",
    filters={
        "status": JobRow.status,
        "name": JobRow.name,
        "key": JobRow.key,
        "actor_id": JobRow.actor_id,
        "created_at": JobRow.created_at,
        "due_at": JobRow.due_at,
        "finished_at": JobRow.finished_at,
    },
)
GET = Statement(select(*_LINE, JobRow.result).where(JobRow.id == _id), schemas.Job)
GET_MANY = Statement(
    select(*_LINE, JobRow.result).where(JobRow.id == func.any(bindparam("ids", type_=ARRAY(Uuid)))),
    schemas.Job,
)

# Running

CLAIM = Statement(
    update(JobRow)
    .where(
        JobRow.id == _id,
        _alive,
        JobRow.due_at <= func.now(),
    )
    .values(
        status="running",
        run=_run,
        attempt=JobRow.attempt + 1,
        started_at=func.now(),
        done=0,
        total=0,
        note="",
    )
    .returning(JobRow.name, JobRow.args, JobRow.attempt, JobRow.actor_id),
    Claim,
)
REST = Statement(select(JobRow.status, JobRow.due_at).where(JobRow.id == _id), Rest)
PROGRESS = Statement(update(JobRow).where(*_mine).values(**binds("done", "total", "note")))
SUCCEED = Statement(
    update(JobRow)
    .where(*_mine)
    .values(
        status="succeeded",
        error=None,
        finished_at=func.now(),
        run=None,
        **binds("result", "done", "total", "note"),
    )
)
RETRY = Statement(
    update(JobRow)
    .where(*_mine)
    .values(
        status="queued", run=None, due_at=func.now() + _pause, error=bindparam("why", type_=Text)
    )
    .returning(JobRow.due_at),
    datetime,
)
END = Statement(
    update(JobRow)
    .where(*_mine)
    .values(
        status=bindparam("outcome", type_=Text),
        run=None,
        finished_at=func.now(),
        error=bindparam("why", type_=Text),
    )
)
GIVE_BACK = Statement(
    update(JobRow)
    .where(*_mine)
    .values(status="queued", run=None, attempt=JobRow.attempt - 1, due_at=func.now())
)
_old = (
    select(JobRow.id)
    .where(JobRow.finished_at < bindparam("before", type_=DateTime(timezone=True)))
    .limit(1000)
    .cte("old")
)
PRUNE = Statement(delete(JobRow).where(JobRow.id == _old.c.id))

# By whoever may

CANCEL = Statement(
    update(JobRow)
    .where(JobRow.id == _id, _alive)
    .values(status="cancelled", run=None, finished_at=func.now())
)
REPLAY = Statement(
    update(JobRow)
    .where(JobRow.id == _id, (JobRow.status == "failed") | (JobRow.status == "cancelled"))
    .values(
        status="queued",
        attempt=0,
        due_at=func.now(),
        started_at=None,
        finished_at=None,
        done=0,
        total=0,
        note="",
    )
)
# inline: nothing is returned, since nothing may be read.
SPOOL = Statement(insert(OutboxRow).inline().values(kind="job", **binds("body")))
