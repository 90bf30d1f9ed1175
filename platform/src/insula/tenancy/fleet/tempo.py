"""How fast a migration goes: at full speed while nobody is served, aside while somebody is."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import hiredis
import structlog

from insula.http.redis_line import Address, RedisDown, RedisLine
from insula.tenancy.fleet.report import Options

log = structlog.get_logger("insula.fleet")

_LOOK_SECONDS = 0.1
_QUIET_SECONDS = 2.0
"""Without a request until nobody is there."""
_SHARE = 25
"""Percent of its time that the one worker works which goes on beside those who are served …"""
_FEW = 3
"""… and how many tenants it has in one transaction: their tables are locked until its end."""
_CALLS = re.compile(rb"cmdstat_evalsha:calls=(\d+)")


class Audience:
    """Whether anybody is served. Every request, message and live connection is admitted by a script
    in Redis, at web processes of whatever version: Redis counts how often. While that is not known,
    somebody is."""

    def __init__(self, redis_url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_there = True
        self._line = RedisLine(Address(redis_url), ()) if redis_url else None
        self._clock = clock
        self._calls: int | None = None
        self._heard = -_QUIET_SECONDS

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Look again and again, as long as the block takes."""
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
            if self._line is not None:
                await self._line.close()

    async def _watch(self) -> None:
        if self._line is None:
            return
        await self._line.connect()
        while True:
            self.look(await self._count())
            await asyncio.sleep(_LOOK_SECONDS)

    async def _count(self) -> int | None:
        assert self._line is not None
        try:
            found = _CALLS.search(await self._line.call("INFO", "commandstats"))
        except (RedisDown, hiredis.ReplyError):
            return None
        return int(found[1]) if found else 0

    def look(self, calls: int | None) -> None:
        """So many there have been up to now; None if Redis could not be asked."""
        before, self._calls = self._calls, calls
        if calls is None or before is None:
            self.is_there = True
            return
        now = self._clock()
        if calls != before:
            self._heard = now
        is_there = now - self._heard < _QUIET_SECONDS
        if is_there != self.is_there:
            log.debug("somebody is served" if is_there else "nobody is served")
        self.is_there = is_there


class Tempo:
    """Hands out turns to the workers of a migration."""

    def __init__(self, options: Options, audience: Audience) -> None:
        self.aside = 0
        """Turns that were taken beside somebody."""
        self._options = options
        self._audience = audience
        self._one = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[int]:
        """How many tenants to do at once; ends when the worker has rested."""
        options = self._options
        if options.share is not None:
            async with _resting(options.share):
                yield options.batch
        elif self._audience.is_there:
            async with self._one, _resting(_SHARE):
                self.aside += 1
                yield min(options.batch, _FEW)
        else:
            yield options.batch


@asynccontextmanager
async def _resting(share: int) -> AsyncIterator[None]:
    """Rest afterwards, so that what is done takes so many percent of the time."""
    started = time.monotonic()
    yield
    await asyncio.sleep((time.monotonic() - started) * (100 / share - 1))
