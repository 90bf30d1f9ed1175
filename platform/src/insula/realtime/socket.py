"""``/api/v1/realtime/ws``: live channels over a WebSocket; docs/guides/realtime.md says how."""

import asyncio
from typing import Any

import msgspec

from insula.http.exchange import Exchange
from insula.http.problem import Problem
from insula.http.sockets import Gone, Socket
from insula.realtime.errors import UnknownCommand
from insula.realtime.limits import FRAME_LIMIT, Close
from insula.realtime.service import Live
from insula.realtime.session import Session
from insula.realtime.wire import Message, refused, told

PATH = "/api/v1/realtime/ws"
SUBPROTOCOL = "insula.v1"
_HEARTBEAT = told("heartbeat").text


class Command(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What a client may send: one verb in a message."""

    subscribe: str | None = None
    after: str | None = None
    """With ``subscribe``: the id of the last message that the client has had."""
    unsubscribe: str | None = None
    authenticate: str | None = None
    """An access token; again before it expires, to stay."""
    ping: str | int | None = None


_decode = msgspec.json.Decoder(Command).decode


class WebSocketTransport:
    """Messages as text frames."""

    name = "websocket"

    def __init__(self, socket: Socket) -> None:
        self._socket = socket

    async def send(self, message: Message) -> None:
        await self._socket.send(message.text)

    async def heartbeat(self) -> None:
        await self._socket.send(_HEARTBEAT)

    async def close(self, code: int, reason: str) -> None:
        await self._socket.close(code, reason)


class LiveSocket:
    """Handles one WebSocket after another."""

    def __init__(self, live: Live) -> None:
        self._live = live

    async def __call__(self, exchange: Exchange, socket: Socket) -> None:
        """Serve a client until it goes or is ended.

        Raises:
            Problem: it may not connect.
        """
        session = Session(exchange, WebSocketTransport(socket))
        await self._live.enter(session)
        try:
            offered: Any = exchange.scope.get("subprotocols", ())
            await socket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
            reader = asyncio.get_running_loop().create_task(self._read(session, socket))
            await session.run(reader)
        finally:
            await self._live.leave(session)

    async def _read(self, session: Session, socket: Socket) -> None:
        try:
            while not session.ended.done():
                await self._take(session, await socket.receive())
        except Gone:
            return

    async def _take(self, session: Session, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            session.end(Close.NOT_TEXT, "send JSON as text, not binary")
            return
        if len(frame) > FRAME_LIMIT:
            session.end(Close.TOO_BIG, f"a message has at most {FRAME_LIMIT} characters")
            return
        channel = ""
        try:
            command = _decode(frame)
            channel = (command.subscribe or "")[:300]
            await self._live.door.readmit(session.exchange, cost=1)
            await self._obey(session, command)
        except msgspec.ValidationError as error:
            self._refuse(session, "", UnknownCommand(str(error)))
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            session.end(Close.NOT_JSON, "this is not JSON")
        except Problem as problem:
            self._refuse(session, channel, problem)

    async def _obey(self, session: Session, command: Command) -> None:
        live = self._live
        match command:
            case Command(subscribe=str(name), unsubscribe=None, authenticate=None, ping=None):
                await live.subscribe(session, live.channels.find(name), command.after)
            case Command(unsubscribe=str(name), subscribe=None, authenticate=None, ping=None):
                live.unsubscribe(session, name)
                session.push(told("unsubscribed", name[:300]))
            case Command(authenticate=str(token), subscribe=None, unsubscribe=None, ping=None):
                await self._authenticate(session, token)
            case Command(ping=str() | int() as value, subscribe=None, unsubscribe=None):
                session.push(told("pong", ping=value))
            case _:
                raise UnknownCommand

    async def _authenticate(self, session: Session, token: str) -> None:
        """Let the client show who it is, at first or again. Somebody else's token ends the
        connection: what it watches was granted to another."""
        exchange = session.exchange
        try:
            await self._live.door.authenticate(exchange, token)
        except Problem as problem:
            session.refuse(problem)
            return
        await self._live.seats.take(exchange, session.id)
        assert exchange.claims is not None
        session.push(told("authenticated", expires_at=exchange.claims.exp))

    def _refuse(self, session: Session, channel: str, problem: Problem) -> None:
        if problem.status == 401 and session.exchange.caller is not None:
            session.refuse(problem)  # who was signed in is no longer
            return
        body = problem.body(trace_id=session.exchange.trace_id)
        session.push(refused(channel, body))
