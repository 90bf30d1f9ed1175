"""The transactional outbox: events written with what they are about.

One table for all tenants, so that one relay sees what is new without asking ten thousand schemas.
A tenant's role may insert rows of its own and nothing else: ``tenant`` is what PostgreSQL says the
role is, held by row security, and no column can be read back.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, Identity, Index, func, insert, literal_column, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from insula.db import SpoolTable, Statement, Work, binds
from insula.db.ids import new_id
from insula.events.types import EventType
from insula.telemetry.context import traceparent

D = TypeVar("D")


class OutboxRow(SpoolTable):
    """An event (or a job to start) that the relay has not taken yet."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_events", "tenant", "id", postgresql_where=text("kind = 'event'")),
        Index("ix_outbox_jobs", "due_at", postgresql_where=text("kind = 'job'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    tenant: Mapped[str] = mapped_column(server_default=literal_column("CURRENT_USER"))
    """The tenant's role, ``t_<number>``."""
    kind: Mapped[str]
    """``event``, or ``job``: see :mod:`insula.jobs`."""
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    body: Mapped[Any] = mapped_column(JSONB)


class EventBody(msgspec.Struct, frozen=True):
    """What the outbox keeps of an event."""

    id: UUID
    type: str
    subject: str
    time: datetime
    actor_id: UUID | None
    data: Any
    traceparent: str = ""
    channels: tuple[str, ...] = ()


# inline: nothing is returned, since nothing may be read.
_INSERT = Statement(insert(OutboxRow).inline().values(kind="event", **binds("body")))


async def emit(
    tx: Work,
    kind: EventType[D],
    data: D,
    *,
    subject: str,
    actor: UUID | None = None,
    channels: tuple[str, ...] = (),
) -> UUID:
    """Write an event into the transaction; returns its id, by which consumers know it again."""
    assert isinstance(data, kind.data), f"{kind.name} carries {kind.data.__name__}"
    event_id = new_id()
    body = EventBody(event_id, kind.name, subject, _now(), actor, data, traceparent.get(), channels)
    await tx.execute(_INSERT, body=body)
    return event_id


async def emit_all(
    tx: Work,
    kind: EventType[D],
    happened: Iterable[tuple[D, str, tuple[str, ...]]],
    *,
    actor: UUID | None = None,
) -> None:
    """Write many events of one kind in one round trip: data, subject and channels of each."""
    trace = traceparent.get()
    bodies = (
        EventBody(new_id(), kind.name, subject, _now(), actor, data, trace, channels)
        for data, subject, channels in happened
    )
    await tx.execute_many(_INSERT, [{"body": body} for body in bodies])


def _now() -> datetime:
    return datetime.now(UTC)
