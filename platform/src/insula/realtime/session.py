"""One connected client, whatever its transport: what waits for it, what it watches, how it ends."""

import asyncio
import contextlib
import time
from collections import deque
from typing import Any, Protocol

import structlog

from insula.db.ids import new_id
from insula.http.exchange import Exchange
from insula.http.problem import Problem
from insula.realtime import metrics
from insula.realtime.limits import QUEUE_MESSAGES, QUEUE_SIZE, STALL_SECONDS, Close
from insula.realtime.subscription import Subscription
from insula.realtime.wire import Message

log = structlog.get_logger("insula.realtime")


class Transport(Protocol):
    """How messages get to a client."""

    name: str

    async def send(self, message: Message) -> None:
        """Return when the kernel has taken it."""

    async def heartbeat(self) -> None:
        """Show that the connection lives."""

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye."""


class Session:
    """``push`` never waits: what a client does not take in time is its own loss, not that of the
    others. A client whose queue is full is dropped, and comes back to resume from the log."""

    def __init__(self, exchange: Exchange, transport: Transport) -> None:
        self.id = str(new_id())
        self.exchange = exchange
        self.transport = transport
        self.subscriptions: dict[str, Subscription] = {}
        self.began = self.checked = self.idle_since = time.monotonic()
        self.epoch = exchange.tenant.epoch if exchange.tenant else 0
        """The tenant's, when its channels were last authorized."""
        self.ended: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        """Why, once it has."""
        self._queue: deque[Message | None] = deque()  # None: a heartbeat
        self._size = 0
        self._wake = asyncio.Event()
        self._sending_since = 0.0

    def push(self, message: Message) -> None:
        """Have a message sent after those that wait."""
        if self.ended.done():
            return
        self._queue.append(message)
        self._size += message.size
        self._wake.set()
        if len(self._queue) > QUEUE_MESSAGES or self._size > QUEUE_SIZE:
            self.end(Close.TOO_SLOW, "too slow: connect again and resume")

    def beat(self) -> None:
        """Send a heartbeat if nothing else is on its way; notice who takes nothing any more."""
        if not self._queue:
            self._queue.append(None)
            self._wake.set()
        if self._sending_since and time.monotonic() - self._sending_since > STALL_SECONDS:
            self.end(Close.TOO_SLOW, "too slow: connect again and resume")

    def end(self, code: int, reason: str) -> None:
        """End the connection; the first reason stands."""
        if not self.ended.done():
            self.ended.set_result((code, reason))
            self._queue.clear()
            self._wake.set()

    def refuse(self, problem: Problem) -> None:
        """End it because somebody may not be here (any longer)."""
        codes = {401: Close.SIGN_IN, 429: Close.TOO_MANY, 503: Close.INTERNAL, 500: Close.INTERNAL}
        code = codes.get(problem.status, Close.FORBIDDEN)
        self.end(code, (problem.detail or problem.title)[:120])

    async def run(self, reader: asyncio.Task[None]) -> None:
        """Send what is pushed until the session is ended or the client goes, which ends ``reader``;
        then say goodbye."""
        writer = asyncio.get_running_loop().create_task(self._write())
        tasks: set[asyncio.Future[Any]] = {reader, writer, self.ended}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not self.ended.done():
                self._note_failure(reader, writer)
                return
            metrics.ENDED.labels(str(int(self.ended.result()[0]))).inc()
            reader.cancel()  # Granian cannot close while somebody is waiting to receive
            await asyncio.wait({reader})
            # What is being sent now blocks the goodbye: a client that does not read gets a while
            # to read both.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._say_goodbye(writer), STALL_SECONDS)
        finally:
            self.end(Close.NORMAL, "")
            for task in (reader, writer):
                task.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)

    async def _write(self) -> None:
        transport, sent = self.transport, metrics.SENT.labels(self.transport.name)
        count = 0
        while not self.ended.done():
            if not self._queue:
                sent.inc(count)
                count = 0
                self._wake.clear()
                await self._wake.wait()
                continue
            message = self._queue.popleft()
            self._sending_since = time.monotonic()
            if message is None:
                await transport.heartbeat()
            else:
                self._size -= message.size
                await transport.send(message)
                count += 1
            self._sending_since = 0.0

    async def _say_goodbye(self, writer: asyncio.Task[None]) -> None:
        await asyncio.wait({writer})
        code, reason = self.ended.result()
        await self.transport.close(code, reason)

    def _note_failure(self, *tasks: asyncio.Task[None]) -> None:
        """The client has gone; unless that is how it looks when something of ours failed."""
        for task in tasks:
            if task.done() and (error := task.exception()) is not None:
                log.info("live connection broke", error=repr(error), session=self.id)
