"""A pool of connections, one per bucket login, in which tenants have their places.

PostgreSQL caches a tenant's relations per connection (FACTS: about 20 kB a table), and filling that
cache costs several times what the statement does. So a tenant goes back to the connection that
served it first; one that has none goes to the connection used last (last in, first out keeps few of
them warm), as long as that one has room. When its place is busy, a tenant is a guest where it has
been before or where there is ample room; elsewhere it would fill one more cache, and waits for a
moment instead: most statements take less. When all are full, one more is opened, up to the pool's
size; from then on one is renewed for every so many tenants that found no place, which bounds the
memory. Opening happens in the background: nobody's request waits for it.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import structlog

from insula.db.connection import Connection, open_connection
from insula.db.line import Line, Waiter
from insula.db.places import Places

log = structlog.get_logger("insula.pool")


class PoolExhausted(Exception):
    """No connection became free in time; the caller may try again."""


_MOMENT = 0.01
"""Seconds to wait for a tenant's own connection. A first touch of its tables takes 2 ms, and room
in one more backend for good; where all wait, as the machine is busy, nothing is won by it."""

_SCRIPTS = 400
"""After so many a provisioner's connection is renewed, whatever room there is."""


class Pool:
    """At most ``size`` connections of one login; ``acquire`` waits in line for at most ``patience``
    seconds. ``dsn`` may be a function that finds the address out when one is opened; ``pooled``: a
    PgBouncer is there; ``rehearse`` is what one that is opened ahead does before anybody has it.

    Raises:
        PoolExhausted: from :meth:`acquire`.
    """

    def __init__(
        self,
        dsn: str | Callable[[], Awaitable[str]],
        *,
        size: int,
        tenants: int = 200,
        statements: int = 300,
        seconds: float = 1800,
        patience: float = 10.0,
        pooled: bool = False,
        rehearse: Callable[[Connection], Awaitable[None]] | None = None,
    ) -> None:
        self._dsn = dsn
        self._rehearse = rehearse
        self._pooled = pooled
        self._size = size
        self._statements = statements
        self._seconds = seconds
        self._patience = patience
        self._idle: dict[Connection, None] = {}
        """In the order in which they came back."""
        self._places = Places(tenants)
        self._line = Line()
        self._opening: set[asyncio.Task[None]] = set()
        self._open = 0
        self._closed = False

    async def acquire(self, role: str) -> Connection:
        """A connection, preferably the one that knows ``role``."""
        place = self._places.get(role)
        if place is not None and place in self._idle and self._take(place):
            place.role = role
            return place
        while self._idle:
            connection = self._choose(role)
            if connection is None:
                break
            if self._take(connection):
                return self._places.seat(connection, role)
        if not self._idle and self._open < self._size:
            self._open += 1
            connection = await self._connect()
        else:
            connection = await self._wait(role)
        return self._places.seat(connection, role)

    def _take(self, connection: Connection) -> bool:
        """Whether it can be used."""
        del self._idle[connection]
        if not connection.raw.is_closed():
            return True
        self._forget(connection)
        self._open -= 1
        return False

    def _choose(self, role: str) -> Connection | None:
        """For who has no place, or a busy one; None: it is better to wait for it."""
        if role in self._places:
            return self._places.as_guest(role, self._idle)
        return self._places.with_room(self._idle) or self._overfill()

    def _overfill(self) -> Connection:
        """None that is idle has room: this one has to take another tenant. Something is done about
        it if it isn't only that one with room is busy just now: to renew this one for that would
        send all of its tenants looking for a place, who would meet another one that is busy."""
        connection = next(iter(self._idle))
        if not self._opening and self._places.are_taken(self._open):
            if self._open < self._size:
                self._open += 1
                self._start_opening(connection.role)
            else:
                connection.spent = True
        return connection

    def _forget(self, connection: Connection) -> None:
        self._places.forget(connection)
        self._line.forget(connection)

    def _start_opening(self, role: str) -> asyncio.Task[None]:
        """Fill a place that is counted already, in the background."""
        task = asyncio.get_running_loop().create_task(self._add(role))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        return task

    async def _add(self, role: str) -> None:
        try:
            connection = await self._connect()
        except Exception as error:  # whoever needs one opens it, and hears what is wrong
            log.warning("no connection opened ahead", error=repr(error))
            return
        try:
            # The first SET ROLE of a login with thousands of roles takes 10 ms and more.
            await connection.raw.fetchval("SELECT set_config('role', $1, true) IS NULL", role)
            if self._rehearse is not None:
                await self._rehearse(connection)
        except asyncpg.PostgresError:
            self.release(connection)  # the tenant is gone
        except BaseException:
            self.discard(connection)
            raise
        else:
            self.release(connection)

    async def _connect(self) -> Connection:
        """Fill a place that is counted already."""
        try:
            dsn = self._dsn if isinstance(self._dsn, str) else await self._dsn()
            connection = await open_connection(
                dsn, pooled=self._pooled, statements=self._statements
            )
            # Those that were opened together are not all to be renewed together.
            connection.born -= random.random() * self._seconds / 4  # noqa: S311
            return connection
        except BaseException:
            self._vacate()
            raise

    async def _wait(self, role: str) -> Connection:
        loop = asyncio.get_running_loop()
        waiter = Waiter(role, self._places.get(role))
        self._line.join(waiter)
        exhausted = PoolExhausted("every database connection is busy")
        timers = [loop.call_later(self._patience, waiter.refuse, exhausted)]
        if waiter.place is not None:
            timers.append(loop.call_later(_MOMENT, self._settle, waiter))
        try:
            connection = await waiter.future
        except asyncio.CancelledError:
            self._hand_on(waiter.future)
            raise
        finally:
            self._line.leave(waiter)
            for timer in timers:
                timer.cancel()
        return connection if connection is not None else await self._connect()

    def _settle(self, waiter: Waiter) -> None:
        """Its place did not come back in time: whatever there is will do."""
        waiter.place = None
        while self._idle and not waiter.future.done():
            emptiest = min(self._idle, key=lambda each: len(each.tenants))
            if self._take(emptiest):
                waiter.give(emptiest)
        if self._open < self._size and not waiter.future.done():
            self._open += 1
            waiter.give(None)

    def _hand_on(self, waiter: asyncio.Future[Connection | None]) -> None:
        """What a waiter was given in the moment in which it went away is the next one's."""
        if waiter.cancelled() or waiter.exception() is not None:
            return
        if (given := waiter.result()) is not None:
            self.release(given)
        else:
            self._vacate()

    def release(self, connection: Connection) -> None:
        """Give a connection back; a worn-out or broken one is replaced."""
        if self._closed or connection.raw.is_closed():
            self.discard(connection)
            return
        if self._is_worn(connection) or (self._is_old(connection) and not self._stays(connection)):
            self._replace(connection)
            return
        if (waiter := self._line.next(connection)) is not None:
            waiter.give(connection)
        else:
            self._idle[connection] = None

    def _replace(self, connection: Connection) -> None:
        """Close it; whoever waits opens another, or else it is opened ahead."""
        self._forget(connection)
        connection.raw.terminate()
        self._vacate()
        if connection.successor is None and not self._opening and self._open < self._size:
            self._open += 1
            self._start_opening(connection.role)

    def _stays(self, connection: Connection) -> bool:
        """Whether an old one serves on: until another has been opened, where there is room for it;
        nobody's request waits for that."""
        if connection.successor is not None:
            return not connection.successor.done()
        if not self._opening and self._open < self._size:
            self._open += 1
            connection.successor = self._start_opening(connection.role)
        return bool(self._opening)

    def discard(self, connection: Connection) -> None:
        """Drop a connection whose state is not known, without waiting."""
        self._forget(connection)
        connection.raw.terminate()
        self._vacate()

    def _vacate(self) -> None:
        """A place goes to the next in line, to open a connection of its own. It stays counted
        meanwhile: whoever comes in between must not take it as well."""
        if (waiter := self._line.next(None)) is not None:
            waiter.give(None)
        else:
            self._open -= 1

    def _is_worn(self, connection: Connection) -> bool:
        return connection.spent or self._places.is_overfull(connection)

    def _is_old(self, connection: Connection) -> bool:
        return (
            connection.scripts > min(_SCRIPTS, 2 * self._places.room)
            or time.monotonic() - connection.born > self._seconds
        )

    @contextlib.asynccontextmanager
    async def connection(self, role: str = "") -> AsyncIterator[Connection]:
        connection = await self.acquire(role)
        try:
            yield connection
        except asyncpg.PostgresError:
            self.release(connection)
            raise
        except BaseException:
            self.discard(connection)
            raise
        else:
            self.release(connection)

    async def close(self) -> None:
        """Close what is idle now and the rest as it comes back."""
        self._closed = True
        for task in list(self._opening):
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        idle, self._idle = self._idle, {}
        for connection in idle:
            self._open -= 1
            with contextlib.suppress(Exception):
                await connection.raw.close(timeout=2)
