"""Events on their way out: another consumer of the tenants' logs."""

import asyncio
from collections.abc import Collection, Sequence

import msgspec

from insula.broker.line import Line, Message
from insula.db import Work
from insula.events.cloudevents import cloud_event
from insula.events.types import Event
from insula.tenancy.tenant import Tenant


class BrokerConsumer:
    """Publishes what happens, in the order of each tenant's log, and goes on once the broker has
    confirmed. At least once: ``source`` and ``id`` tell receivers what they have had."""

    name = "broker"
    batch = 100
    attempts: int | None = None

    def __init__(self, line: Line, topic: str, ours: Collection[str]) -> None:
        """``ours``: first words of the types that go out. What came in does not."""
        self._line = line
        self._topic = topic
        self._ours = frozenset(ours)
        self._turn = asyncio.Lock()

    def serves(self, tenant: Tenant) -> bool:
        return True

    def wants(self, event: Event) -> bool:
        return event.type.partition(".")[0] in self._ours

    async def run(self, stop: asyncio.Event) -> None:
        """Hang up in the end."""
        await stop.wait()
        async with self._turn:
            await self._line.close()

    async def consume(self, tx: Work, tenant: Tenant, events: Sequence[Event]) -> None:
        # One tenant's at a time: a line that fails is dropped under everybody's feet.
        async with self._turn:
            for event in events:
                await self._line.publish(self._topic, _message(event, tenant))


def _message(event: Event, tenant: Tenant) -> Message:
    body = msgspec.json.encode(cloud_event(event, tenant))
    return Message(body, str(event.id), event.type, tenant.key)
