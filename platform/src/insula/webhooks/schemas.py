"""What the webhook API takes and gives."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

Url = Annotated[
    str, Meta(min_length=1, max_length=2048, examples=["https://hooks.example.com/insula"])
]
Pattern = Annotated[
    str,
    Meta(
        pattern=r"^(\*|[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){0,2}(\.\*)?)$",
        max_length=100,
        examples=["webhooks.*"],
    ),
]
Patterns = Annotated[
    list[Pattern], Meta(min_length=1, max_length=50, examples=[["webhooks.endpoint.disabled"]])
]
Description = Annotated[str, Meta(max_length=200, examples=["Orders to the warehouse"])]
Status = Literal["active", "disabled"]
DeliveryStatus = Literal["waiting", "delivered", "failed"]


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Input: a field that nobody knows is a mistake worth telling."""


class WebhookCreate(Strict):
    url: Url
    events: Patterns
    """Types of events, or patterns of them: `blog.article.published`, `blog.*`, `*`."""
    description: Description = ""


class WebhookUpdate(Strict):
    url: Url | UnsetType = UNSET
    events: Patterns | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    """`false` gives up what still waits to be sent; `true` begins with what happens from now on."""


class Rotation(Strict):
    overlap_hours: Annotated[int, Meta(ge=0, le=168, examples=[24])] = 24
    """For so long the old secret signs as well; 0 if it has leaked."""


class Recovery(Strict):
    since: datetime
    """Deliveries that were given up and whose event is not older than this."""


class Webhook(msgspec.Struct):
    id: UUID
    url: Annotated[str, Meta(examples=["https://hooks.example.com/insula"])]
    events: Annotated[list[str], Meta(examples=[["blog.*"]])]
    description: str
    status: Status
    disabled_because: Annotated[str, Meta(examples=["failing"])] | None
    """`manual`, `failing` (nothing was delivered for days) or `gone` (it answered 410)."""
    failing_since: datetime | None
    """When the first of the failures happened that no success has followed."""
    previous_secret_until: datetime | None
    """So long the secret before the last rotation signs as well."""
    version: int
    """Counts the changes; the `ETag`."""
    created_at: datetime
    updated_at: datetime


class WebhookWithSecret(Webhook):
    secret: Annotated[str, Meta(examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD…"])]
    """Verifies the signatures. It is shown this once."""


class EventKind(msgspec.Struct):
    type: Annotated[str, Meta(examples=["blog.article.published"])]
    summary: str
    data: dict[str, Any]
    """JSON Schema of the event's `data`."""


class Delivery(msgspec.Struct):
    id: UUID
    webhook_id: UUID
    event_id: UUID
    """The `webhook-id` header, and the event's `id`."""
    event_type: Annotated[str, Meta(examples=["blog.article.published"])]
    subject: str
    status: DeliveryStatus
    attempts: int
    next_at: datetime | None
    """When it is tried again; null while it waits for its turn, or does not wait."""
    response_status: int | None
    """Of the last attempt; null if no answer came."""
    created_at: datetime
    finished_at: datetime | None


class Attempt(msgspec.Struct):
    number: int
    started_at: datetime
    duration_ms: int
    request_headers: dict[str, str]
    response_status: int | None
    response_headers: dict[str, str] | None
    response_body: str | None
    """Its first 2,000 characters."""
    error: Annotated[str, Meta(examples=["no connection within 5 s"])] | None
    """Why there was no answer."""


class DeliveryDetail(Delivery):
    body: str
    """What is sent: a CloudEvent."""
    log: list[Attempt]


class Recovered(msgspec.Struct):
    deliveries: int
    """How many are sent again."""
