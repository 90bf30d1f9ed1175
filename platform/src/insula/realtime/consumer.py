"""Events on their way from a tenant's log to its live channels."""

from collections.abc import Sequence

from insula.db import Work
from insula.events import Event
from insula.realtime.publisher import Realtime
from insula.tenancy.tenant import Tenant


class LiveEvents:
    """A consumer of the worker's (:class:`insula.events.consumers.Consumer`)."""

    name: str = "core.realtime"
    batch: int = 100
    attempts: int | None = None

    def __init__(self, realtime: Realtime) -> None:
        self._realtime = realtime

    def serves(self, tenant: Tenant) -> bool:
        return tenant.status == "active"

    def wants(self, event: Event) -> bool:
        return True

    async def consume(self, tx: Work, tenant: Tenant, events: Sequence[Event]) -> None:
        await self._realtime.publish_events(tenant, events)
