"""Telling the replicas about a change, from a command that ends right afterwards."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from insula.cli.printing import warn
from insula.http.redis_line import Address, RedisLine
from insula.settings import Settings
from insula.tenancy.epochs import publish_epoch
from insula.tenancy.tenant import STALE_SECONDS, Tenant


async def announce(settings: Settings, tenant: Tenant, epoch: int) -> None:
    """Have every replica read the tenant again at once; without Redis a warning says when."""
    if not await _publish(settings, tenant, epoch):
        warn(f"Redis was not told: replicas notice within {STALE_SECONDS:.0f} seconds.")


@asynccontextmanager
async def redis_line(settings: Settings) -> AsyncIterator[RedisLine]:
    """A connection to Redis; with nobody there, every call says that it is down."""
    line = RedisLine(Address(settings.redis_url), (), patience=2)
    await line.connect()
    try:
        yield line
    finally:
        await line.close()


async def _publish(settings: Settings, tenant: Tenant, epoch: int) -> bool:
    if not settings.redis_url:
        return False
    async with redis_line(settings) as line:
        return await publish_epoch(line, tenant, epoch)
