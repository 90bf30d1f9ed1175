"""Those who follow the tenants' logs, each with a place of its own in every log."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from insula.db import Work
from insula.events.types import Event, Listener
from insula.module import Module
from insula.tenancy.tenant import Tenant

_CROWD = 500
"""Events of which a listener that wants only the latest may be told one."""


class Consumer(Protocol):
    """Is given events in the order of the log, in a transaction that moves its place as well.

    What it does to the tenant's database happens exactly once; what it does elsewhere at least
    once, so it has to be recognisable by the event's id or number. If it raises, it is called
    again with the same events, after growing pauses.
    """

    name: str
    batch: int
    """How many events it takes at once at most."""
    attempts: int | None
    """After so many failures the event is set aside as a dead letter; None: never, which is for
    what fails only because something is down."""

    def serves(self, tenant: Tenant) -> bool:
        """Whether it has to do with this tenant at all at the moment."""

    def wants(self, event: Event) -> bool:
        """Whether it is to be given the event; the others are passed over."""

    async def consume(self, tx: Work, tenant: Tenant, events: Sequence[Event]) -> None: ...


class ListenerConsumer:
    """A module's listener, while the module is on: one event at a time, or the latest of each
    subject among those that wait."""

    attempts: int | None = 10

    def __init__(self, module: str, listener: Listener) -> None:
        self.name = listener.name
        self.batch: int = _CROWD if listener.latest else 1
        self._module = module
        self._listener = listener

    def serves(self, tenant: Tenant) -> bool:
        return self._module in tenant.modules

    def wants(self, event: Event) -> bool:
        return self._listener.wants(event.type)

    async def consume(self, tx: Work, tenant: Tenant, events: Sequence[Event]) -> None:
        for event in {event.subject: event for event in events}.values():
            await self._listener.call(tx, event)


def listeners(modules: Iterable[Module]) -> list[Consumer]:
    """The listeners of all modules."""
    return [
        ListenerConsumer(module.name, listener)
        for module in modules
        for listener in module.listeners
    ]
