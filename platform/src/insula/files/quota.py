"""How much a tenant may keep: bytes are reserved before they are taken in."""

import msgspec

from insula.db import Work
from insula.files import queries
from insula.files.errors import QuotaExceeded
from insula.files.schemas import Usage
from insula.i18n import say


class Quota(msgspec.Struct, frozen=True):
    """The rule of an installation; a tenant may have a number of its own in ``file_usage``."""

    default: int

    async def usage(self, tx: Work) -> Usage:
        return await tx.one(queries.USAGE, default_quota=self.default)

    async def reserve(self, tx: Work, size: int) -> None:
        """Set bytes aside. Until the transaction ends nobody else in the tenant can, so keep it
        short; two that reserve at once cannot both have the last bytes.

        Raises:
            QuotaExceeded: there is no room for them.
        """
        if await tx.find(queries.RESERVE, more=size, default_quota=self.default) is None:
            usage = await self.usage(tx)
            room = max(0, usage.quota - usage.bytes)
            raise QuotaExceeded(
                say("{size} bytes are wanted, and {room} are left.", size=size, room=room)
            )

    async def lock(self, tx: Work) -> None:
        """Keep others from reserving until the transaction ends."""
        await tx.one(queries.LOCK_USAGE)

    async def release(self, tx: Work, size: int) -> None:
        if size:
            await tx.execute(queries.RELEASE, less=size)
