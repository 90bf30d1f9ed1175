"""Where events lie: a tenant's log, the places of those who follow it, and how far all of it is."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from insula.db import SpoolTable, TenantTable
from insula.db.marks import person, stays


class EventRow(TenantTable):
    """A tenant's log. The relay alone writes it, numbered without a gap in the order of commits."""

    __tablename__ = "events"
    __table_args__ = ({"info": stays()},)

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[UUID] = mapped_column(unique=True)
    type: Mapped[str]
    subject: Mapped[str] = mapped_column(index=True)
    time: Mapped[datetime] = mapped_column(index=True)
    actor_id: Mapped[UUID | None] = mapped_column(info=person("keep"))
    """No foreign key: what somebody did stays when they are gone."""
    data: Mapped[dict[str, Any]]
    traceparent: Mapped[str]
    channels: Mapped[list[str]]


class EventCursor(TenantTable):
    """How far a consumer has come in the tenant's log."""

    __tablename__ = "event_cursors"
    __table_args__ = ({"info": stays()},)

    consumer: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    failures: Mapped[int] = mapped_column(server_default="0")
    """Attempts at the event after ``seq``."""
    retry_at: Mapped[datetime | None]
    error: Mapped[str | None]


class EventDeadLetter(TenantTable):
    """An event that a consumer failed at too often, set aside so that the others go on."""

    __tablename__ = "event_dead_letters"
    __table_args__ = ({"info": stays()},)

    consumer: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[UUID] = mapped_column(
        ForeignKey("events.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    error: Mapped[str]
    failed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class EventLane(SpoolTable):
    """One line a tenant: who has its lock may number the tenant's events."""

    __tablename__ = "event_lanes"
    __table_args__ = (
        Index("ix_event_lanes_behind", "retry_at", postgresql_where=text("done_seq < last_seq")),
    )

    tenant: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """Its number."""
    last_seq: Mapped[int] = mapped_column(BigInteger, server_default="0")
    done_seq: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """Every consumer has had the events up to here."""
    retry_at: Mapped[datetime | None]
    """When the consumers that lag are to be tried again; None: now."""
