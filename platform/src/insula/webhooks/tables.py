"""Endpoints, what is to be delivered to them and each attempt; and whose turn it is."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    UniqueConstraint,
    func,
    literal_column,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from insula.db import SpoolTable, TenantTable
from insula.db.marks import person, stays

WAITING = text("status = 'waiting'")


class WebhookRow(TenantTable):
    """An endpoint. Secrets are sealed (:mod:`insula.webhooks.signing`)."""

    __tablename__ = "webhooks"
    __table_args__ = (CheckConstraint("status in ('active', 'disabled')", name="status"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    url: Mapped[str]
    events: Mapped[list[str]]
    description: Mapped[str]
    # In another installation an endpoint is switched on by hand, with a secret of its own.
    status: Mapped[str] = mapped_column(server_default="active", info=stays("'disabled'"))
    disabled_because: Mapped[str | None] = mapped_column(info=stays("'imported'"))
    secret: Mapped[bytes] = mapped_column(LargeBinary, info=stays("''::bytea"))
    previous_secret: Mapped[bytes | None] = mapped_column(LargeBinary, info=stays())
    previous_until: Mapped[datetime | None] = mapped_column(info=stays())
    failing_since: Mapped[datetime | None] = mapped_column(info=stays())
    failures: Mapped[int] = mapped_column(server_default="0", info=stays())
    """In a row."""
    created_by: Mapped[UUID | None] = mapped_column(info=person("keep"))
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class DeliveryRow(TenantTable):
    """One event for one endpoint. ``waiting`` until it is ``delivered`` or given up: ``failed``."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint("status in ('waiting', 'delivered', 'failed')", name="status"),
        UniqueConstraint("webhook_id", "event_id"),
        Index("ix_webhook_deliveries_created_at", "webhook_id", "created_at", "id"),
        Index(
            "ix_webhook_deliveries_waiting",
            "webhook_id",
            text("by_hand DESC"),
            "position",
            postgresql_where=WAITING,
        ),
        Index(
            "ix_webhook_deliveries_retried",
            "webhook_id",
            "subject",
            postgresql_where=text("status = 'waiting' AND next_at IS NOT NULL"),
        ),
        {"info": stays()},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    """The order of the tenant's log."""
    event_id: Mapped[UUID]
    event_type: Mapped[str]
    subject: Mapped[str]
    body: Mapped[str]
    """Exactly what is sent and signed."""
    traceparent: Mapped[str]
    by_hand: Mapped[bool] = mapped_column(server_default=text("false"))
    """A test or a redelivery: somebody waits for it, so it goes first."""
    status: Mapped[str] = mapped_column(server_default="waiting")
    attempts: Mapped[int] = mapped_column(server_default="0")
    tries: Mapped[int] = mapped_column(server_default="0")
    """Attempts since it was last started: its place in the schedule."""
    next_at: Mapped[datetime | None]
    """None: as soon as possible, if it waits."""
    response_status: Mapped[int | None]
    """Of the last attempt; None if there was no answer."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]


class AttemptRow(TenantTable):
    """One request to an endpoint, and what came back."""

    __tablename__ = "webhook_attempts"
    __table_args__ = ({"info": stays()},)

    delivery_id: Mapped[UUID] = mapped_column(
        ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    duration_ms: Mapped[int]
    request_headers: Mapped[dict[str, Any]]
    response_status: Mapped[int | None]
    response_headers: Mapped[dict[str, Any] | None]
    response_body: Mapped[str | None]
    error: Mapped[str | None]


class WebhookQueueRow(SpoolTable):
    """When an endpoint has something to be sent: one row for each, and the lease of the worker that
    sends. A tenant's role may say that there is more; the rest is the platform's."""

    __tablename__ = "webhook_queue"
    __table_args__ = (
        Index("ix_spool_webhook_queue_due_at", "due_at"),
        Index(
            "ix_spool_webhook_queue_leased_until",
            "leased_until",
            postgresql_where=text("leased_until IS NOT NULL"),
        ),
    )

    tenant: Mapped[str] = mapped_column(
        primary_key=True, server_default=literal_column("CURRENT_USER")
    )
    webhook_id: Mapped[UUID] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    paused_until: Mapped[datetime | None]
    """An endpoint that fails all the time is not asked with every event."""
    leased_until: Mapped[datetime | None]
