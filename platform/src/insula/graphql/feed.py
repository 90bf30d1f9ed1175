"""What one subscription is told of live channels."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final

import msgspec

from insula.graphql.told import Told
from insula.http.exchange import Exchange
from insula.http.problem import KINDS, Problem, Unavailable
from insula.realtime.limits import Close
from insula.realtime.service import Live
from insula.realtime.session import Session
from insula.realtime.wire import Message

_MOST_WAITING: Final = 500
_OF_EVENTS: Final = frozenset({"snapshot", "reset"})


_decode = msgspec.json.Decoder(Told).decode


class _Nowhere:
    """A feed is read, not sent: what it is told goes to a resolver."""

    name = "graphql"

    async def send(self, message: Message) -> None:
        """Nothing is sent."""

    async def heartbeat(self) -> None:
        """The connection has its own."""

    async def close(self, code: int, reason: str) -> None:
        """The connection is another's."""


class Feed(Session):
    """A session of its own for each subscription, so that what is right for whoever is connected
    (limits, rights that are looked at again, slow readers) holds for it too."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange, _Nowhere())
        self._waiting: asyncio.Queue[Message | None] = asyncio.Queue()

    def push(self, message: Message) -> None:
        if self.ended.done():
            return
        if self._waiting.qsize() >= _MOST_WAITING:
            self.end(Close.TOO_SLOW, "too slow: subscribe again")
            return
        self._waiting.put_nowait(message)

    def beat(self) -> None:
        """Nothing to show: the connection lives or does not."""

    def end(self, code: int, reason: str) -> None:
        super().end(code, reason)
        self._waiting.put_nowait(None)

    async def next(self) -> Told:
        """What comes next.

        Raises:
            Problem: nothing does any more.
        """
        message = await self._waiting.get()
        if message is None:
            raise Unavailable(self.ended.result()[1])
        told = _decode(message.text)
        if told.problem is not None:
            raise _problem(told.problem)
        return told


def _problem(document: dict[str, Any]) -> Problem:
    kind = KINDS.get(str(document.get("type", "")).rpartition("/")[2], Unavailable)
    return kind(str(document.get("detail", "")))


async def watch(live: Live, exchange: Exchange, channel: str) -> AsyncGenerator[Told, None]:
    """What a channel says from now on, beginning with its state.

    Raises:
        Problem: it may not be watched (any longer), or is out of reach.
    """
    feed = Feed(exchange)
    await live.enter(feed)
    try:
        await live.subscribe(feed, live.channels.find(channel), None)
        while True:
            told = await feed.next()
            if "." in told.type or told.type in _OF_EVENTS:
                yield told
    finally:
        await live.leave(feed)
