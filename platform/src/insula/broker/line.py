"""A connection to the broker, in as few words as RabbitMQ and Kafka have in common."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.rabbit import Channel, ExchangeType, RabbitBroker, RabbitExchange, RabbitQueue

from insula.settings import SettingsError

log = structlog.get_logger("insula.broker")

MEDIA_TYPE = "application/cloudevents+json; charset=utf-8"
_ANSWER_SECONDS = 10.0
"""How long the broker may take to confirm a message, or to let us in."""

Receive = Callable[[bytes], Awaitable[None]]


class Message(msgspec.Struct, frozen=True):
    """A CloudEvent on its way: its structured form, and by what it is sorted."""

    body: bytes
    id: str
    type: str
    tenant: str
    """Messages of one tenant keep their order."""


class Line(ABC):
    """Opened when it is first used, dropped when something goes wrong, and then opened anew: the
    clients' own ways of reconnecting leave it open what became of a message."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._broker: Any = None

    async def publish(self, topic: str, message: Message) -> None:
        """Return once the broker has said that it has the message.

        Raises:
            Exception: it has not; whatever the client says.
        """
        await self._confirmed(lambda: self._send(topic, message))

    async def put(self, queue: str, body: bytes, *, reason: str) -> None:
        """Lay something aside where an operator finds it.

        Raises:
            Exception: as :meth:`publish`.
        """
        await self._confirmed(lambda: self._put(queue, body, {"reason": reason}))

    async def _confirmed(self, send: Callable[[], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                if self._broker is None:
                    self._broker = self._make()
                    await self._broker.connect()
                await send()
        except BaseException:
            await self.close()
            raise

    async def listen(self, source: str, receive: Receive) -> None:
        """Have ``receive`` called with every message, one at a time, until :meth:`close`. What it
        raises for is given again.

        Raises:
            Exception: the broker cannot be reached.
        """
        self._broker = broker = self._make()
        self._subscribe(broker, source, receive)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await broker.start()
        except BaseException:
            await self.close()
            raise

    async def is_up(self) -> bool:
        """Whether the broker answers."""
        return self._broker is not None and await self._broker.ping(timeout=_ANSWER_SECONDS)

    async def close(self) -> None:
        broker, self._broker = self._broker, None
        if broker is not None:
            with contextlib.suppress(Exception):
                await broker.stop()

    @abstractmethod
    def _make(self) -> Any: ...

    @abstractmethod
    def _subscribe(self, broker: Any, source: str, receive: Receive) -> None: ...

    @abstractmethod
    async def _send(self, topic: str, message: Message) -> None: ...

    @abstractmethod
    async def _put(self, queue: str, body: bytes, headers: dict[str, str]) -> None: ...


async def _body(message: Any) -> bytes:
    """FastStream's decoder: nothing is read before we do."""
    return bytes(message.body)


class RabbitLine(Line):
    """RabbitMQ: a durable topic exchange by types of events, durable queues, publisher confirms."""

    def _make(self) -> RabbitBroker:
        return RabbitBroker(
            self._url,
            default_channel=Channel(prefetch_count=1, publisher_confirms=True),
            apply_types=False,
            decoder=_body,
            logger=None,
            timeout=_ANSWER_SECONDS,
        )

    def _subscribe(self, broker: RabbitBroker, source: str, receive: Receive) -> None:
        queue = RabbitQueue(source, durable=True)
        broker.subscriber(queue, ack_policy=AckPolicy.NACK_ON_ERROR)(receive)

    async def _send(self, topic: str, message: Message) -> None:
        await self._broker.publish(
            message.body,
            exchange=RabbitExchange(topic, type=ExchangeType.TOPIC, durable=True),
            routing_key=message.type,
            mandatory=False,  # nobody has to be interested
            persist=True,
            message_id=message.id,
            message_type=message.type,
            content_type=MEDIA_TYPE,
            headers={"tenant": message.tenant},
        )

    async def _put(self, queue: str, body: bytes, headers: dict[str, str]) -> None:
        durable = RabbitQueue(queue, durable=True)
        await self._broker.declare_queue(durable)
        await self._broker.publish(body, durable, persist=True, headers=headers)


class KafkaLine(Line):
    """Kafka: one topic, tenants as keys, every in-sync replica has to confirm."""

    def _make(self) -> KafkaBroker:
        return KafkaBroker(
            urlsplit(self._url).netloc.split(","),
            acks="all",
            enable_idempotence=True,
            apply_types=False,
            decoder=_body,
            logger=None,
        )

    def _subscribe(self, broker: KafkaBroker, source: str, receive: Receive) -> None:
        broker.subscriber(
            source,
            group_id="insula",
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.NACK_ON_ERROR,
        )(receive)

    async def _send(self, topic: str, message: Message) -> None:
        await self._broker.publish(
            message.body,
            topic=topic,
            key=message.tenant.encode(),
            headers={"content-type": MEDIA_TYPE},
        )

    async def _put(self, queue: str, body: bytes, headers: dict[str, str]) -> None:
        await self._broker.publish(body, topic=queue, headers=headers)


_KINDS: dict[str, type[Line]] = {"amqp": RabbitLine, "amqps": RabbitLine, "kafka": KafkaLine}


def line_to(url: str) -> Line:
    """
    Raises:
        SettingsError: nobody speaks this scheme.
    """
    kind = _KINDS.get(urlsplit(url).scheme)
    if kind is None:
        raise SettingsError(f"INSULA_BROKER_URL must begin with one of {', '.join(_KINDS)}://")
    return kind(url)
