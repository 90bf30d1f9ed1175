"""One JSON line per request, buffered for a fifth of a second."""

import asyncio
import sys
import time
from typing import Any, BinaryIO

import msgspec


class Line(msgspec.Struct, omit_defaults=True):
    time: float
    method: str
    path: str
    status: int
    ms: float
    bytes: int
    address: str
    trace_id: str
    tenant: str = ""
    user: str = ""


class AccessLog:
    """Writes to standard output; query strings are left out, since they carry people's searches."""

    def __init__(self, stream: BinaryIO | None = None, seconds: float = 0.2) -> None:
        self._stream = stream or sys.stdout.buffer
        self._seconds = seconds
        self._lines: list[bytes] = []
        self._encode = msgspec.json.Encoder().encode

    def write(self, exchange: Any, seconds: float) -> None:
        tenant = exchange.tenant
        line = Line(
            round(time.time(), 3),
            exchange.method,
            exchange.path,
            exchange.status,
            round(seconds * 1000, 2),
            exchange.answer_bytes,
            exchange.address,
            exchange.trace_id,
            tenant.slug if tenant is not None else "",
            exchange.user,
        )
        if not self._lines:
            asyncio.get_running_loop().call_later(self._seconds, self.flush)
        self._lines.append(self._encode(line))

    def flush(self) -> None:
        if self._lines:
            self._lines.append(b"")
            self._stream.write(b"\n".join(self._lines))
            self._stream.flush()
            self._lines.clear()
