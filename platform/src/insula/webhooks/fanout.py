"""From the tenant's log to what is to be delivered: a row for each endpoint that wants an event."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import msgspec

from insula.db import Work
from insula.db.ids import new_id
from insula.events import Event
from insula.events.cloudevents import cloud_event
from insula.events.types import matches
from insula.tenancy.tenant import Tenant
from insula.webhooks import queries
from insula.webhooks.queries import Subscription


class WebhookConsumer:
    """Follows every tenant's log (:class:`insula.events.consumers.Consumer`). The rows are written
    in the transaction that moves the consumer on: exactly once."""

    name = "webhooks"
    batch = 200
    attempts: int | None = None

    def serves(self, tenant: Tenant) -> bool:
        return True

    def wants(self, event: Event) -> bool:
        return True

    async def consume(self, tx: Work, tenant: Tenant, events: Sequence[Event]) -> None:
        subscriptions = await tx.many(queries.SUBSCRIPTIONS)
        rows = list(_deliveries(tenant, events, subscriptions))
        await tx.execute_many(queries.INSERT_DELIVERY, rows)
        # In one order everywhere, so that two transactions cannot wait for each other.
        for webhook_id in sorted({row["webhook_id"] for row in rows}):
            await tx.execute(queries.WAKE, webhook=webhook_id)


def _deliveries(
    tenant: Tenant, events: Sequence[Event], subscriptions: Sequence[Subscription]
) -> Iterator[dict[str, Any]]:
    for event in events:
        takers = [each.id for each in subscriptions if matches(each.events, event.type)]
        if takers:
            body = encode(event, tenant)
            for webhook_id in takers:
                yield delivery_row(webhook_id, event, body)


def encode(event: Event, tenant: Tenant) -> str:
    return msgspec.json.encode(cloud_event(event, tenant)).decode()


def delivery_row(
    webhook_id: UUID, event: Event, body: str, *, by_hand: bool = False
) -> dict[str, Any]:
    return {
        "id": new_id(),
        "webhook_id": webhook_id,
        "event_id": event.id,
        "event_type": event.type,
        "subject": event.subject,
        "body": body,
        "traceparent": event.traceparent,
        "by_hand": by_hand,
    }
