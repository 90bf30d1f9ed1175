"""``/api/v1/webhooks``."""

from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, delete, get, patch, post
from sqlalchemy import bindparam, select

from insula.db import RowNotFound, Work
from insula.http.conditional import IfMatch, versioned
from insula.http.exchange import Caller
from insula.http.listing import Listing, Page
from insula.tenancy.tenant import Tenant
from insula.webhooks import queries, service
from insula.webhooks.errors import (
    TooManyWebhooks,
    UnknownEvents,
    WebhookDisabled,
    WebhookUrlRefused,
)
from insula.webhooks.schemas import (
    Delivery,
    DeliveryDetail,
    EventKind,
    Recovered,
    Recovery,
    Rotation,
    Webhook,
    WebhookCreate,
    WebhookUpdate,
    WebhookWithSecret,
)
from insula.webhooks.service import Webhooks
from insula.webhooks.tables import DeliveryRow, WebhookRow

READ, WRITE = "webhooks:read", "webhooks:write"

WEBHOOKS = Listing(
    select(*queries.WEBHOOK),
    Webhook,
    key=WebhookRow.id,
    sort={"created_at": WebhookRow.created_at, "url": WebhookRow.url},
    default="-created_at",
    filters={"status": WebhookRow.status, "url": WebhookRow.url},
)
DELIVERIES = Listing(
    select(*queries.DELIVERY).where(DeliveryRow.webhook_id == bindparam("webhook")),
    Delivery,
    key=DeliveryRow.id,
    sort={"created_at": DeliveryRow.created_at},
    default="-created_at",
    filters={
        "status": DeliveryRow.status,
        "event_type": DeliveryRow.event_type,
        "event_id": DeliveryRow.event_id,
        "subject": DeliveryRow.subject,
        "created_at": DeliveryRow.created_at,
    },
)


@get("/", right=READ, listing=WEBHOOKS)
async def list_webhooks(request: Request[Any, Any, Any], tx: Work) -> Page[Webhook]:
    """The webhooks of the tenant."""
    return await WEBHOOKS.page(tx, request)


@post("/", right=WRITE, problems=(WebhookUrlRefused, UnknownEvents, TooManyWebhooks))
async def create_webhook(
    data: WebhookCreate, tx: Work, caller: Caller, webhooks: Webhooks
) -> Response[WebhookWithSecret]:
    """Have events POSTed to a URL, from now on. The secret is shown this once."""
    made = await webhooks.create(tx, data, caller.user_id)
    answer = versioned(made, made.version, 201)
    answer.headers["location"] = f"/api/v1/webhooks/{made.id}"
    return answer


@get("/event-types", right=READ)
async def list_event_types(webhooks: Webhooks) -> list[EventKind]:
    """What can happen here, and what each event carries."""
    return webhooks.kinds()


@get("/{webhook_id:uuid}", right=READ)
async def get_webhook(webhook_id: UUID, tx: Work) -> Response[Webhook]:
    """One webhook; never its secret."""
    webhook = await tx.one(queries.GET, id=webhook_id)
    return versioned(webhook, webhook.version)


@patch("/{webhook_id:uuid}", right=WRITE, problems=(WebhookUrlRefused, UnknownEvents))
async def update_webhook(
    webhook_id: UUID,
    data: WebhookUpdate,
    tx: Work,
    webhooks: Webhooks,
    if_match: IfMatch = None,
) -> Response[Webhook]:
    """Change where events go and which, or switch the webhook off and on."""
    webhook = await webhooks.change(tx, webhook_id, data, if_match)
    return versioned(webhook, webhook.version)


@delete("/{webhook_id:uuid}", right=WRITE)
async def delete_webhook(webhook_id: UUID, tx: Work) -> None:
    """The webhook is gone, with its log and whatever was to be sent."""
    if not await tx.execute(queries.DELETE, id=webhook_id):
        raise RowNotFound


@post("/{webhook_id:uuid}/rotate", right=WRITE, status_code=200)
async def rotate_secret(
    webhook_id: UUID, data: Rotation, tx: Work, webhooks: Webhooks
) -> Response[WebhookWithSecret]:
    """Make a new secret. For some hours every request is signed with both, so that the receiver can
    change over without losing one."""
    rotated = await webhooks.rotate(tx, webhook_id, data)
    return versioned(rotated, rotated.version)


@post("/{webhook_id:uuid}/test", right=WRITE, status_code=202, problems=(WebhookDisabled,))
async def test_webhook(
    webhook_id: UUID, tx: Work, caller: Caller, tenant: Tenant, webhooks: Webhooks
) -> Delivery:
    """Send an event that says nothing (`webhooks.test.sent`), to see whether it arrives."""
    return await webhooks.send_test(tx, tenant, webhook_id, caller.user_id)


@post("/{webhook_id:uuid}/recover", right=WRITE, status_code=202, problems=(WebhookDisabled,))
async def recover_deliveries(webhook_id: UUID, data: Recovery, tx: Work) -> Recovered:
    """After an outage: send again what was given up, in the order in which it happened."""
    return Recovered(await service.recover(tx, webhook_id, data.since))


@get("/{webhook_id:uuid}/deliveries", right=READ, listing=DELIVERIES)
async def list_deliveries(
    webhook_id: UUID, request: Request[Any, Any, Any], tx: Work
) -> Page[Delivery]:
    """What was sent and what is to be; kept for 30 days."""
    await tx.one(queries.GET, id=webhook_id)
    return await DELIVERIES.page(tx, request, webhook=webhook_id)


@get("/{webhook_id:uuid}/deliveries/{delivery_id:uuid}", right=READ)
async def get_delivery(webhook_id: UUID, delivery_id: UUID, tx: Work) -> DeliveryDetail:
    """One event on its way to one endpoint, with the last 50 attempts."""
    delivery = await tx.one(queries.FIND_DELIVERY, id=delivery_id, webhook=webhook_id)
    body = await tx.one(queries.GET_BODY, id=delivery_id)
    log = await tx.many(queries.ATTEMPTS, id=delivery_id)
    return DeliveryDetail(**msgspec.structs.asdict(delivery), body=body, log=log)


@post(
    "/{webhook_id:uuid}/deliveries/{delivery_id:uuid}/redeliver",
    right=WRITE,
    status_code=202,
    problems=(WebhookDisabled,),
)
async def redeliver(webhook_id: UUID, delivery_id: UUID, tx: Work) -> Delivery:
    """Send an event again, whether it was delivered or given up."""
    return await service.redeliver(tx, webhook_id, delivery_id)


ROUTER = Router(
    path="/api/v1/webhooks",
    route_handlers=[
        list_webhooks, create_webhook, list_event_types, get_webhook, update_webhook,
        delete_webhook, rotate_secret, test_webhook, recover_deliveries, list_deliveries,
        get_delivery, redeliver,
    ],
    tags=["Webhooks"],
)  # fmt: skip
