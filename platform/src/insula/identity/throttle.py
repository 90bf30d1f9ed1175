"""Slowing down guesses at one account, whether it exists or not."""

import hashlib

from insula.http.admission import Policy, admit
from insula.http.problem import TooManyRequests
from insula.http.redis_line import RedisLine


class LoginThrottle:
    """``limit`` failures in fifteen minutes, then one more each ``15 / limit`` minutes.

    It counts per e-mail address *and* client network: a stranger cannot lock somebody out of
    their own network, and an unknown address is throttled like a known one. With Redis down it
    lets pass: argon2 and the address limit remain.
    """

    def __init__(self, redis: RedisLine, limit: int) -> None:
        self._redis = redis
        self._policy = Policy("login", max(1, limit // 15), limit)

    async def check(self, tenant: str, email: str, network: str) -> str:
        """Look before the password is checked; the bucket for :meth:`count`.

        Raises:
            TooManyRequests: too many failures of late.
        """
        account = hashlib.sha256(f"{tenant}:{email.casefold()}:{network}".encode()).hexdigest()
        verdict = await admit(self._redis, self._policy, account, cost=0)
        if not verdict.down and verdict.remaining < 1:
            wait = str(max(1, int(verdict.reset / self._policy.burst) + 1))
            raise TooManyRequests(
                "Too many failed sign-ins with this address.", headers={"Retry-After": wait}
            )
        return account

    async def count(self, account: str) -> None:
        """A failure."""
        await admit(self._redis, self._policy, account)
