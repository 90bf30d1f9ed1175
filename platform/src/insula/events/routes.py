"""``/api/v1/events``: the tenant's log, and having a consumer go through it again."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, get, post
from litestar.params import Parameter
from msgspec import Meta
from sqlalchemy import BigInteger, bindparam, select, update

from insula.db import Statement, Work
from insula.events import log as events_log
from insula.events.cloudevents import CloudEvent, cloud_event
from insula.events.outbox import emit
from insula.events.tables import EventCursor, EventDeadLetter, EventRow
from insula.events.types import EventType
from insula.http.exchange import Caller
from insula.http.problem import FieldError, InvalidInput, Problem
from insula.tenancy.tenant import Tenant


class EventPage(msgspec.Struct):
    """Events in the order in which they were committed."""

    items: list[CloudEvent]
    last: UUID | None
    """Ask for what is `after` it; null if there was nothing."""


class ConsumerState(msgspec.Struct):
    """How far somebody who follows the log has come."""

    consumer: Annotated[str, Meta(examples=["webhooks"])]
    seq: int
    failures: int
    """Attempts at the next event so far."""
    retry_at: datetime | None
    error: str | None


class DeadLetter(msgspec.Struct):
    """An event that a consumer failed at too often."""

    consumer: str
    event_id: UUID
    type: str
    subject: str
    error: str
    failed_at: datetime


class Rewind(msgspec.Struct, forbid_unknown_fields=True):
    consumer: Annotated[str, Meta(min_length=1, max_length=200, examples=["webhooks"])]
    after: UUID | None = None
    """The event after which the consumer begins again; null for the oldest that is kept."""


class NoSuchConsumer(Problem):
    """Nobody of this name follows the tenant's log; ``GET /api/v1/events/consumers`` lists them."""

    status, slug, title = 404, "no-such-consumer", "Nobody of this name follows the log"


class ConsumerRewound(msgspec.Struct, frozen=True):
    consumer: str
    after: UUID | None


REWOUND = EventType(
    "events.consumer.rewound", ConsumerRewound, "A consumer goes through the log again."
)

_SEQ = Statement(select(EventRow.seq).where(EventRow.id == bindparam("id")), int)
_STATES = Statement(
    select(
        EventCursor.consumer, EventCursor.seq, EventCursor.failures, EventCursor.retry_at,
        EventCursor.error,
    ).order_by(EventCursor.consumer),
    ConsumerState,
)  # fmt: skip
_LETTERS = Statement(
    select(
        EventDeadLetter.consumer, EventDeadLetter.event_id, EventRow.type, EventRow.subject,
        EventDeadLetter.error, EventDeadLetter.failed_at,
    )
    .join(EventRow, EventRow.id == EventDeadLetter.event_id)
    .order_by(EventDeadLetter.failed_at.desc())
    .limit(1000),
    DeadLetter,
)  # fmt: skip
_REWIND = Statement(
    update(EventCursor)
    .where(EventCursor.consumer == bindparam("name"))
    .values(seq=bindparam("seq", type_=BigInteger), failures=0, retry_at=None, error=None)
)


@get("/", right="events:read")
async def list_events(
    tx: Work,
    tenant: Tenant,
    after: UUID | None = None,
    limit: Annotated[int, Parameter(ge=1, le=500)] = 100,
) -> EventPage:
    """What happened, the oldest first, as CloudEvents. Events are kept for a month at least."""
    seq = await _seq_of(tx, after, "?after")
    events = await tx.many(events_log.AFTER, seq=seq, most=limit)
    return EventPage(
        [cloud_event(event, tenant) for event in events], events[-1].id if events else after
    )


async def _seq_of(tx: Work, event_id: UUID | None, pointer: str) -> int:
    if event_id is None:
        return 0
    seq = await tx.find(_SEQ, id=event_id)
    if seq is None:
        raise InvalidInput(errors=(FieldError(pointer, "is no event that is still kept"),))
    return seq


@get("/consumers", right="events:read")
async def list_consumers(tx: Work) -> list[ConsumerState]:
    """Who follows the log, and how far each has come."""
    return await tx.many(_STATES)


@get("/dead-letters", right="events:read")
async def list_dead_letters(tx: Work) -> list[DeadLetter]:
    """Events that a consumer failed at too often, the latest thousand."""
    return await tx.many(_LETTERS)


@post("/rewind", right="events:write", status_code=204, problems=(NoSuchConsumer,))
async def rewind_consumer(data: Rewind, tx: Work, caller: Caller) -> None:
    """Have a consumer go through the log again, from after an event on. It may get what it has had;
    whoever receives it can tell by the event's id."""
    seq = await _seq_of(tx, data.after, "/after")
    if await tx.execute(_REWIND, name=data.consumer, seq=seq) == 0:
        raise NoSuchConsumer
    # The event itself wakes the relay, once the place has been committed.
    await emit(
        tx,
        REWOUND,
        ConsumerRewound(data.consumer, data.after),
        subject=f"consumers/{data.consumer}",
        actor=caller.user_id,
    )


ROUTER = Router(
    path="/api/v1/events",
    route_handlers=[list_events, list_consumers, list_dead_letters, rewind_consumer],
    tags=["Events"],
)
