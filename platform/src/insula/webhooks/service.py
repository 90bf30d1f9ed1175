"""The rules of webhooks."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from insula.db import Work
from insula.db.ids import new_id
from insula.egress import AddressRefused, Egress
from insula.events import Event, EventType, emit
from insula.events.types import matches
from insula.http.conditional import require_match
from insula.http.problem import FieldError, NotFound
from insula.i18n import say
from insula.telemetry.context import traceparent
from insula.tenancy.tenant import Tenant
from insula.webhooks import queries
from insula.webhooks.errors import (
    TooManyWebhooks,
    UnknownEvents,
    WebhookDisabled,
    WebhookUrlRefused,
)
from insula.webhooks.events import ENDPOINT_DISABLED, TEST_SENT, EndpointDisabled
from insula.webhooks.fanout import delivery_row, encode
from insula.webhooks.schemas import (
    Delivery,
    EventKind,
    Rotation,
    Webhook,
    WebhookCreate,
    WebhookUpdate,
    WebhookWithSecret,
)
from insula.webhooks.signing import Secrets

MAX_WEBHOOKS: Final = 50


class Webhooks:
    """Endpoints and their deliveries, as admins see them."""

    def __init__(self, secrets: Secrets, egress: Egress, events: Iterable[EventType[Any]]) -> None:
        self._secrets = secrets
        self._egress = egress
        self._events = tuple(events)

    def kinds(self) -> list[EventKind]:
        """Every type of event that there is."""
        return [
            EventKind(each.name, each.summary, msgspec.json.schema(each.data))
            for each in self._events
        ]

    async def create(self, tx: Work, new: WebhookCreate, by: UUID) -> WebhookWithSecret:
        """
        Raises:
            WebhookUrlRefused, UnknownEvents, TooManyWebhooks: see there.
        """
        self._check_events(new.events)
        await self._check_url(new.url)
        await tx.run_script(queries.LOCK_TABLE)
        if await tx.one(queries.COUNT) >= MAX_WEBHOOKS:
            raise TooManyWebhooks(
                say("A tenant has at most {max_webhooks}.", max_webhooks=MAX_WEBHOOKS)
            )
        webhook_id = new_id()
        shown, sealed = self._secrets.make(webhook_id)
        made = await tx.one(
            queries.INSERT,
            id=webhook_id,
            url=new.url,
            events=_distinct(new.events),
            description=new.description,
            secret=sealed,
            created_by=by,
        )
        return _with_secret(made, shown)

    async def change(
        self, tx: Work, webhook_id: UUID, update: WebhookUpdate, if_match: str | None
    ) -> Webhook:
        """
        Raises:
            WebhookUrlRefused, UnknownEvents, PreconditionFailed: see there.
        """
        given = msgspec.structs.asdict(update)
        changes = {name: value for name, value in given.items() if value is not msgspec.UNSET}
        if "events" in changes:
            self._check_events(changes["events"])
            changes["events"] = _distinct(changes["events"])
        if "url" in changes:
            await self._check_url(changes["url"])
        webhook = await tx.one(queries.LOCK, id=webhook_id)
        require_match(if_match, webhook.version)
        enabled = changes.pop("enabled", None)
        if changes:
            webhook = await tx.one(queries.change(tuple(changes)), webhook=webhook_id, **changes)
        if enabled is None:
            return webhook
        if enabled:
            await tx.execute(queries.ENABLE, webhook=webhook_id)
        else:
            await disable(tx, webhook_id, "manual")
        return await tx.one(queries.GET, id=webhook_id)

    async def rotate(self, tx: Work, webhook_id: UUID, rotation: Rotation) -> WebhookWithSecret:
        """A new secret; the old one signs as well for a while."""
        shown, sealed = self._secrets.make(webhook_id)
        until = datetime.now(UTC) + timedelta(hours=rotation.overlap_hours)
        rotated = await tx.one(queries.ROTATE, webhook=webhook_id, until=until, fresh=sealed)
        return _with_secret(rotated, shown)

    async def send_test(self, tx: Work, tenant: Tenant, webhook_id: UUID, by: UUID) -> Delivery:
        """
        Raises:
            WebhookDisabled: see there.
        """
        await _require_active(tx, webhook_id)
        event_id = new_id()
        event = Event(
            seq=0,
            id=event_id,
            type=TEST_SENT.name,
            subject=f"tests/{event_id}",
            time=datetime.now(UTC),
            actor_id=by,
            data={"message": "This webhook works."},
            traceparent=traceparent.get(),
        )
        row = delivery_row(webhook_id, event, encode(event, tenant), by_hand=True)
        await tx.execute(queries.INSERT_DELIVERY, **row)
        await tx.execute(queries.WAKE_AT_ONCE, webhook=webhook_id)
        return await tx.one(queries.FIND_DELIVERY, id=row["id"], webhook=webhook_id)

    def _check_events(self, patterns: list[str]) -> None:
        faults = tuple(
            FieldError(f"/events/{place}", say("nothing is called {pattern}", pattern=pattern))
            for place, pattern in enumerate(patterns)
            if not any(matches([pattern], each.name) for each in self._events)
        )
        if faults:
            raise UnknownEvents(errors=faults)

    async def _check_url(self, url: str) -> None:
        try:
            await self._egress.check(url)
        except AddressRefused as error:
            raise WebhookUrlRefused(errors=(FieldError("/url", str(error)),)) from error


async def redeliver(tx: Work, webhook_id: UUID, delivery_id: UUID) -> Delivery:
    """Send an event again, now and, if that fails, by the schedule from its beginning.

    Raises:
        WebhookDisabled, NotFound: see there.
    """
    await _require_active(tx, webhook_id)
    delivery = await tx.find(queries.REDELIVER, id=delivery_id, webhook=webhook_id)
    if delivery is None:
        raise NotFound
    await tx.execute(queries.WAKE_AT_ONCE, webhook=webhook_id)
    return delivery


async def recover(tx: Work, webhook_id: UUID, since: datetime) -> int:
    """Send everything again that was given up; how many deliveries that are."""
    await _require_active(tx, webhook_id)
    count = await tx.execute(queries.RECOVER, webhook=webhook_id, since=since)
    if count:
        await tx.execute(queries.WAKE_AT_ONCE, webhook=webhook_id)
    return count


async def disable(tx: Work, webhook_id: UUID, reason: str) -> Webhook | None:
    """Switch an endpoint off and give up what waits for it; None if it was off already."""
    webhook = await tx.find(queries.DISABLE, webhook=webhook_id, why=reason)
    if webhook is not None:
        await tx.execute(queries.GIVE_UP, webhook=webhook_id)
        what = EndpointDisabled(webhook.id, webhook.url, reason)
        await emit(tx, ENDPOINT_DISABLED, what, subject=f"webhooks/{webhook.id}")
    return webhook


async def _require_active(tx: Work, webhook_id: UUID) -> None:
    webhook = await tx.one(queries.LOCK, id=webhook_id)
    if webhook.status != "active":
        raise WebhookDisabled


def _distinct(patterns: list[str]) -> list[str]:
    return list(dict.fromkeys(patterns))


def _with_secret(webhook: Webhook, secret: str) -> WebhookWithSecret:
    return WebhookWithSecret(**msgspec.structs.asdict(webhook), secret=secret)
