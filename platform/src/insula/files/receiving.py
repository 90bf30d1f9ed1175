"""Bodies as they arrive: counted, hashed, looked at, and never whole in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from litestar import Request

from insula.files.digests import Hashes
from insula.files.errors import BodyIncomplete, FileRefused, FileTooLarge
from insula.files.sniffing import HEAD, INSPECTIONS
from insula.http.exchange import exchange_of
from insula.http.problem import BadRequest
from insula.i18n import say

_BATCH = 1 << 20
"""Bytes that are handed on at once: a server gives them in pieces of a few kilobytes."""
_QUICK = 1 << 16
"""Bytes that are hashed sooner than they are handed to a thread."""


def declared_length(request: Request[Any, Any, Any]) -> int | None:
    """``Content-Length``, or None where the body comes in chunks.

    Raises:
        BadRequest: it is not a number.
    """
    header = exchange_of(request.scope).header(b"content-length")
    if not header:
        return None
    if not header.isdigit() or len(header) > 18:
        raise BadRequest("Content-Length must be a number of bytes.")
    return int(header)


async def body_of(request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
    """The body in pieces of about a megabyte.

    Raises:
        BodyIncomplete: the client went away.
        RequestTimeout: the client is too slow.
    """
    expected, received = declared_length(request), 0
    waiting: list[bytes] = []
    size = 0
    more = True
    while more:
        message: Any = await request.receive()
        if message["type"] == "http.disconnect":
            break
        chunk: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        if chunk:
            waiting.append(chunk)
            size += len(chunk)
            received += len(chunk)
        if size >= _BATCH:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
    if more or (expected is not None and received < expected):
        raise BodyIncomplete(say("{received} bytes arrived.", received=received))


class Received:
    """Passes a file's bytes on, and knows their number, hash and beginning afterwards."""

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        hashes: Hashes,
        limit: int,
        grow: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        """``grow`` is told the number of bytes before more than the last number are passed on."""
        self.size = 0
        self.head = b""
        self.hashes = hashes
        self._chunks = chunks
        self._limit = limit
        self._grow = grow

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The bytes.

        Raises:
            FileTooLarge, FileRefused: there are too many, or they begin like something bad.
        """
        async for chunk in self._chunks:
            self.size += len(chunk)
            if self.size > self._limit:
                raise FileTooLarge(say("A file may have {limit} bytes here.", limit=self._limit))
            if self._grow is not None:
                await self._grow(self.size)
            if len(self.head) < HEAD:
                self.head += chunk[: HEAD - len(self.head)]
                self._inspect()
            if len(chunk) < _QUICK:
                self.hashes.update(chunk)
            else:  # a megabyte takes milliseconds, in which nobody else would be served
                await asyncio.to_thread(self.hashes.update, chunk)
            yield chunk

    def _inspect(self) -> None:
        for inspect in INSPECTIONS:
            if reason := inspect(self.head):
                raise FileRefused(reason)
