"""What is told about jobs that a user started: to whoever watches ``jobs/<id>``, and to webhooks.

Jobs of the system are not told about. The delivery of a webhook is one: an event about it would be
delivered as well, and so on for ever.
"""

from typing import Any, Final
from uuid import UUID

import msgspec

from insula.db import Work
from insula.events import EventType, emit


class JobChanged(msgspec.Struct):
    """How far a job is."""

    id: UUID
    name: str
    status: str
    done: int
    total: int
    note: str
    error: str | None


PROGRESSED: Final = EventType(
    "jobs.job.progressed", JobChanged, "A job that a user started has come further."
)
SUCCEEDED: Final = EventType("jobs.job.succeeded", JobChanged, "A job that a user started is done.")
FAILED: Final = EventType(
    "jobs.job.failed", JobChanged, "A job that a user started failed, and won't be tried again."
)
CANCELLED: Final = EventType(
    "jobs.job.cancelled", JobChanged, "A job that a user started was called off."
)
EVENTS: Final[tuple[EventType[Any], ...]] = (PROGRESSED, SUCCEEDED, FAILED, CANCELLED)


async def tell(tx: Work, kind: EventType[JobChanged], change: JobChanged, actor: UUID) -> None:
    """Emit what happened to a job, to its live channel as well."""
    subject = f"jobs/{change.id}"
    await emit(tx, kind, change, subject=subject, actor=actor, channels=(subject,))
