"""``/graphql`` over WebSocket: the protocol graphql-transport-ws, which the npm package
``graphql-ws`` specifies. Queries and mutations may be sent over it too."""

import asyncio
import contextlib
import time
from typing import Any, Final

import msgspec

from insula.graphql.service import GraphqlRequest, GraphService
from insula.http.errors import to_problem
from insula.http.exchange import Exchange
from insula.http.problem import Problem
from insula.http.sockets import Gone, Socket
from insula.realtime.limits import SIGN_IN_SECONDS, Close
from insula.realtime.service import Live
from insula.realtime.session import Session
from insula.realtime.wire import Message

PATH: Final = "/graphql"
SUBPROTOCOL: Final = "graphql-transport-ws"
_FRAME_LIMIT: Final = 128 << 10
_MOST_OPERATIONS: Final = 50

_INVALID, _UNAUTHORIZED, _FORBIDDEN = 4400, 4401, 4403
_NO_SUBPROTOCOL, _NO_INIT, _TAKEN, _INIT_AGAIN = 4406, 4408, 4409, 4429


class Frame(msgspec.Struct):
    """A message of the client."""

    type: str
    id: str | None = None
    payload: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(Frame).decode
_encode = msgspec.json.Encoder().encode


class _Transport:
    name = "graphql-ws"

    def __init__(self, socket: Socket) -> None:
        self._socket = socket

    async def send(self, message: Message) -> None:
        await self._socket.send(message.text)

    async def heartbeat(self) -> None:
        await self._socket.send('{"type":"ping"}')

    async def close(self, code: int, reason: str) -> None:
        await self._socket.close(code, reason)


class Connection(Session):
    """One WebSocket with the operations that run on it."""

    def __init__(self, exchange: Exchange, socket: Socket) -> None:
        self.operations: dict[str, asyncio.Task[None]] = {}
        self.is_acknowledged = False
        super().__init__(exchange, _Transport(socket))

    @property
    def idle_since(self) -> float:
        return time.monotonic() if self.operations else self._idle_since

    @idle_since.setter
    def idle_since(self, moment: float) -> None:
        self._idle_since = moment

    def say(self, kind: str, identifier: str | None = None, payload: Any = None) -> None:
        document: dict[str, Any] = {"type": kind}
        if identifier is not None:
            document["id"] = identifier
        if payload is not None:
            document["payload"] = payload
        self.push(Message(None, "", _encode(document).decode()))


class GraphSocket:
    """Handles one WebSocket after another."""

    def __init__(self, live: Live, graph: GraphService) -> None:
        self._live = live
        self._graph = graph

    async def __call__(self, exchange: Exchange, socket: Socket) -> None:
        """Serve a client until it goes or is ended.

        Raises:
            Problem: it may not connect.
        """
        connection = Connection(exchange, socket)
        await self._live.enter(connection)
        timer = None
        try:
            offered: Any = exchange.scope.get("subprotocols", ())
            if SUBPROTOCOL not in offered:
                await socket.accept()
                await socket.close(_NO_SUBPROTOCOL, "Subprotocol not acceptable")
                return
            await socket.accept(SUBPROTOCOL)
            loop = asyncio.get_running_loop()
            timer = loop.call_later(SIGN_IN_SECONDS, self._expect_init, connection)
            await connection.run(loop.create_task(self._read(connection, socket)))
        finally:
            if timer is not None:
                timer.cancel()
            await self._stop(list(connection.operations.values()))
            await self._live.leave(connection)

    def _expect_init(self, connection: Connection) -> None:
        if not connection.is_acknowledged:
            connection.end(_NO_INIT, "Connection initialisation timeout")

    async def _read(self, connection: Connection, socket: Socket) -> None:
        with contextlib.suppress(Gone):
            while not connection.ended.done():
                await self._take(connection, await socket.receive())

    async def _take(self, connection: Connection, text: str | bytes) -> None:
        if isinstance(text, bytes) or len(text) > _FRAME_LIMIT:
            connection.end(_INVALID, f"A message is text of at most {_FRAME_LIMIT} characters")
            return
        try:
            frame = _decode(text)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            connection.end(_INVALID, "Invalid message")
            return
        match frame:
            case Frame(type="connection_init", id=None):
                await self._init(connection, frame.payload or {})
            case Frame(type="ping"):
                connection.say("pong", payload=frame.payload)
            case Frame(type="pong"):
                return
            case Frame(type="subscribe", id=str(identifier), payload=dict(payload)):
                await self._begin(connection, identifier, payload)
            case Frame(type="complete", id=str(identifier)):
                if (task := connection.operations.pop(identifier, None)) is not None:
                    await self._stop([task])
            case _:
                connection.end(_INVALID, "Invalid message")

    async def _init(self, connection: Connection, payload: dict[str, Any]) -> None:
        """Let the client in; it may show a token in ``payload.authorization``."""
        if connection.is_acknowledged:
            connection.end(_INIT_AGAIN, "Too many initialisation requests")
            return
        shown = payload.get("authorization") or payload.get("Authorization")
        exchange = connection.exchange
        try:
            if isinstance(shown, str):
                token = shown.removeprefix("Bearer ").removeprefix("bearer ").strip()
                await self._live.door.authenticate(exchange, token)
                await self._live.seats.take(exchange, connection.id)
        except Problem as problem:
            connection.end(_FORBIDDEN, (problem.detail or problem.title)[:120])
            return
        if exchange.tenant is None:
            connection.end(_FORBIDDEN, "Say which tenant: by a token, the host or a header")
            return
        connection.is_acknowledged = True
        connection.say("connection_ack")

    async def _begin(self, connection: Connection, identifier: str, payload: Any) -> None:
        if not connection.is_acknowledged:
            connection.end(_UNAUTHORIZED, "Unauthorized")
            return
        if identifier in connection.operations:
            connection.end(_TAKEN, f"Subscriber for {identifier[:80]} already exists")
            return
        if len(connection.operations) >= _MOST_OPERATIONS:
            connection.end(Close.TOO_MANY, f"At most {_MOST_OPERATIONS} operations at a time")
            return
        try:
            await self._live.door.readmit(connection.exchange, cost=1)
            request = msgspec.convert(payload, GraphqlRequest)
        except msgspec.ValidationError as error:
            connection.end(_INVALID, str(error)[:120])
            return
        except Problem as problem:
            if problem.status == 401:
                connection.refuse(problem)
            else:
                connection.say(
                    "error", identifier, self._graph.refusal(problem, connection.exchange)
                )
            return
        connection.operations[identifier] = asyncio.get_running_loop().create_task(
            self._operate(connection, identifier, request)
        )

    async def _operate(
        self, connection: Connection, identifier: str, request: GraphqlRequest
    ) -> None:
        """Run one operation to its end."""
        try:
            async with contextlib.aclosing(
                self._graph.results(connection.exchange, request)
            ) as results:
                async for content in results:
                    if "data" not in content:
                        connection.say("error", identifier, content["errors"])
                        return
                    connection.say("next", identifier, content)
            connection.say("complete", identifier)
        except Exception as error:
            refused = self._graph.refusal(to_problem(error), connection.exchange)
            connection.say("error", identifier, refused)
        finally:
            if connection.operations.get(identifier) is asyncio.current_task():
                del connection.operations[identifier]

    async def _stop(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
