"""Reading a request body, and refusing what no JSON parser should have to see."""

import asyncio
import re
from contextlib import suppress
from itertools import accumulate
from typing import Any, cast

from litestar.types import Receive

from insula.http.problem import (
    BadRequest,
    ContentTooLarge,
    FieldError,
    InvalidInput,
    RequestTimeout,
)
from insula.i18n import say

MAX_DEPTH = 64
_GRACE = 15.0
"""Seconds that a body may take …"""
_SLOWEST = 16_384
"""… and a second more for each so many bytes of it."""
_LINGER_BYTES = 1 << 20
"""What is read of a body that nobody wants …"""
_LINGER_SECONDS = 2.0
"""… and for how long."""
_NUL_ESCAPE = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class ClientDisconnected(Exception):
    """The client went away before its body was complete; there is nobody to answer."""


class Unread:
    """Passes a body on, and can read what was left of it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ended = False

    async def receive(self) -> Any:
        message = await self._receive()
        self._ended = not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Before an answer that came early: a connection that is closed on bytes nobody has read
        is reset, and the client may lose the answer with it (RFC 9112, section 9.6)."""
        size = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while not self._ended and size < _LINGER_BYTES:
                    message = await self.receive()
                    size += len(message.get("body", b""))


async def read_body(receive: Receive, declared: bytes | None, limit: int) -> bytes:
    """The whole body.

    Raises:
        ContentTooLarge: more than ``limit`` bytes, declared or sent.
        BadRequest: ``Content-Length`` is not a number.
        RequestTimeout: it did not arrive in time.
        ClientDisconnected: the client closed the connection first.
    """
    if declared is not None:
        if not declared.isdigit():
            raise BadRequest("Content-Length must be a number of bytes.")
        if int(declared) > limit:
            raise too_large(limit)
    receive = paced(receive)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        chunk = cast(bytes, message.get("body", b""))
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def paced(receive: Receive) -> Receive:
    """``receive`` for a body that keeps coming. A server has only so many connections, and one that
    waits for a byte a minute costs its client nothing.

    Raises:
        RequestTimeout: the body is late, from ``receive``.
    """
    deadline = asyncio.get_running_loop().time() + _GRACE
    complete = False

    async def receive_in_time() -> Any:
        nonlocal deadline, complete
        if complete:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError as error:
            raise RequestTimeout from error
        deadline += len(cast(bytes, message.get("body", b""))) / _SLOWEST
        complete = not message.get("more_body", False)
        return message

    return receive_in_time


def too_large(limit: int) -> ContentTooLarge:
    return ContentTooLarge(say("This route takes at most {limit} bytes.", limit=limit))


def check_json(body: bytes) -> None:
    """Refuse nesting that exhausts a stack, and U+0000, which PostgreSQL cannot store.

    Raises:
        BadRequest: the body is nested too deeply, or it is not UTF-8.
        InvalidInput: a string contains U+0000.
    """
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _depth(body) > MAX_DEPTH:
        raise BadRequest(
            say("JSON may be nested at most {max_depth} levels deep.", max_depth=MAX_DEPTH)
        )
    if not body.isascii():
        _check_utf8(body)
    if b"\\u0000" in body and _NUL_ESCAPE.search(body):
        raise InvalidInput(errors=(FieldError("", "The character U+0000 is not allowed."),))


def _check_utf8(body: bytes) -> None:
    """msgspec meets a bad byte inside a string with an error that is none of its own."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(
            say("JSON is UTF-8 (RFC 8259); byte {start} is not.", start=error.start)
        ) from error


# A string that is never closed ends with the body: were it no match, every quote in it would be
# tried as the start of another one, which takes hours for a few megabytes of \\".
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # one up, or as a signed byte one down
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _depth(body: bytes) -> int:
    """How deep the brackets outside strings nest. In C throughout: going from bracket to bracket
    in Python keeps the event loop for two seconds when there are millions of them."""
    steps = _STRING.sub(b"", body).translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b")), default=0)
