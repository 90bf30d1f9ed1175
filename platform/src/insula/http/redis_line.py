"""The gate's connection to Redis: one socket, every request's command pipelined on it.

redis-py costs about as much CPU a command as a whole request here; this line costs a tenth, since
requests of the same loop turn share one write and hiredis parses the answers (RESP). Everything
off the hot path uses redis-py.
"""

import asyncio
import contextlib
import time
from collections import deque
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis


class RedisDown(Exception):
    """Redis cannot be asked now; the caller has a policy for that."""


def _pack(command: tuple[str | bytes | int | float, ...]) -> bytes:
    packed: bytes = hiredis.pack_command(cast(Any, command))
    return packed


class Address:
    """Where Redis is: ``redis://[user:password@]host:port/db`` or ``unix:///path?db=0``."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("redis", "rediss", "unix"):
            raise ValueError(f"INSULA_REDIS_URL: unknown scheme {parts.scheme!r}")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.path = parts.path if parts.scheme == "unix" else None
        self.host = parts.hostname or "127.0.0.1"
        self.port = parts.port or 6379
        self.tls = parts.scheme == "rediss"
        self.username = unquote(parts.username or query.get("username", ""))
        self.password = unquote(parts.password or query.get("password", ""))
        database = query.get("db") or (parts.path.strip("/") if self.path is None else "")
        self.database = int(database or 0)

    def greeting(self) -> list[bytes]:
        """Commands that open a connection."""
        commands: list[bytes] = []
        if self.password:
            login = (self.username, self.password) if self.username else (self.password,)
            commands.append(_pack(("AUTH", *login)))
        if self.database:
            commands.append(_pack(("SELECT", str(self.database))))
        return commands


class RedisLine(asyncio.Protocol):
    """A self-healing pipelined connection.

    ``scripts`` are loaded on every connect. A command that gets no answer within ``patience``
    seconds takes the connection down and everything on it fails with :class:`RedisDown`.
    """

    def __init__(self, address: Address, scripts: tuple[str, ...], patience: float = 0.5) -> None:
        self._address = address
        self._scripts = scripts
        self._patience = patience
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self._pending: deque[tuple[float, asyncio.Future[Any] | None]] = deque()
        self._outgoing: list[bytes] = []
        self._task: asyncio.Task[None] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop
        self._retry_at = 0.0

    @property
    def is_up(self) -> bool:
        return self._transport is not None

    async def connect(self) -> None:
        """Open the line; a failure is not raised, the line keeps trying when it is used."""
        self._loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError, RedisDown, TimeoutError):
            await asyncio.wait_for(self._open(), self._patience * 4)

    async def _open(self) -> None:
        address = self._address
        if address.path is not None:
            await self._loop.create_unix_connection(lambda: self, address.path)
        else:
            await self._loop.create_connection(
                lambda: self, address.host, address.port, ssl=True if address.tls else None
            )
        for script in self._scripts:
            await self._send(_pack(("SCRIPT", "LOAD", script)))

    def call(self, *command: str | bytes | int | float) -> asyncio.Future[Any]:
        """Send a command; the future is its answer.

        Raises:
            RedisDown: there is no connection (from here), or it broke (from the future).
        """
        if self._transport is None:
            self._reconnect()
            raise RedisDown
        return self._send(_pack(command))

    def _send(self, packed: bytes) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(packed)
        self._pending.append((time.monotonic(), future))
        if self._watch is None:
            self._watch = self._loop.call_later(self._patience, self._check)
        return future

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if self._transport is not None and outgoing:
            self._transport.write(b"".join(outgoing))

    def _check(self) -> None:
        self._watch = None
        if not self._pending:
            return
        age = time.monotonic() - self._pending[0][0]
        if age >= self._patience:
            if self._transport is not None:
                self._transport.abort()
            self._fail()
        else:
            self._watch = self._loop.call_later(self._patience - age, self._check)

    def _reconnect(self) -> None:
        if self._task is not None and not self._task.done():
            return
        if time.monotonic() < self._retry_at:
            return
        self._retry_at = time.monotonic() + 0.25
        self._task = self._loop.create_task(self.connect())

    def _fail(self) -> None:
        self._transport = None
        self._outgoing.clear()
        pending, self._pending = self._pending, deque()
        for _, future in pending:
            if future is not None and not future.done():
                future.set_exception(RedisDown())
                future.exception()  # the caller may have gone away meanwhile

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
        if self._transport is not None:
            self._transport.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._reader = hiredis.Reader()
        self._transport = cast(asyncio.Transport, transport)
        for packed in self._address.greeting():
            self._pending.append((time.monotonic(), None))
            self._transport.write(packed)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        pending = self._pending
        while (answer := self._reader.gets()) is not False and pending:
            future = pending.popleft()[1]
            if future is None or future.done():
                continue
            if isinstance(answer, hiredis.ReplyError):
                future.set_exception(answer)
                future.exception()
            else:
                future.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail()
