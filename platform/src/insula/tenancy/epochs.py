"""Telling every replica that what it has cached of a tenant is out of date."""

from uuid import UUID

import hiredis

from insula.http.admission import epoch_key
from insula.http.redis_line import RedisDown, RedisLine
from insula.tenancy.tenant import Tenant

# Only ever upwards: two changes may be announced in the other order than they were committed in.
_RAISE = """
local now = tonumber(redis.call('GET', KEYS[1]))
if not now or now < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end
"""


async def publish_epoch(redis: RedisLine, tenant: Tenant, epoch: int) -> bool:
    """Make every replica read the tenant again; call it once the change is committed. Whether Redis
    was told: if not, they notice within half a minute."""
    return await publish_epoch_of(redis, tenant.key, epoch)


async def publish_epoch_of(redis: RedisLine, tenant_id: str, epoch: int) -> bool:
    """The same, for a tenant of which just the id is known."""
    try:
        await redis.call("EVAL", _RAISE, "1", epoch_key(tenant_id), str(epoch))
    except (RedisDown, hiredis.ReplyError):
        return False
    return True


async def forget_epoch(redis: RedisLine, tenant_id: UUID) -> bool:
    """Make every replica read the tenant again, and the sessions that have ended with it, before
    anybody gets in: as after a loss of Redis' memory. Whether Redis was told."""
    try:
        await redis.call("DEL", epoch_key(tenant_id))
    except (RedisDown, hiredis.ReplyError):
        return False
    return True
