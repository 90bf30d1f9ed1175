"""What a process watches: one subscription in Redis for each channel, however many clients.

A message is heard on the Pub/Sub line, with the id of the one before it in the log. Where that is
not the last one heard, after a lost connection and once a minute in any case, the log is read: so
each client gets every message once and in order, or is told that it has to begin anew.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

import structlog

from insula.http.redis_line import Address, RedisDown
from insula.realtime import metrics
from insula.realtime.log import Logs
from insula.realtime.pubsub import PubSubLine
from insula.realtime.wire import START, Key, Message, key_of, logged, passing

log = structlog.get_logger("insula.realtime")

_LOOK_SECONDS = 60.0
"""How often each log is looked at though nothing seems to be amiss; it lives on from then."""
_AT_ONCE = 32
_PAUSE_SECONDS = 0.5


class Listener(Protocol):
    """Somebody who watches a channel."""

    def offer(self, message: Message) -> None:
        """Take the next message; never waits."""

    def lose(self) -> None:
        """Begin anew: messages were missed for good."""


class Topic:
    """A channel that somebody watches."""

    def __init__(self, key: str, channel: str) -> None:
        self.key = key
        """Of its log, and the name under which it is published."""
        self.channel = channel
        self.last: Key | None = None
        """The last message that was handed on, or where the log stood at first."""
        self.listeners: set[Listener] = set()
        self.audience: tuple[Listener, ...] | None = None
        """The same as a tuple that is not made anew for each message."""
        self.stash: list[tuple[Key, Key, str]] = []
        """Heard, but what lies before is still being read: id, id before, body."""
        self.ready: asyncio.Task[None] | None = None
        self.mending: asyncio.Task[None] | None = None

    def hand_out(self, message: Message) -> None:
        if self.audience is None:
            self.audience = tuple(self.listeners)
        for listener in self.audience:
            listener.offer(message)


class Hub:
    """See the module's docstring."""

    def __init__(self, address: Address, logs: Logs) -> None:
        self._logs = logs
        self._line = PubSubLine(address, self._hear, self._look_at_all)
        self._topics: dict[str, Topic] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """In the running loop."""
        self._line.start()
        self._looking = asyncio.get_running_loop().create_task(self._look_regularly())

    async def close(self) -> None:
        for task in (*self._tasks, *([self._looking] if self._looking else [])):
            task.cancel()
        await self._line.close()

    async def watch(self, key: str, channel: str, listener: Listener) -> None:
        """Offer everything to the listener that is published from now on, and perhaps a little of
        what was before.

        Raises:
            RedisDown: Redis cannot be asked.
        """
        topic = self._topics.get(key)
        if topic is None:
            topic = self._topics[key] = Topic(key, channel)
            topic.ready = asyncio.get_running_loop().create_task(self._begin(topic))
            metrics.CHANNELS.inc()
        topic.listeners.add(listener)
        topic.audience = None
        assert topic.ready is not None
        try:
            await asyncio.shield(topic.ready)
        except BaseException:
            self.leave(key, listener)
            raise

    def leave(self, key: str, listener: Listener) -> None:
        """Offer nothing more to the listener."""
        topic = self._topics.get(key)
        if topic is None or listener not in topic.listeners:
            return
        topic.listeners.discard(listener)
        topic.audience = None
        if not topic.listeners:
            del self._topics[key]
            metrics.CHANNELS.dec()
            self._line.unsubscribe(key)
            for task in (topic.ready, topic.mending):
                if task is not None:
                    task.cancel()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the background until it ends or the hub is closed."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _begin(self, topic: Topic) -> None:
        await self._line.subscribe(topic.key)
        opened = await self._logs.open(topic.key, topic.channel, None)
        topic.last = opened.last
        self._take_stash(topic)

    def _hear(self, key: str, payload: bytes) -> None:
        topic = self._topics.get(key)
        if topic is None:
            return
        first, second, body = payload.decode().split(" ", 2)
        metrics.HEARD.inc()
        key_now, key_before = key_of(first), key_of(second)
        if key_now is None or key_before is None:
            topic.hand_out(passing(topic.channel, body))
        elif topic.last is None:
            topic.stash.append((key_now, key_before, body))
        elif key_before == topic.last:
            self._hand_on(topic, logged(key_now, topic.channel, body))
        elif key_now > topic.last:
            topic.stash.append((key_now, key_before, body))
            self._mend(topic)

    def _hand_on(self, topic: Topic, message: Message) -> None:
        topic.last = message.key
        topic.hand_out(message)

    def _mend(self, topic: Topic) -> None:
        """Read what was not heard, unless that is being done."""
        if topic.last is not None and (topic.mending is None or topic.mending.done()):
            topic.mending = asyncio.get_running_loop().create_task(self._read(topic))

    async def _read(self, topic: Topic) -> None:
        while True:
            try:
                async with self._at_once:
                    opened = await self._logs.open(topic.key, topic.channel, topic.last)
            except RedisDown:
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            if not opened.found:
                self._begin_anew(topic, opened.last)
            for message in opened.messages:
                if message.key is not None and message.key > (topic.last or START):
                    self._hand_on(topic, message)
            if self._take_stash(topic):
                return

    def _begin_anew(self, topic: Topic, last: Key) -> None:
        log.warning("messages missed", channel=topic.channel, listeners=len(topic.listeners))
        metrics.RESETS.inc()
        topic.last = last
        for listener in tuple(topic.listeners):
            listener.lose()

    def _take_stash(self, topic: Topic) -> bool:
        """Hand on what was heard meanwhile; False if there is a gap before the rest of it."""
        stash, topic.stash = topic.stash, []
        for nth, (key, before, body) in enumerate(stash):
            if topic.last is not None and key <= topic.last:
                continue
            if before != topic.last:
                topic.stash = stash[nth:]
                return False
            self._hand_on(topic, logged(key, topic.channel, body))
        return True

    def _look_at_all(self) -> None:
        for topic in self._topics.values():
            self._mend(topic)

    async def _look_regularly(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self._look_at_all()
