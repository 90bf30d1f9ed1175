"""Publishing to live channels, from wherever: ``services["realtime"]``."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

import msgspec

from insula.events import Event
from insula.http.redis_line import RedisLine
from insula.realtime.log import PUBLISH, prefix_of
from insula.tenancy.tenant import Tenant

EVENTS = "events"
"""The channel in which every event of a tenant is shown."""
BODY_LIMIT = 64 << 10
"""Bytes of one message."""
_BATCH = 100
_MARK_MILLISECONDS = str(86_400_000)


class _Body(msgspec.Struct, omit_defaults=True):
    """A message without ``id`` and ``channel``, which the reader puts in front."""

    type: str
    time: datetime
    data: Any
    subject: str = ""
    event_id: UUID | None = None
    actor_id: UUID | None = None
    omitted: bool = False
    """The data would have been too large to send: read it from the API."""


class MessageTooLarge(ValueError):
    """A live message has at most 64 kB: publish less, or that there is something to read."""


class Realtime:
    """Nobody has to watch: publishing to a channel that nobody watches costs one look at Redis."""

    def __init__(self, redis: RedisLine, *, length: int) -> None:
        self._redis = redis
        self._length = str(length)

    async def publish(self, tenant: Tenant, channel: str, kind: str, data: Any) -> None:
        """Send what is no event, such as a tally; ``kind`` is ``<module>.<what>``. Called again, it
        is sent again.

        Raises:
            MessageTooLarge: see there.
            RedisDown: Redis cannot be asked; whether the message went out is not known.
        """
        assert "." in kind, "types without a dot are the service's own"
        body = msgspec.json.encode(_Body(kind, datetime.now(UTC), data))
        if len(body) > BODY_LIMIT:
            raise MessageTooLarge(f"{kind}: {len(body)} bytes")
        await self._publish(tenant, ["0", body, "1", channel])

    async def publish_events(self, tenant: Tenant, events: Sequence[Event]) -> None:
        """Send events to the channels that their emitters named, and to ``events``. To be called
        in the order of the tenant's log; those that were sent before are left out.

        Raises:
            RedisDown: Redis cannot be asked; call again with the same events.
        """
        rest = iter(events)
        while batch := list(islice(rest, _BATCH)):
            await self._publish(tenant, [part for event in batch for part in _parts(event)])

    async def _publish(self, tenant: Tenant, parts: list[str | bytes]) -> None:
        prefix = prefix_of(tenant.key)
        await PUBLISH.run(
            self._redis, (f"{prefix}@mark",), prefix, self._length, _MARK_MILLISECONDS, *parts
        )


def _parts(event: Event) -> Iterator[str | bytes]:
    channels = (*event.channels, EVENTS)
    yield str(event.seq)
    yield _encode(event)
    yield str(len(channels))
    yield from channels


def _encode(event: Event) -> bytes:
    body = _Body(event.type, event.time, event.data, event.subject, event.id, event.actor_id)
    encoded = msgspec.json.encode(body)
    if len(encoded) <= BODY_LIMIT:
        return encoded
    return msgspec.json.encode(msgspec.structs.replace(body, data=None, omitted=True))
