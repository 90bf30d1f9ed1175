"""A last-in-first-out pool of connections, one per bucket login.

Last in, first out keeps few connections warm, and a tenant prefers the connection that served it
last: PostgreSQL caches a tenant's relations per connection (FACTS: about 20 kB a table), so
affinity halves the cost of many tenants and recycling bounds the memory.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import msgspec

from insula.db import wire

# Types that asyncpg has to ask the server for. It asks through set_config, which a tenant's role
# may not call: they are asked for on connect, as the login itself.
_WARM = "SELECT $1::text[], $2::uuid[], $3::int[], $4::bigint[], $5::timestamptz[], $6::tsvector"


class PoolExhausted(Exception):
    """No connection became free in time; the caller may try again."""


class Connection:
    """A pooled connection and what it needs to know of itself."""

    __slots__ = ("born", "raw", "spent", "tenants", "transport")

    def __init__(self, raw: asyncpg.Connection, transport: wire.BindingTransport) -> None:
        self.raw = raw
        self.transport = transport
        self.born = time.monotonic()
        self.tenants: dict[str, None] = {}
        self.spent = False
        """Whether something ran on it that may have left a trace in the session."""

    @property
    def last_role(self) -> str | None:
        return next(reversed(self.tenants), None)

    def touch(self, role: str) -> None:
        if role in self.tenants:
            del self.tenants[role]
        self.tenants[role] = None


async def open_connection(dsn: str) -> Connection:
    """Connect, warm the types and register the JSON codec."""
    raw, transport = await wire.connect(dsn, server_settings={"application_name": "insula"})
    for name in ("jsonb", "json"):
        await raw.set_type_codec(
            name,
            schema="pg_catalog",
            encoder=lambda value: msgspec.json.encode(value).decode(),
            decoder=msgspec.json.decode,
        )
    await raw.prepare(_WARM)
    return Connection(raw, transport)


def _give_up(waiter: asyncio.Future[Connection | None]) -> None:
    if not waiter.done():
        waiter.set_exception(PoolExhausted("every database connection is busy"))


class Pool:
    """At most ``size`` connections of one login; ``acquire`` waits in line for at most ``patience``
    seconds. ``dsn`` may be a function that finds the address out when one is opened.

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
    ) -> None:
        self._dsn = dsn
        self._size = size
        self._tenants = tenants
        self._seconds = seconds
        self._patience = patience
        self._idle: list[Connection] = []
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._open = 0
        self._closed = False

    async def acquire(self, role: str) -> Connection:
        """A connection, preferably the one that served ``role`` last."""
        while self._idle:
            connection = self._take(role)
            if not connection.raw.is_closed():
                connection.touch(role)
                return connection
            self._open -= 1
        if self._open < self._size:
            self._open += 1
            connection = await self._connect()
        else:
            connection = await self._queue()
        connection.touch(role)
        return connection

    def _take(self, role: str) -> Connection:
        idle = self._idle
        if idle[-1].last_role == role or len(idle) == 1:
            return idle.pop()
        for index in range(len(idle) - 2, -1, -1):
            if idle[index].last_role == role:
                return idle.pop(index)
        return idle.pop()

    async def _connect(self) -> Connection:
        """Fill a place that is counted already."""
        try:
            dsn = self._dsn if isinstance(self._dsn, str) else await self._dsn()
            return await open_connection(dsn)
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
        if self._closed or connection.raw.is_closed() or self._is_worn(connection):
            self.discard(connection)
            return
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._idle.append(connection)

    def discard(self, connection: Connection) -> None:
        """Drop a connection whose state is not known, without waiting."""
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
            or len(connection.tenants) > self._tenants
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
        idle, self._idle = self._idle, []
        for connection in idle:
            self._open -= 1
            with contextlib.suppress(Exception):
                await connection.raw.close(timeout=2)
