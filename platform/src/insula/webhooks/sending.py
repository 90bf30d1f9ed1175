"""Every SQL statement of sending: the queue, what is waiting, and what came of it."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    DateTime,
    Integer,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import aliased

from insula.db import Statement, recordset
from insula.webhooks.tables import AttemptRow, DeliveryRow, WebhookQueueRow, WebhookRow

_TIME = DateTime(timezone=True)
_now = bindparam("now", type_=_TIME)
_until = bindparam("until", type_=_TIME)
_held = bindparam("held", type_=_TIME)
_id: BindParameter[UUID] = bindparam("id")
_never: ColumnElement[datetime] = literal_column("'infinity'::timestamptz")


# The queue, as the platform


class Turn(msgspec.Struct, frozen=True):
    """An endpoint whose turn it is, leased to this worker."""

    tenant: str
    webhook_id: UUID


_Q = WebhookQueueRow
_due = (
    select(_Q.tenant, _Q.webhook_id)
    .where(
        or_(
            and_(
                _Q.leased_until.is_(None),
                _Q.due_at <= _now,
                or_(_Q.paused_until.is_(None), _Q.paused_until <= _now),
            ),
            _Q.leased_until < _now,  # its worker has died
        ),
        _Q.tenant != func.all(bindparam("busy", type_=ARRAY(Text))),
    )
    .order_by(_Q.due_at)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
    .cte("due")
)
_mine = and_(
    _Q.tenant == bindparam("role"), _Q.webhook_id == bindparam("webhook"), _Q.leased_until == _held
)
CLAIM = Statement(
    update(_Q)
    .where(_Q.tenant == _due.c.tenant, _Q.webhook_id == _due.c.webhook_id)
    .values(leased_until=_until, due_at=_never)
    .returning(_Q.tenant, _Q.webhook_id),
    Turn,
)
RENEW = Statement(update(_Q).where(_mine).values(leased_until=_until))
# What has come in meanwhile has moved due_at to an earlier time.
FINISH = Statement(
    update(_Q)
    .where(_mine)
    .values(
        leased_until=null(),
        due_at=func.least(_Q.due_at, func.coalesce(bindparam("due", type_=_TIME), _never)),
        paused_until=bindparam("paused", type_=_TIME),
    )
)
FORGET = Statement(
    delete(_Q).where(_Q.tenant == bindparam("role"), _Q.webhook_id == bindparam("webhook"))
)


# What is waiting, as the tenant


class Endpoint(msgspec.Struct, frozen=True):
    """Where to send, and with what."""

    id: UUID
    url: str
    status: str
    secret: bytes
    previous_secret: bytes | None
    previous_until: datetime | None
    failures: int
    failing_since: datetime | None


class Waiting(msgspec.Struct, frozen=True):
    """A delivery that may be sent now, or follows one of its subject that may."""

    id: UUID
    event_id: UUID
    event_type: str
    subject: str
    body: str
    traceparent: str
    attempts: int
    tries: int
    position: int


ENDPOINT = Statement(
    select(
        WebhookRow.id,
        WebhookRow.url,
        WebhookRow.status,
        WebhookRow.secret,
        WebhookRow.previous_secret,
        WebhookRow.previous_until,
        WebhookRow.failures,
        WebhookRow.failing_since,
    ).where(WebhookRow.id == _id),
    Endpoint,
)
_before = aliased(DeliveryRow)
_is_held_back = (
    select(literal_column("1"))
    .where(
        _before.webhook_id == _id,
        _before.subject == DeliveryRow.subject,
        _before.status == literal_column("'waiting'"),
        _before.next_at.is_not(None),
        _before.next_at > _now,
    )
    .exists()
)
TAKE = Statement(
    select(
        DeliveryRow.id,
        DeliveryRow.event_id,
        DeliveryRow.event_type,
        DeliveryRow.subject,
        DeliveryRow.body,
        DeliveryRow.traceparent,
        DeliveryRow.attempts,
        DeliveryRow.tries,
        DeliveryRow.position,
    )
    .where(
        DeliveryRow.webhook_id == _id,
        DeliveryRow.status == literal_column("'waiting'"),  # the literal of the partial index
        ~_is_held_back,
    )
    .order_by(DeliveryRow.by_hand.desc(), DeliveryRow.position)
    .limit(bindparam("most", type_=Integer)),
    Waiting,
)
NEXT_AT = Statement(
    select(func.min(DeliveryRow.next_at)).where(
        DeliveryRow.webhook_id == _id,
        DeliveryRow.status == literal_column("'waiting'"),
        DeliveryRow.next_at.is_not(None),
    ),
    datetime,
)


# What came of it

_attempted = recordset(
    "attempted",
    delivery_id=Uuid,
    number=Integer,
    started_at=_TIME,
    duration_ms=Integer,
    request_headers=JSONB,
    response_status=Integer,
    response_headers=JSONB,
    response_body=Text,
    error=Text,
)
LOG = Statement(
    insert(AttemptRow).from_select(list(_attempted.c.keys()), select(*_attempted.c)).inline()
)
_settled = recordset(
    "settled",
    delivery=Uuid,
    outcome=Text,
    number=Integer,
    tried=Integer,
    again=_TIME,
    code=Integer,
)
SETTLE = Statement(
    update(DeliveryRow)
    .where(DeliveryRow.id == _settled.c.delivery, DeliveryRow.status == "waiting")
    .values(
        status=_settled.c.outcome,
        attempts=_settled.c.number,
        tries=_settled.c.tried,
        next_at=_settled.c.again,
        response_status=_settled.c.code,
        finished_at=case((_settled.c.outcome == "waiting", null()), else_=_now),
    )
)
SUCCEEDED = Statement(
    update(WebhookRow)
    .where(WebhookRow.id == _id, WebhookRow.failures > 0)
    .values(failures=0, failing_since=null())
)
FAILED = Statement(
    update(WebhookRow)
    .where(WebhookRow.id == _id)
    .values(
        failures=WebhookRow.failures + bindparam("more", type_=Integer),
        failing_since=func.coalesce(WebhookRow.failing_since, _now),
    )
)
# The log of one endpoint, a bit at a time.
_old = (
    select(DeliveryRow.id)
    .where(
        DeliveryRow.webhook_id == _id,
        DeliveryRow.created_at < bindparam("before", type_=_TIME),
        DeliveryRow.status != "waiting",
    )
    .order_by(DeliveryRow.created_at)
    .limit(literal_column("1000", BigInteger))
)
PRUNE = Statement(delete(DeliveryRow).where(DeliveryRow.id.in_(_old)))
