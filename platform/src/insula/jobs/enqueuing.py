"""Asking for a job, and calling it off, in the transaction of whoever asks."""

from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import DateTime, Text, bindparam, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from insula.db import Statement, Work, binds
from insula.db.ids import new_id
from insula.events.outbox import OutboxRow
from insula.jobs.tables import WAITING, JobRow
from insula.jobs.types import Job
from insula.telemetry.context import traceparent

A = TypeVar("A")

_due = func.coalesce(bindparam("at", type_=DateTime(timezone=True)), func.now())
_new = upsert(JobRow).values(
    **binds("id", "name", "key", "args", "traceparent", "actor_id"), due_at=_due
)
_job = (
    _new.on_conflict_do_update(
        index_elements=[JobRow.key],
        index_where=WAITING,
        set_={
            **{
                name: _new.excluded[name]
                for name in ("name", "args", "traceparent", "actor_id", "due_at")
            },
            "attempt": 0,
            "error": None,
        },
    )
    .returning(JobRow.id, JobRow.name, JobRow.due_at, JobRow.traceparent)
    .cte("job")
)
_spooled = (
    insert(OutboxRow)
    .from_select(
        ["kind", "due_at", "body"],
        select(
            literal("job", Text),
            _job.c.due_at,
            func.jsonb_build_object(
                "job_id", _job.c.id, "name", _job.c.name, "traceparent", _job.c.traceparent
            ),
        ),
    )
    .cte("spooled")
)
_ENQUEUE = Statement(select(_job.c.id).add_cte(_spooled), UUID)
_CANCEL = Statement(
    update(JobRow)
    .where(JobRow.key == bindparam("waiting"), JobRow.status == "queued")
    .values(status="cancelled", finished_at=func.now())
)


async def enqueue(
    tx: Work,
    job: Job[A],
    args: A,
    *,
    at: datetime | None = None,
    key: str | None = None,
    actor: UUID | None = None,
) -> UUID:
    """Have a job done once the transaction has committed, or later: ``at``. Returns its id.

    A waiting job of the same ``key`` is replaced: it keeps its id, and takes the new arguments and
    time. ``actor`` is the user who may watch the job at ``/api/v1/jobs/{id}``.
    """
    assert isinstance(args, job.args), f"{job.name} takes {job.args.__name__}"
    assert at is None or at.tzinfo is not None, "a time needs its zone"
    return await tx.one(
        _ENQUEUE,
        id=new_id(),
        name=job.name,
        key=key,
        args=args,
        traceparent=traceparent.get(),
        actor_id=actor,
        at=at,
    )


async def cancel(tx: Work, *, key: str) -> bool:
    """Call off the waiting job of this key; whether there was one. One that runs goes on."""
    return await tx.execute(_CANCEL, waiting=key) > 0
