"""Every SQL statement on tenants' logs and on the cursors in them."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, Text, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from insula.db import Statement, binds
from insula.events.tables import EventCursor, EventDeadLetter, EventRow
from insula.events.types import Event

_EVENT = (
    EventRow.seq, EventRow.id, EventRow.type, EventRow.subject, EventRow.time, EventRow.actor_id,
    EventRow.data, EventRow.traceparent, EventRow.channels,
)  # fmt: skip


class Cursor(msgspec.Struct, frozen=True):
    """A consumer's place."""

    consumer: str
    seq: int
    failures: int
    retry_at: datetime | None


_CURSOR = (EventCursor.consumer, EventCursor.seq, EventCursor.failures, EventCursor.retry_at)
_consumer: Any = bindparam("consumer")
_seq = bindparam("seq", type_=BigInteger)

APPEND = Statement(
    insert(EventRow).values(
        **binds(
            "seq", "id", "type", "subject", "time", "actor_id", "data", "traceparent", "channels"
        )
    )
)
AFTER = Statement(
    select(*_EVENT)
    .where(EventRow.seq > _seq)
    .order_by(EventRow.seq)
    .limit(bindparam("most", type_=BigInteger)),
    Event,
)
GET = Statement(select(*_EVENT).where(EventRow.id == bindparam("id")), Event)

# A consumer that is new to the tenant begins with what happens from now on.
ADD_CURSORS = Statement(
    upsert(EventCursor)
    .from_select(
        ["consumer", "seq"],
        select(func.unnest(bindparam("consumers", type_=ARRAY(Text))), _seq),
    )
    .on_conflict_do_nothing()
)
CURSORS = Statement(
    select(*_CURSOR).where(
        EventCursor.consumer == func.any(bindparam("consumers", type_=ARRAY(Text)))
    ),
    Cursor,
)
LOCK_CURSOR = Statement(
    select(*_CURSOR).where(EventCursor.consumer == _consumer).with_for_update(skip_locked=True),
    Cursor,
)
_name: Any = bindparam("name")
MOVE = Statement(
    update(EventCursor)
    .where(EventCursor.consumer == _name)
    .values(seq=_seq, failures=0, retry_at=None, error=None)
)
SKIP = Statement(
    update(EventCursor)
    .where(
        EventCursor.consumer == func.any(bindparam("consumers", type_=ARRAY(Text))),
        EventCursor.seq < _seq,
        EventCursor.failures == 0,
    )
    .values(seq=_seq)
)
NOTE_FAILURE = Statement(
    update(EventCursor)
    .where(EventCursor.consumer == _name)
    .values(failures=EventCursor.failures + 1, **binds("retry_at", "error"))
)
SET_ASIDE = Statement(
    upsert(EventDeadLetter)
    .values(**binds("consumer", "event_id", "error"))
    .on_conflict_do_update(
        index_elements=[EventDeadLetter.consumer, EventDeadLetter.event_id],
        set_={"error": bindparam("error"), "failed_at": func.now()},
    )
)
FORGET_LETTER = Statement(
    delete(EventDeadLetter).where(
        EventDeadLetter.consumer == _name, EventDeadLetter.event_id == bindparam("event")
    )
)
# Only what everybody has had; the log of a quiet tenant keeps its last events for good.
PRUNE = Statement(delete(EventRow).where(EventRow.time < bindparam("before"), EventRow.seq <= _seq))
KNOWN = Statement(select(EventRow.id).where(EventRow.id == bindparam("id")), UUID)
