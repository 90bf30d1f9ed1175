"""Many WebSocket clients in one process, which cost little: frames are counted, never decoded."""

import asyncio
import base64
import os
import struct
import time
from typing import Self

_CONNECTING = 50
"""Handshakes under way at once."""


class Watcher(asyncio.Protocol):
    """One client (RFC 6455). ``arrivals`` has the time of each text frame that contains
    ``marker``."""

    def __init__(self, request: bytes, marker: bytes) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.arrivals: list[float] = []
        self._request = request
        self._marker = marker
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        buffer = self._buffer
        buffer += data
        if not self.opened.done():
            head, found, rest = bytes(buffer).partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head.split(b"\r\n", 1)[0]:
                self.opened.set_exception(ConnectionError(head.decode("latin-1")))
                return
            self.opened.set_result(None)
            self._buffer = buffer = bytearray(rest)
        while (frame := take_frame(buffer)) is not None:
            if self._marker in frame:
                self.arrivals.append(now)

    def send(self, text: bytes) -> None:
        """A text frame, masked with zeros (a client has to mask)."""
        assert self._transport is not None
        size = len(text)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
        self._transport.write(b"\x81" + length + b"\0\0\0\0" + text)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def take_frame(buffer: bytearray) -> bytes | None:
    """Cut the first whole frame off the buffer: its payload."""
    if len(buffer) < 2:
        return None
    size, start = buffer[1] & 0x7F, 2
    if size == 126:
        if len(buffer) < 4:
            return None
        size, start = struct.unpack_from(">H", buffer, 2)[0], 4
    if len(buffer) < start + size:
        return None
    payload = bytes(buffer[start : start + size])
    del buffer[: start + size]
    return payload


class Crowd:
    """``async with Crowd(port, path, headers, 1000, marker) as crowd:``"""

    def __init__(
        self, port: int, path: str, headers: dict[str, str], count: int, marker: bytes
    ) -> None:
        self.watchers: list[Watcher] = []
        self._port = port
        self._request = _handshake(port, path, headers)
        self._count = count
        self._marker = marker

    async def __aenter__(self) -> Self:
        turn = asyncio.Semaphore(_CONNECTING)

        async def connect() -> None:
            async with turn:
                _, watcher = await asyncio.get_running_loop().create_connection(
                    lambda: Watcher(self._request, self._marker), "127.0.0.1", self._port
                )
                self.watchers.append(watcher)
                await watcher.opened

        await asyncio.gather(*(connect() for _ in range(self._count)))
        return self

    async def __aexit__(self, *_: object) -> None:
        for watcher in self.watchers:
            watcher.close()

    async def have(self, count: int, seconds: float = 60) -> None:
        """Return once everybody has so many messages.

        Raises:
            TimeoutError: somebody does not.
        """
        deadline = time.monotonic() + seconds
        while any(len(watcher.arrivals) < count for watcher in self.watchers):
            if time.monotonic() > deadline:
                raise TimeoutError
            await asyncio.sleep(0.002)

    def forget(self) -> None:
        for watcher in self.watchers:
            watcher.arrivals.clear()


def _handshake(port: int, path: str, headers: dict[str, str]) -> bytes:
    lines = {
        "Host": f"127.0.0.1:{port}",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"GET {path} HTTP/1.1\r\n{head}\r\n".encode()
