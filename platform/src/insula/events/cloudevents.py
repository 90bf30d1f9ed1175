"""Events as CloudEvents 1.0 (cloudevents.io), which is how they leave the house."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from insula.events.types import Event
from insula.tenancy.tenant import Tenant

MEDIA_TYPE: Final = "application/cloudevents+json"


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The JSON format of CloudEvents, with the extensions Sequence and Distributed Tracing."""

    specversion: str
    id: UUID
    source: str
    """``urn:uuid:<tenant id>``: a tenant may change its name."""
    type: str
    subject: str
    time: datetime
    datacontenttype: str
    sequence: str
    """The event's number in the tenant's log, as the extension demands in 20 digits."""
    actorid: UUID | None = None
    """The user who did it, if it was one."""
    traceparent: str = ""
    data: dict[str, Any]


def cloud_event(event: Event, tenant: Tenant) -> CloudEvent:
    """The event as others see it."""
    return CloudEvent(
        specversion="1.0",
        id=event.id,
        source=f"urn:uuid:{tenant.key}",
        type=event.type,
        subject=event.subject,
        time=event.time,
        datacontenttype="application/json",
        sequence=f"{event.seq:020}",
        actorid=event.actor_id,
        traceparent=event.traceparent,
        data=event.data,
    )
