"""WebSockets: admitted like requests, refused with a status, counted and logged.

A browser cannot send headers with a WebSocket, so a token may come as a subprotocol beside the real
one (``Sec-WebSocket-Protocol: insula.v1, bearer.<access token>``) or as ``?ticket=``; a handler may
also let its client show one in a message. There are no cookies, hence nothing that a page of
another origin could use: ``Origin`` is not looked at, as CORS is open for the rest.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from litestar.types import ASGIApp, Receive, Scope, Send

from insula.http.address import client_address
from insula.http.door import Door
from insula.http.drain import Drain
from insula.http.errors import to_problem
from insula.http.exchange import KEY, Exchange, refusal
from insula.http.problem import BadRequest, Problem, Unavailable
from insula.telemetry import metrics
from insula.telemetry.access_log import AccessLog
from insula.telemetry.tracing import new_trace_id

_BEARER = "bearer."


class Gone(Exception):
    """The client has closed the connection, or it broke."""


class Socket:
    """One WebSocket, from the handshake on."""

    def __init__(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        self._exchange = exchange
        self._receive = receive
        self._send = send
        self.is_open = False
        """Accepted, and not closed from here."""

    async def accept(self, subprotocol: str | None = None) -> None:
        self.is_open = True
        self._exchange.status = 101
        await self._send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": []})

    async def receive(self) -> str | bytes:
        """The next message.

        Raises:
            Gone: there is none.
        """
        message: Any = await self._receive()
        if message["type"] != "websocket.receive":
            self.is_open = False
            raise Gone
        text: str | None = message.get("text")
        return message["bytes"] if text is None else text

    async def send(self, text: str) -> None:
        """Send a message; returns when the kernel has taken it, so a slow client makes it wait."""
        self._exchange.answer_bytes += len(text)
        await self._send({"type": "websocket.send", "bytes": None, "text": text})

    async def close(self, code: int, reason: str) -> None:
        """End it. ``reason`` has at most 123 bytes (RFC 6455, section 5.5).

        Nobody may be waiting in :meth:`receive`: Granian would wait for it to return, and so for
        the client. Cancel it first.
        """
        if self.is_open:
            self.is_open = False
            await self._send({"type": "websocket.close", "code": code, "reason": reason})


Handler = Callable[[Exchange, Socket], Awaitable[None]]
"""Answers one WebSocket that has been admitted; it accepts, or raises a Problem instead."""


class Sockets:
    """The scope ``websocket``: ``handlers`` by path, the rest is the application's."""

    def __init__(
        self,
        app: ASGIApp,
        door: Door,
        *,
        handlers: Mapping[str, Handler],
        drain: Drain,
        trusted: frozenset[str],
        access_log: AccessLog | None,
    ) -> None:
        self._app = app
        self._door = door
        self._handlers = handlers
        self._drain = drain
        self._trusted = trusted
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope)
        exchange.trace_id = new_trace_id()
        socket = Socket(exchange, receive, send)
        metrics.SOCKETS.inc()
        try:
            await receive()  # websocket.connect
            await self._admit(exchange)
            await self._serve(exchange, socket, receive, send)
        except Gone:
            pass
        except Exception as error:
            await self._refuse(exchange, socket, send, to_problem(error))
        finally:
            metrics.SOCKETS.dec()
            self._observe(exchange)

    async def _admit(self, exchange: Exchange) -> None:
        scope: Any = exchange.scope
        scope[KEY] = exchange
        exchange.address = client_address(scope, self._trusted)
        if self._drain.active:
            raise Unavailable("This replica is about to end: connect again.")
        if "\0" in exchange.path or b"%00" in scope["query_string"]:
            raise BadRequest("U+0000 is not allowed in a URL.")
        offered = list(scope.get("subprotocols", ()))
        tokens = [name[len(_BEARER) :] for name in offered if name.startswith(_BEARER)]
        scope["subprotocols"] = [name for name in offered if not name.startswith(_BEARER)]
        if tokens and b"authorization" not in exchange.headers:
            exchange.headers[b"authorization"] = b"Bearer " + tokens[0].encode("latin-1", "replace")
        exchange.ticket = ticket_of(exchange)
        await self._door.admit(exchange)

    async def _serve(
        self, exchange: Exchange, socket: Socket, receive: Receive, send: Send
    ) -> None:
        handler = self._handlers.get(exchange.path)
        if handler is not None:
            await handler(exchange, socket)
            return
        connected = False

        async def from_start() -> Any:
            nonlocal connected
            if connected:
                return await receive()
            connected = True
            return {"type": "websocket.connect"}

        async def watched(message: Any) -> None:
            if message["type"] == "websocket.accept":
                socket.is_open = True
                exchange.status = 101
            await send(message)

        await self._app(exchange.scope, from_start, watched)

    async def _refuse(
        self, exchange: Exchange, socket: Socket, send: Any, problem: Problem
    ) -> None:
        """Before the handshake with a status (the ASGI extension "WebSocket Denial Response"),
        after it with a close code."""
        if exchange.status == 101:
            with_status = 4000 + problem.status if problem.status < 500 else 1011
            await socket.close(with_status, problem.title[:120])
            return
        status, media_type, body = refusal(exchange, problem)
        exchange.status = status
        headers = [
            (b"content-type", media_type.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"insula-trace-id", exchange.trace_id.encode()),
            *((k.lower().encode(), v.encode("latin-1")) for k, v in problem.headers.items()),
        ]
        start = {"type": "websocket.http.response.start", "status": status, "headers": headers}
        await send(start)
        await send({"type": "websocket.http.response.body", "body": body})

    def _observe(self, exchange: Exchange) -> None:
        route = exchange.path if exchange.path in self._handlers else "-"
        metrics.HANDSHAKES.labels(route, str(exchange.status or 499)).inc()
        if self._access_log is not None:
            self._access_log.write(exchange, time.perf_counter() - exchange.started)


def ticket_of(exchange: Exchange) -> str:
    """What the query says of a ticket."""
    query = exchange.scope["query_string"]
    if b"ticket=" not in query:
        return ""
    return parse_qs(query.decode("latin-1")).get("ticket", [""])[0]
