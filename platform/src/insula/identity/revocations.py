"""Telling every replica at once that a session or a user's older tokens are void.

PostgreSQL holds the truth; Redis carries it to the gates for as long as an access token lives. It
is told *before* the transaction commits: should that fail, the user merely has to refresh.
"""

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import hiredis

from insula.db import Work
from insula.http.admission import not_before_key, revoked_key
from insula.http.problem import Unavailable
from insula.http.redis_line import RedisDown, RedisLine
from insula.identity import queries

_SLACK = 10.0
"""Seconds between a user's change, which bears the time at which its transaction began, and the
last token that was issued without knowing of it."""


class Revocations:
    """``seconds`` is the life of the longest-lived access tokens."""

    def __init__(self, redis: RedisLine, seconds: int) -> None:
        self._redis = redis
        self._life = timedelta(seconds=seconds + 60)
        self._seconds = str(seconds + 60)

    async def end_session(self, session_id: UUID) -> None:
        """Void the access tokens of one session."""
        await self._set(revoked_key(session_id), "1")

    async def void_tokens(self, user_id: UUID) -> None:
        """Void every access token of the user that has been issued up to now."""
        await self._set(not_before_key(user_id), f"{time.time() + 0.001:.3f}")

    async def restore(self, tx: Work) -> None:
        """Tell a Redis that has lost its memory what it knew of a tenant, from the tenant's tables.
        Whoever changed just their name may have to refresh once."""
        since = datetime.now(UTC) - self._life
        for session_id in await tx.many(queries.REVOKED_SINCE, since=since):
            await self._set(revoked_key(session_id), "1")
        for user in await tx.many(queries.CHANGED_SINCE, since=since):
            void_until = min(user.updated_at.timestamp() + _SLACK, time.time())
            await self._set(not_before_key(user.id), f"{void_until:.3f}", "NX")

    async def _set(self, key: str, value: str, *options: str) -> None:
        try:
            await self._redis.call("SET", key, value, "EX", self._seconds, *options)
        except (RedisDown, hiredis.ReplyError) as error:  # an answer such as "out of memory"
            raise Unavailable("Sessions cannot be ended right now.") from error
