"""Every SQL statement of the webhook API."""

from functools import cache
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import (
    BindParameter,
    DateTime,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from insula.db import Statement, binds
from insula.webhooks.schemas import Attempt, Delivery, Webhook
from insula.webhooks.tables import AttemptRow, DeliveryRow, WebhookQueueRow, WebhookRow

WEBHOOK = (
    WebhookRow.id,
    WebhookRow.url,
    WebhookRow.events,
    WebhookRow.description,
    WebhookRow.status,
    WebhookRow.disabled_because,
    WebhookRow.failing_since,
    WebhookRow.previous_until.label("previous_secret_until"),
    WebhookRow.version,
    WebhookRow.created_at,
    WebhookRow.updated_at,
)
DELIVERY = (
    DeliveryRow.id,
    DeliveryRow.webhook_id,
    DeliveryRow.event_id,
    DeliveryRow.event_type,
    DeliveryRow.subject,
    DeliveryRow.status,
    DeliveryRow.attempts,
    DeliveryRow.next_at,
    DeliveryRow.response_status,
    DeliveryRow.created_at,
    DeliveryRow.finished_at,
)
_id: BindParameter[UUID] = bindparam("id")
_webhook: BindParameter[UUID] = bindparam("webhook")
_changed = {WebhookRow.version: WebhookRow.version + 1, WebhookRow.updated_at: func.now()}

GET = Statement(select(*WEBHOOK).where(WebhookRow.id == _id), Webhook)
LOCK = Statement(select(*WEBHOOK).where(WebhookRow.id == _id).with_for_update(), Webhook)
COUNT = Statement(select(func.count()).select_from(WebhookRow), int)
# Two admins who each make the last webhook that is allowed wait for each other.
LOCK_TABLE = "LOCK TABLE webhooks IN SHARE ROW EXCLUSIVE MODE"
INSERT = Statement(
    insert(WebhookRow)
    .values(**binds("id", "url", "events", "description", "secret", "created_by"))
    .returning(*WEBHOOK),
    Webhook,
)
DELETE = Statement(delete(WebhookRow).where(WebhookRow.id == _id))
ROTATE = Statement(
    update(WebhookRow)
    .where(WebhookRow.id == _webhook)
    .values(
        {
            **_changed,
            WebhookRow.previous_secret: WebhookRow.secret,
            WebhookRow.previous_until: bindparam("until", type_=DateTime(timezone=True)),
            WebhookRow.secret: bindparam("fresh"),
        }
    )
    .returning(*WEBHOOK),
    Webhook,
)
DISABLE = Statement(
    update(WebhookRow)
    .where(WebhookRow.id == _webhook, WebhookRow.status == "active")
    .values(
        {**_changed, WebhookRow.status: "disabled", WebhookRow.disabled_because: bindparam("why")}
    )
    .returning(*WEBHOOK),
    Webhook,
)
ENABLE = Statement(
    update(WebhookRow)
    .where(WebhookRow.id == _webhook, WebhookRow.status == "disabled")
    .values(
        {
            **_changed,
            WebhookRow.status: "active",
            WebhookRow.disabled_because: null(),
            WebhookRow.failing_since: null(),
            WebhookRow.failures: 0,
        }
    )
)


@cache
def change(columns: tuple[str, ...]) -> Statement[Webhook]:
    """An update of just these columns."""
    values: dict[Any, Any] = {getattr(WebhookRow, name): bindparam(name) for name in columns}
    return Statement(
        update(WebhookRow)
        .where(WebhookRow.id == _webhook)
        .values({**_changed, **values})
        .returning(*WEBHOOK),
        Webhook,
    )


# Fanning out


class Subscription(msgspec.Struct, frozen=True):
    """What an endpoint wants to hear of."""

    id: UUID
    events: list[str]


# Locked against being deleted before there are deliveries that refer to it.
SUBSCRIPTIONS = Statement(
    select(WebhookRow.id, WebhookRow.events)
    .where(WebhookRow.status == "active")
    .with_for_update(read=True, key_share=True),
    Subscription,
)

# Deliveries

FIND_DELIVERY = Statement(
    select(*DELIVERY).where(DeliveryRow.id == _id, DeliveryRow.webhook_id == _webhook), Delivery
)
GET_BODY = Statement(select(DeliveryRow.body).where(DeliveryRow.id == _id), str)
# Who redelivers again and again keeps the last attempts.
ATTEMPTS = Statement(
    select(
        AttemptRow.number,
        AttemptRow.started_at,
        AttemptRow.duration_ms,
        AttemptRow.request_headers,
        AttemptRow.response_status,
        AttemptRow.response_headers,
        AttemptRow.response_body,
        AttemptRow.error,
    )
    .where(AttemptRow.delivery_id == _id)
    .order_by(AttemptRow.number.desc())
    .limit(literal_column("50")),
    Attempt,
)
_again: dict[Any, Any] = {
    DeliveryRow.status: "waiting",
    DeliveryRow.tries: 0,
    DeliveryRow.next_at: null(),
    DeliveryRow.finished_at: null(),
}
_delivery = upsert(DeliveryRow).values(
    **binds(
        "id", "webhook_id", "event_id", "event_type", "subject", "body", "traceparent", "by_hand"
    )
)  # fmt: skip
# An event that comes again is one that somebody asked for: a rewound consumer.
INSERT_DELIVERY = Statement(
    _delivery.on_conflict_do_update(
        index_elements=[DeliveryRow.webhook_id, DeliveryRow.event_id],
        set_={column.key: value for column, value in _again.items()},
        where=DeliveryRow.status != literal_column("'waiting'"),
    )
)
REDELIVER = Statement(
    update(DeliveryRow)
    .where(DeliveryRow.id == _id, DeliveryRow.webhook_id == _webhook)
    .values({**_again, DeliveryRow.by_hand: True})
    .returning(*DELIVERY),
    Delivery,
)
RECOVER = Statement(
    update(DeliveryRow)
    .where(
        DeliveryRow.webhook_id == _webhook,
        DeliveryRow.status == "failed",
        DeliveryRow.created_at >= bindparam("since", type_=DateTime(timezone=True)),
    )
    .values(_again)
)
GIVE_UP = Statement(
    update(DeliveryRow)
    .where(DeliveryRow.webhook_id == _webhook, DeliveryRow.status == "waiting")
    .values(status="failed", next_at=null(), finished_at=func.now())
)

# The queue

_wake = upsert(WebhookQueueRow).values(webhook_id=bindparam("webhook"))
WAKE = Statement(
    _wake.on_conflict_do_update(
        index_elements=[WebhookQueueRow.tenant, WebhookQueueRow.webhook_id],
        set_={"due_at": func.least(WebhookQueueRow.due_at, func.now())},
    )
)
WAKE_AT_ONCE = Statement(
    _wake.on_conflict_do_update(
        index_elements=[WebhookQueueRow.tenant, WebhookQueueRow.webhook_id],
        set_={"due_at": func.now(), "paused_until": null()},
    )
)
