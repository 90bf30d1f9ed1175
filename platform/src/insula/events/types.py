"""Kinds of events, one event as its consumers get it, and who listens."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from insula.db import Work

D = TypeVar("D")

NAME = re.compile(r"[a-z][a-z0-9]*(\.[a-z][a-z0-9_]*){2}")


@dataclass(frozen=True)
class EventType(Generic[D]):
    """A kind of event: ``<module>.<thing>.<past tense>``, and the struct that says what happened.

    Fields may be added to the struct, never changed or taken away: consumers rely on them.
    """

    name: str
    data: type[D]
    summary: str


class Event(msgspec.Struct, frozen=True):
    """One thing that happened in a tenant, as its log has it."""

    seq: int
    """Its place in the tenant's log: 1, 2, 3, … in the order in which consumers see them."""
    id: UUID
    type: str
    subject: str
    """What it happened to, ``articles/<id>``; events of one subject come in order."""
    time: datetime
    actor_id: UUID | None
    """The user who did it; None for the system."""
    data: dict[str, Any]
    traceparent: str = ""
    channels: list[str] = []
    """Live channels that it is shown in."""


@dataclass(frozen=True)
class Listener:
    """Has something done in the tenant whenever an event of some kind happened.

    ``call`` runs in a transaction of the tenant that also moves the listener on: what it does to
    the database happens exactly once, in the order of the log. If it raises, it is tried again
    with growing pauses, then set aside as a dead letter.
    """

    name: str
    """``<module>.<what it does>``; its place in the log is kept under this name."""
    events: tuple[str, ...]
    """Patterns of event types: ``polls.poll.closed``, ``blog.*``."""
    call: Callable[[Work, Event], Awaitable[None]]
    latest: bool = False
    """Of the events of one subject that wait at the same time, only the last is told: for who
    looks at the present state of the subject anyway, and would do so a thousand times in vain."""

    def wants(self, kind: str) -> bool:
        return matches(self.events, kind)


def matches(patterns: tuple[str, ...] | list[str], kind: str) -> bool:
    """Whether one of the patterns (``*`` stands for anything) is about this kind of event."""
    return any(fnmatchcase(kind, pattern) for pattern in patterns)
