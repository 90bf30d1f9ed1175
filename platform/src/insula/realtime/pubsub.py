"""The one connection of a process on which it hears what is published (Redis Pub/Sub, RESP2).

Pub/Sub forgets: whoever was away has missed it. So this line never reconnects in silence: it says
that it was away, and :mod:`insula.realtime.hub` reads the logs.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, cast

import hiredis

from insula.http.redis_line import Address, RedisDown

_PING_SECONDS = 5.0
_SILENCE_SECONDS = 15.0
"""Without a sign of life, not even a pong, the connection is taken for dead."""
_PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0)


class PubSubLine(asyncio.Protocol):
    """Keeps itself connected. ``on_message(name, payload)`` is called for each message,
    ``on_back()`` once the line is connected again and everything is subscribed to."""

    def __init__(
        self,
        address: Address,
        on_message: Callable[[str, bytes], None],
        on_back: Callable[[], None],
    ) -> None:
        self._address = address
        self._on_message = on_message
        self._on_back = on_back
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self._names: set[str] = set()
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self._heard = 0.0

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._stay_connected())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._transport is not None:
            self._transport.abort()

    async def subscribe(self, name: str) -> None:
        """Return once whatever is published from now on is heard.

        Raises:
            RedisDown: not within a few seconds.
        """
        self._names.add(name)
        future = self._waiting.get(name)
        if future is None:
            future = self._waiting[name] = asyncio.get_running_loop().create_future()
        self._write("SUBSCRIBE", name)
        try:
            await asyncio.wait_for(asyncio.shield(future), 3)
        except TimeoutError as error:
            raise RedisDown from error

    def unsubscribe(self, name: str) -> None:
        self._names.discard(name)
        self._waiting.pop(name, None)
        self._write("UNSUBSCRIBE", name)

    def _write(self, *command: str) -> None:
        if self._transport is not None:  # or it is sent when there is one
            self._transport.write(cast(bytes, hiredis.pack_command(cast(Any, command))))

    async def _stay_connected(self) -> None:
        failures = 0
        while True:
            try:
                await asyncio.wait_for(self._open(), 3)
                await self._resume()
            except (OSError, TimeoutError, RedisDown):
                if self._transport is not None:
                    self._transport.abort()
                await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1
                continue
            failures = 0
            await self._watch()

    async def _open(self) -> None:
        loop, address = asyncio.get_running_loop(), self._address
        if address.path is not None:
            await loop.create_unix_connection(lambda: self, address.path)
        else:
            tls = True if address.tls else None
            await loop.create_connection(lambda: self, address.host, address.port, ssl=tls)

    async def _resume(self) -> None:
        """Subscribe to everything again, then tell that something may have been missed."""
        loop = asyncio.get_running_loop()
        futures = []
        for name in self._names:
            future = self._waiting.get(name)
            if future is None:
                future = self._waiting[name] = loop.create_future()
            futures.append(future)
            self._write("SUBSCRIBE", name)
        if futures:
            done, pending = await asyncio.wait(futures, timeout=10)
            if pending or not done:
                raise RedisDown
        self._on_back()

    async def _watch(self) -> None:
        """Return when the connection is lost, or has been silent for too long."""
        while not self._lost.is_set():
            self._write("PING")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._lost.wait(), _PING_SECONDS)
            if time.monotonic() - self._heard > _SILENCE_SECONDS and self._transport is not None:
                self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._reader = hiredis.Reader()
        self._transport = cast(asyncio.Transport, transport)
        self._heard = time.monotonic()
        self._lost.clear()
        for packed in self._address.greeting():
            self._transport.write(packed)

    def data_received(self, data: bytes) -> None:
        self._heard = time.monotonic()
        self._reader.feed(data)
        while (answer := self._reader.gets()) is not False:
            if not isinstance(answer, list):
                continue  # the greeting's answers, and a pong while nothing is subscribed to
            kind = answer[0]
            if kind == b"message":
                self._on_message(answer[1].decode(), answer[2])
            elif kind == b"subscribe":
                future = self._waiting.pop(answer[1].decode(), None)
                if future is not None and not future.done():
                    future.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._lost.set()
