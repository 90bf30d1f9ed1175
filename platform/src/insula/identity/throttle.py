"""Slowing down guesses at one account, whether it exists or not."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from insula.http.admission import Policy, admit
from insula.http.problem import TooManyRequests
from insula.http.redis_line import RedisLine
from insula.identity.emails import normalise
from insula.identity.errors import InvalidCredentials


class LoginThrottle:
    """``limit`` failures in fifteen minutes, then one more each ``15 / limit`` minutes.

    It counts per e-mail address *and* client network: a stranger cannot lock somebody out of
    their own network, and an unknown address is throttled like a known one. With Redis down it
    lets pass: argon2 and the address limit remain.
    """

    def __init__(self, redis: RedisLine, limit: int) -> None:
        self._redis = redis
        self._policy = Policy("login", max(1, limit // 15), limit)
        self._in_line: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def attempt(self, tenant: str, email: str, network: str) -> AsyncIterator[None]:
        """Around one check of a password.

        It is counted before, or a thousand guesses sent at once would all pass, and given back
        unless it raised :class:`InvalidCredentials`. In this process one account's attempts take
        turns, so that people who know the password don't use up the count together.

        Raises:
            TooManyRequests: too many failures of late.
        """
        account = _account(tenant, email, network)
        turn = self._in_line.setdefault(account, asyncio.Lock())
        async with turn:
            verdict = await admit(self._redis, self._policy, account)
            if not verdict.allowed:
                raise TooManyRequests(
                    "Too many failed sign-ins with this address.",
                    headers={"Retry-After": str(int(verdict.retry) + 1)},
                )
            try:
                yield
            except InvalidCredentials:
                raise
            except Exception:
                await self._give_back(account)
                raise
            await self._give_back(account)

    async def _give_back(self, account: str) -> None:
        await admit(self._redis, self._policy, account, cost=-1)


def _account(tenant: str, email: str, network: str) -> str:
    """One for all spellings of an address: there are 2**n with full-width letters alone."""
    address = normalise(email, strict=False)
    return hashlib.sha256(f"{tenant}:{address}:{network}".encode()).hexdigest()
