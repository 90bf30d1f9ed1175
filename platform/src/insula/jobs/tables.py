"""Where jobs are kept: a tenant's own table has the truth, the platform's says whose turn it is."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from insula.db import SpoolTable, TenantTable
from insula.db.marks import person, stays

WAITING = text("key IS NOT NULL AND status = 'queued'")
"""Where a key is unique: a job that runs already doesn't stop the next one of its key."""


class JobRow(TenantTable):
    """A job of the tenant, from the moment it was asked for until it is pruned."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(
            "status in ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name="status"
        ),
        Index("ix_jobs_key", "key", unique=True, postgresql_where=WAITING),
        {"info": stays()},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    key: Mapped[str | None]
    status: Mapped[str] = mapped_column(server_default="queued")
    """``failed`` is a dead letter: whoever fails with attempts left is ``queued`` again."""
    args: Mapped[Any] = mapped_column(JSONB)
    result: Mapped[Any | None] = mapped_column(JSONB)
    error: Mapped[str | None]
    """Why the last attempt failed."""
    done: Mapped[int] = mapped_column(server_default="0")
    total: Mapped[int] = mapped_column(server_default="0")
    note: Mapped[str] = mapped_column(server_default="")
    attempt: Mapped[int] = mapped_column(server_default="0")
    """How often it has been started."""
    run: Mapped[UUID | None]
    """The present run; a run that was given up on and goes on all the same finds another here."""
    due_at: Mapped[datetime]
    traceparent: Mapped[str] = mapped_column(server_default="")
    # No foreign key: whoever started a job may be deleted before it is pruned.
    actor_id: Mapped[UUID | None] = mapped_column(info=person("clear"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None] = mapped_column(index=True)


class TurnRow(SpoolTable):
    """A job whose time has come, until it is over: whose turn it is, and who has it in hand.

    One table for all tenants, so that a worker needn't ask ten thousand schemas. Who loses it
    loses no job's arguments or state, only the knowledge that it is due.
    """

    __tablename__ = "job_turns"
    __table_args__ = (
        Index("ix_job_turns_waiting", "tenant", "due_at", postgresql_where=text("lease IS NULL")),
        Index("ix_job_turns_leased", "tenant", postgresql_where=text("lease IS NOT NULL")),
    )

    tenant: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    """Its number."""
    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    traceparent: Mapped[str]
    due_at: Mapped[datetime]
    ticket: Mapped[UUID]
    """Another one whenever the job is asked for again: a worker that is done with an older ticket
    doesn't take this row away."""
    turn: Mapped[int] = mapped_column(server_default="0")
    """How often it has been handed to a worker; an older turn's message is void."""
    lease: Mapped[datetime | None]
    """Until when it is a worker's, or on its way to one; NULL: it waits."""
    holder: Mapped[UUID | None]
    """The worker that runs it; NULL: it waits, or is on its way."""
    cancelled: Mapped[bool] = mapped_column(server_default="false")


class CronRow(SpoolTable):
    """When a cron is due next, and which worker is at it."""

    __tablename__ = "crons"

    name: Mapped[str] = mapped_column(primary_key=True)
    schedule: Mapped[str]
    due_at: Mapped[datetime]
    lease: Mapped[datetime | None]
    holder: Mapped[UUID | None]
