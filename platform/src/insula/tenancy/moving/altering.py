"""Changing tables that are in use without holding up those who use them.

Whoever waits for a lock on a table holds up everybody who comes after, and PostgreSQL lets an
autovacuum go on for a second before it cancels it for somebody who waits. So locks are waited for
only briefly, many times; and only after that for so long that an autovacuum makes way.
"""

import asyncio

import asyncpg

from insula.tenancy.cells import CellRefused
from insula.tenancy.roles import OWNER

_BRIEFLY = ["50ms"] * 20
_LONG = ["2s"] * 5
_PAUSE_SECONDS = 0.25


class Busy(CellRefused):
    """Somebody holds locks, or writes, for too long: try again later."""


async def alter(source: asyncpg.Connection, script: str) -> None:
    """Run a script as the owner, in a transaction of its own.

    Raises:
        Busy: a lock was not to be had.
    """
    for patience in (*_BRIEFLY, *_LONG):
        try:
            async with source.transaction():
                await source.execute(
                    f"SET LOCAL ROLE {OWNER}; SET LOCAL lock_timeout = '{patience}'"
                )
                await source.execute(script)
                return
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            await asyncio.sleep(_PAUSE_SECONDS)
    raise Busy("A table of the tenant is locked for too long: try again later.")
