"""Where jobs are kept: a tenant's own table has the truth, the platform's says whose turn it is."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from insula.db import TenantTable

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
    """How often it has been started; also the fence that keeps out a run that was given up on."""
    due_at: Mapped[datetime]
    traceparent: Mapped[str] = mapped_column(server_default="")
    # No foreign key: whoever started a job may be deleted before it is pruned.
    actor_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None] = mapped_column(index=True)
