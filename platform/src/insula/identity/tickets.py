"""Tickets: what a browser puts into a URL where it cannot send a header (WebSocket, EventSource).

An access token in a URL ends up in logs and histories. A ticket is worth one connection within half
a minute, and nothing afterwards.
"""

import hashlib
import secrets

import hiredis
import msgspec

from insula.http.problem import Unauthenticated, Unavailable
from insula.http.redis_line import RedisDown, RedisLine
from insula.identity.tokens import Claims

SECONDS = 30
"""How long a ticket may be used."""


class TicketRejected(Unauthenticated):
    """A ticket opens one connection within 30 seconds: get another at ``POST
    /api/v1/realtime/tickets``."""

    status, slug, title = 401, "ticket-rejected", "The ticket is used, expired or unknown"


class Tickets:
    """Issued against an access token, whose claims they stand for."""

    def __init__(self, redis: RedisLine) -> None:
        self._redis = redis

    async def issue(self, claims: Claims) -> str:
        """A new ticket.

        Raises:
            Unavailable: Redis is down.
        """
        ticket = secrets.token_urlsafe(24)
        await self._call("SET", _key(ticket), msgspec.json.encode(claims), "EX", str(SECONDS))
        return ticket

    async def claims_of(self, ticket: str) -> Claims:
        """Spend a ticket.

        Raises:
            TicketRejected, Unavailable: see there.
        """
        kept = await self._call("GETDEL", _key(ticket))
        if kept is None:
            raise TicketRejected
        return msgspec.json.decode(kept, type=Claims)

    async def _call(self, *command: str | bytes) -> bytes | None:
        try:
            answer: bytes | None = await self._redis.call(*command)
        except (RedisDown, hiredis.ReplyError) as error:
            raise Unavailable("Tickets cannot be checked right now.") from error
        return answer


def _key(ticket: str) -> str:
    return f"ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"
