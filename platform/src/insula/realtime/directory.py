"""Which channels there are, and who may watch one of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from insula.db import Work
from insula.http.authority import require_right
from insula.http.exchange import Caller
from insula.i18n import say
from insula.realtime.errors import NoSuchChannel
from insula.realtime.types import Channel
from insula.tenancy.errors import ModuleDisabled
from insula.tenancy.tenant import Tenant

_NAME_LIMIT = 300


@dataclass(frozen=True)
class Place:
    """One channel, by name."""

    name: str
    channel: Channel
    module: str | None
    """None for channels of the core."""
    parts: dict[str, str | UUID]

    async def authorize(self, tx: Work, caller: Caller | None, tenant: Tenant) -> None:
        """Make sure that somebody may watch.

        Raises:
            ModuleDisabled: the tenant has switched the module off.
            Unauthenticated, Forbidden: the caller has not the channel's right.
            Exception: whatever the channel's own function raises.
        """
        if self.module is not None and self.module not in tenant.modules:
            raise ModuleDisabled(say("{module} is off.", module=self.module))
        require_right(caller, self.channel.right)
        if self.channel.authorize is not None:
            await self.channel.authorize(tx, caller, **self.parts)

    async def snapshot(self, tx: Work, caller: Caller | None) -> Any:
        """The present state; None where the channel has none to show."""
        if self.channel.snapshot is None:
            return None
        return await self.channel.snapshot(tx, caller, **self.parts)


class Channels:
    """Every family of channels, each with the module that it belongs to."""

    def __init__(self, families: Iterable[tuple[str | None, Channel]]) -> None:
        self._families = list(families)

    def find(self, name: str) -> Place:
        """The channel of this name.

        Raises:
            NoSuchChannel: there is none.
        """
        if len(name) <= _NAME_LIMIT:
            for module, channel in self._families:
                if (parts := channel.parts_of(name)) is not None:
                    return Place(name, channel, module, parts)
        raise NoSuchChannel
