"""Asks an edge for objects in order, over connections that stay open, and notes what it says."""

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from insula_simulator.calibration.edge import PATIENCE, CalibrationError, Edge

Ints = npt.NDArray[np.int64]

STATUSES = ("HIT", "MISS", "EXPIRED", "STALE", "UPDATING", "REVALIDATED", "BYPASS", "")
TICKS = 110
"""A second, of what keeps the cache manager awake; it takes one each 10 milliseconds."""
AHEAD = 300
"""So many ticks lie ready, most of them older than the second in which they expire."""
EXPIRED = 1.1
"""Seconds until a tick has expired for certain."""
_HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) .*?\r\nContent-Length: (\d+)\r\n", re.DOTALL)
_STATUS = re.compile(rb"\r\nX-Cache-Status: (\w+)\r\n")
_WORKER = re.compile(rb"\r\nX-Worker: (\d+)")


class Answers(NamedTuple):
    """For each request the place of its status in ``STATUSES``, and the seconds to the last byte of
    its body."""

    statuses: Ints
    seconds: npt.NDArray[np.float64]

    @property
    def hits(self) -> npt.NDArray[np.bool_]:
        hits: npt.NDArray[np.bool_] = self.statuses == STATUSES.index("HIT")
        return hits


class _Asking(asyncio.Protocol):
    """One connection, one request at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.head, self.missing = b"", 0
        self.answer: asyncio.Future[bytes] | None = None

    def ask(self, path: bytes) -> asyncio.Future[bytes]:
        """The answer's head, once its body is over."""
        self.head, self.missing = b"", -1
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(b"GET %s HTTP/1.1\r\nHost: edge\r\n\r\n" % path)
        return self.answer

    def data_received(self, data: bytes) -> None:
        if self.missing < 0:
            self.head += data
            head, end, body = self.head.partition(b"\r\n\r\n")
            if not end:
                return
            about = _HEAD.match(head + b"\r\n")
            if not about or about[1] != b"200":
                self._end(CalibrationError(f"the edge answered {head[:80]!r}"))
                return
            self.head, self.missing, data = head + b"\r\n", int(about[2]), body
        self.missing -= len(data)
        if self.missing == 0 and self.answer and not self.answer.done():
            self.answer.set_result(self.head)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(CalibrationError("the edge closed a connection; is its disk full?"))

    def _end(self, error: Exception) -> None:
        if self.answer and not self.answer.done():
            self.answer.set_exception(error)


def path_of(key: int, size: int) -> bytes:
    return b"/%016x/%d" % (key & (2**64 - 1), size)


async def play(
    edge: Edge,
    keys: Ints,
    sizes: Ints,
    connections: int,
    on_done: Callable[[int], None] = lambda done: None,
) -> Answers:
    """Requests start in their order; with several connections some overtake others.

    Raises:
        CalibrationError: the edge failed.
    """
    answers = Answers(np.empty(len(keys), np.int64), np.empty(len(keys)))
    work = enumerate(zip(keys.tolist(), sizes.tolist(), strict=True))
    asking = [await _connected(edge) for _ in range(connections)]
    async with _closing(asking):
        tasks = [asyncio.create_task(_ask_all(each, work, answers, on_done)) for each in asking]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
    return answers


async def _ask_all(
    connection: _Asking,
    work: Iterator[tuple[int, tuple[int, int]]],
    answers: Answers,
    on_done: Callable[[int], None],
) -> None:
    for number, (key, size) in work:
        started = time.perf_counter()
        head = await connection.ask(path_of(key, size))
        answers.seconds[number] = time.perf_counter() - started
        status = _STATUS.search(head)
        answers.statuses[number] = STATUSES.index(status[1].decode() if status else "")
        if number % 256 == 0:
            on_done(number)


@asynccontextmanager
async def _closing(connections: list[_Asking]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for each in connections:
            each.transport.close()


async def _connected(edge: Edge) -> _Asking:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(_Asking, "127.0.0.1", edge.port)
    return connection


@asynccontextmanager
async def manager_awake(edge: Edge) -> AsyncIterator[None]:
    """As long as it lasts, the cache manager looks at the cache's size each 10 milliseconds."""
    connection = await _connected(edge)
    async with _closing([connection]):
        head = b""
        for number in range(AHEAD):
            head = await connection.ask(b"/tick/%d/1" % number)
    await asyncio.sleep(EXPIRED)
    edge.reload()
    worker = _WORKER.search(head)
    await _gone(int(worker[1]) if worker else 0)
    ticking = asyncio.create_task(_tick(edge))
    try:
        yield
    finally:
        ticking.cancel()
        with suppress(asyncio.CancelledError):
            await ticking


async def _gone(process: int) -> None:
    """Until then connections might still end up with a worker that is about to leave."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return
        await asyncio.sleep(0.02)
    raise CalibrationError("nginx did not reload")


async def _tick(edge: Edge) -> None:
    connection = await _connected(edge)
    async with _closing([connection]):
        started, number = time.monotonic(), 0
        while True:
            while number < (time.monotonic() - started) * TICKS:
                await connection.ask(b"/tick/%d/1" % (AHEAD + number))
                number += 1
            await asyncio.sleep(1 / TICKS)
