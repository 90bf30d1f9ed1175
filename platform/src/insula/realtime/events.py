"""``GET /api/v1/realtime/sse``: live channels as server-sent events (WHATWG HTML, section 9.2)."""

import asyncio
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.types import ASGIApp, Receive, Scope, Send

from insula.http.exchange import Exchange
from insula.http.problem import Problem
from insula.realtime.directory import Place
from insula.realtime.service import Live
from insula.realtime.session import Session
from insula.realtime.wire import START, Message, joint_id, refused

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back until its buffer is full
]
_COMMENT = b": %s\n"  # no blank line behind it: some readers take that for an event


class EventTransport:
    """Messages as events. The id of each stands for the positions of all channels of the
    connection, so that ``Last-Event-ID`` resumes every one of them."""

    name = "sse"

    def __init__(self, send: Send, names: list[str]) -> None:
        self._send = send
        self._names = names
        self._positions = dict.fromkeys(names, START)

    async def open(self) -> None:
        await self._send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await self._write(_COMMENT % b"welcome")

    async def send(self, message: Message) -> None:
        if message.key is None:
            await self._write(message.event)
            return
        self._positions[message.channel] = message.key
        positions = joint_id([self._positions[name] for name in self._names])
        await self._write(b"id: %s\n%s" % (positions.encode(), message.event))

    async def heartbeat(self) -> None:
        await self._write(_COMMENT % b"still here")

    async def close(self, code: int, reason: str) -> None:
        body = msgspec.json.encode({"code": int(code), "reason": reason})
        await self._write(b"event: close\ndata: %s\n\n" % body, more=False)

    async def _write(self, body: bytes, *, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})


class EventStream(Response[None]):
    """The answer: a stream that ends when the client goes, or is sent away."""

    def __init__(
        self, live: Live, exchange: Exchange, places: list[Place], after: list[str | None]
    ) -> None:
        super().__init__(None, media_type="text/event-stream")
        self._live = live
        self._exchange = exchange
        self._places = places
        self._after = after

    def to_asgi_response(  # type: ignore[override]
        self, app: None, request: Request[Any, Any, Any], **options: Any
    ) -> ASGIApp:
        return self._answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = EventTransport(send, [place.name for place in self._places])
        session = Session(self._exchange, transport)
        await self._live.enter(session)
        try:
            await transport.open()
            if self._exchange.method == "HEAD":
                await transport.close(1000, "")
                return
            reader = asyncio.get_running_loop().create_task(self._follow(session, receive))
            await session.run(reader)
        finally:
            await self._live.leave(session)

    async def _follow(self, session: Session, receive: Receive) -> None:
        for place, after in zip(self._places, self._after, strict=True):
            try:
                await self._live.subscribe(session, place, after, authorized=True)
            except Problem as problem:
                session.push(refused(place.name, problem.body(trace_id=self._exchange.trace_id)))
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
