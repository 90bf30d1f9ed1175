"""Automatic persisted queries (Apollo's protocol): the hash of a text that was sent before."""

import hashlib
from typing import Any, Final

import msgspec

from insula.graphql.errors import PersistedQueryNotFound
from insula.http.problem import BadRequest
from insula.http.redis_line import RedisDown, RedisLine
from insula.i18n import say

_SECONDS: Final = 86_400
_LONGEST: Final = 20_000
"""Longer texts are not kept: memory is everybody's."""


class Hash(msgspec.Struct, rename="camel"):
    version: int
    sha256_hash: str


class PersistedQueries:
    """Texts by their hash, kept for each tenant by itself."""

    def __init__(self, redis: RedisLine) -> None:
        self._redis = redis

    async def text_of(self, tenant: str, query: str | None, extensions: Any) -> str:
        """The text of a request: its own, or what was sent with the same hash.

        Raises:
            PersistedQueryNotFound: the hash is not known, or not any more.
            BadRequest: there is neither, or the hash is another text's.
        """
        asked = (extensions or {}).get("persistedQuery")
        if asked is None:
            if query is None:
                raise BadRequest("There is no query.")
            return query
        wanted = _read(asked)
        key = f"graphql:{tenant}:{wanted}"
        if query is None:
            return await self._recall(key)
        if hashlib.sha256(query.encode()).hexdigest() != wanted:
            raise BadRequest("sha256Hash is not the hash of the query.")
        await self._keep(key, query)
        return query

    async def _recall(self, key: str) -> str:
        try:
            found: bytes | None = await self._redis.call("GET", key)
        except RedisDown:
            found = None
        if found is None:
            raise PersistedQueryNotFound
        return found.decode()

    async def _keep(self, key: str, query: str) -> None:
        if len(query) <= _LONGEST:
            try:
                await self._redis.call("SET", key, query, "EX", _SECONDS)
            except RedisDown:
                return


def _read(asked: Any) -> str:
    try:
        found = msgspec.convert(asked, Hash)
    except msgspec.ValidationError as error:
        raise BadRequest(say("persistedQuery: {error}", error=error)) from error
    if found.version != 1 or len(found.sha256_hash) != 64:
        raise BadRequest("persistedQuery must have version 1 and a SHA-256 hash.")
    return found.sha256_hash.lower()
