"""Jobs as the API shows them. Arguments stay inside: a mail's may hold a one-time code."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(examples=["tasks.remind"])]
Status = Annotated[
    str,
    Meta(
        description="`queued`, `running`, `succeeded`, `failed` (out of attempts) or `cancelled`",
        examples=["queued"],
    ),
]


class JobLine(msgspec.Struct):
    """A job, as a list shows it."""

    id: UUID
    name: Name
    key: str | None
    """Unique among those that wait."""
    status: Status
    attempt: int
    """How often it has been started."""
    done: int
    """How far it is, out of `total`."""
    total: int
    note: str
    error: str | None
    """Why the last attempt failed."""
    actor_id: UUID | None
    """The user who started it; null for the system."""
    due_at: datetime
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class Job(JobLine):
    """A job."""

    result: Any = None
    """What it came to, once it has succeeded."""
