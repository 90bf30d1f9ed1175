"""A pool of connections, one per bucket login, in which tenants have their places.

PostgreSQL caches a tenant's relations per connection (FACTS: about 20 kB a table), and filling that
cache costs several times what the statement does. So a tenant goes back to the connection that
served it last; one that has none goes to the connection used last (last in, first out keeps few of
them warm), as long as that one has room. When all are full, one more is opened, up to the pool's
size; from then on one is renewed for every so many tenants that found no place, which bounds the
memory. Opening happens in the background: nobody's request waits for it.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import structlog

from insula.db.connection import Connection, open_connection

log = structlog.get_logger("insula.pool")


class PoolExhausted(Exception):
    """No connection became free in time; the caller may try again."""


def _give_up(waiter: asyncio.Future[Connection | None]) -> None:
    if not waiter.done():
        waiter.set_exception(PoolExhausted("every database connection is busy"))


class Pool:
    """At most ``size`` connections of one login; ``acquire`` waits in line for at most ``patience``
    seconds. ``dsn`` may be a function that finds the address out when one is opened; ``pooled``: a
    PgBouncer is there.

    Raises:
        PoolExhausted: from :meth:`acquire`.
    """

    def __init__(
        self,
        dsn: str | Callable[[], Awaitable[str]],
        *,
        size: int,
        tenants: int = 200,
        seconds: float = 1800,
        patience: float = 10.0,
        pooled: bool = False,
    ) -> None:
        self._dsn = dsn
        self._pooled = pooled
        self._size = size
        self._tenants = tenants
        self._seconds = seconds
        self._patience = patience
        self._idle: dict[Connection, None] = {}
        """In the order in which they came back."""
        self._places: dict[str, Connection] = {}
        """Where each tenant was served last."""
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._open = 0
        self._closed = False

    async def acquire(self, role: str) -> Connection:
        """A connection, preferably the one that served ``role`` last."""
        while self._idle:
            connection = self._choose(role)
            del self._idle[connection]
            if not connection.raw.is_closed():
                return self._seat(connection, role)
            self._forget(connection)
            self._open -= 1
        if self._open < self._size:
            self._open += 1
            connection = await self._connect()
        else:
            connection = await self._queue()
        return self._seat(connection, role)

    def _choose(self, role: str) -> Connection:
        place = self._places.get(role)
        if place is not None and place in self._idle:
            return place
        for connection in reversed(self._idle):
            if len(connection.tenants) < self._tenants:
                return connection
        return self._overfill()

    def _overfill(self) -> Connection:
        """None has room: this one has to take another tenant, and something is done about it."""
        connection = next(iter(self._idle))
        if not self._opening:
            if self._open < self._size:
                self._open += 1
                self._start_opening(connection.role)
            else:
                connection.spent = True
        return connection

    def _seat(self, connection: Connection, role: str) -> Connection:
        connection.role = role
        connection.tenants.add(role)
        self._places[role] = connection
        return connection

    def _forget(self, connection: Connection) -> None:
        for role in connection.tenants:
            if self._places.get(role) is connection:
                del self._places[role]

    def _start_opening(self, role: str) -> None:
        """Fill a place that is counted already, in the background."""
        task = asyncio.get_running_loop().create_task(self._add(role))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _add(self, role: str) -> None:
        try:
            connection = await self._connect()
        except Exception as error:  # whoever needs one opens it, and hears what is wrong
            log.warning("no connection opened ahead", error=repr(error))
            return
        try:
            # The first SET ROLE of a login with thousands of roles takes 10 ms and more.
            await connection.raw.fetchval("SELECT set_config('role', $1, true) IS NULL", role)
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
            return await open_connection(dsn, pooled=self._pooled)
        except BaseException:
            self._vacate()
            raise

    async def _queue(self) -> Connection:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Connection | None] = loop.create_future()
        self._waiting.append(waiter)
        timer = loop.call_later(self._patience, _give_up, waiter)
        try:
            connection = await waiter
        except asyncio.CancelledError:
            self._hand_on(waiter)
            raise
        finally:
            timer.cancel()
        return connection if connection is not None else await self._connect()

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
        if self._is_worn(connection):
            self._replace(connection)
            return
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._idle[connection] = None

    def _replace(self, connection: Connection) -> None:
        """Close it; whoever waits opens another, or else it is opened ahead."""
        self._forget(connection)
        connection.raw.terminate()
        self._vacate()
        if not self._opening and self._open < self._size:
            self._open += 1
            self._start_opening(connection.role)

    def discard(self, connection: Connection) -> None:
        """Drop a connection whose state is not known, without waiting."""
        self._forget(connection)
        connection.raw.terminate()
        self._vacate()

    def _vacate(self) -> None:
        """A place goes to the next in line, to open a connection of its own. It stays counted
        meanwhile: whoever comes in between must not take it as well."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._open -= 1

    def _is_worn(self, connection: Connection) -> bool:
        return (
            connection.spent
            or len(connection.tenants) > 1.5 * self._tenants
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
