"""Channels that every tenant has."""

from typing import Final
from uuid import UUID

from insula.db import Work
from insula.http.exchange import Caller
from insula.http.problem import Forbidden, NotFound, Unauthenticated
from insula.realtime.publisher import EVENTS
from insula.realtime.types import Channel


async def _only_oneself(tx: Work, caller: Caller | None, user_id: UUID) -> None:
    if caller is None:
        raise Unauthenticated
    if caller.user_id != user_id:
        raise NotFound


async def _who_may_read_events(tx: Work, caller: Caller | None) -> None:
    if caller is None:
        raise Unauthenticated
    if "events:read" not in caller.scopes:
        raise Forbidden("This needs the scope 'events:read'.")


CORE_CHANNELS: Final = (
    Channel(pattern="users/{user_id:uuid}", authorize=_only_oneself),
    Channel(pattern=EVENTS, authorize=_who_may_read_events),
)
"""``users/<id>``: what is for one user alone, such as reminders. ``events``: every event of the
tenant, as ``GET /api/v1/events`` has them."""
