"""Who watches a channel, over all replicas."""

from typing import Any
from uuid import UUID

from insula.http.redis_line import RedisLine
from insula.realtime.limits import PRESENT_LIMIT
from insula.realtime.log import PRESENCE


class Presence:
    """Connections come, are renewed, and leave, by themselves if their replica dies."""

    def __init__(self, redis: RedisLine, expiry: str) -> None:
        self._redis = redis
        self._expiry = expiry

    async def join(self, key: str, user: UUID, connection: str) -> dict[str, Any]:
        """Be here, or go on being here; who else is.

        Raises:
            RedisDown: Redis cannot be asked.
        """
        count, users = await self._run(key, "join", user, connection)
        return {"count": count, "users": sorted(each.decode() for each in users)}

    async def leave(self, key: str, user: UUID, connection: str) -> None:
        """Be here no longer.

        Raises:
            RedisDown: Redis cannot be asked.
        """
        await self._run(key, "leave", user, connection)

    async def _run(self, key: str, verb: str, user: UUID, connection: str) -> Any:
        return await PRESENCE.run(
            self._redis,
            (f"{key}@here", f"{key}@users"),
            *(verb, str(user), connection, self._expiry, key, str(PRESENT_LIMIT)),
        )
