"""Events out to RabbitMQ and Kafka and in from them, read and written by clients not ours."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aio_pika
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from fixtures.background import WorkerProcess
from fixtures.brokers import RabbitServer
from fixtures.installation import Installation, SignUp, TestTenant
from fixtures.waiting import eventually

pytestmark = pytest.mark.xdist_group("broker")

Read = list[tuple[str, dict[str, Any]]]
"""Media type and CloudEvent of each message."""


@dataclass
class Rabbit:
    """Somebody else at RabbitMQ."""

    url: str
    topic: str = field(default_factory=lambda: f"events-{secrets.token_hex(4)}")
    inbound: str = field(default_factory=lambda: f"inbound-{secrets.token_hex(4)}")

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[Any]:
        async with await aio_pika.connect(self.url) as connection:
            yield await connection.channel()

    async def prepare(self) -> None:
        """A queue for all events, before there are any: an exchange keeps nothing."""
        async with self.channel() as channel:
            exchange = await channel.declare_exchange(self.topic, "topic", durable=True)
            queue = await channel.declare_queue(f"{self.topic}-all", durable=True)
            await queue.bind(exchange, "#")

    async def read(self, count: int) -> Read:
        async with self.channel() as channel:
            queue = await channel.get_queue(f"{self.topic}-all")
            messages = await _take(queue, count)
        return [(message.content_type, msgspec.json.decode(message.body)) for message in messages]

    async def write(self, *bodies: bytes) -> None:
        async with self.channel() as channel:
            await channel.declare_queue(self.inbound, durable=True)
            for body in bodies:
                await channel.default_exchange.publish(aio_pika.Message(body), self.inbound)

    async def refused(self, count: int) -> list[bytes]:
        async with self.channel() as channel:
            queue = await channel.declare_queue(f"{self.inbound}.refused", durable=True)
            return [message.body for message in await _take(queue, count)]


async def _take(queue: Any, count: int) -> list[Any]:
    """The next messages of a RabbitMQ queue."""
    found: list[Any] = []
    async with asyncio.timeout(90), queue.iterator() as messages:
        async for message in messages:
            await message.ack()
            found.append(message)
            if len(found) == count:
                break
    return found


@dataclass
class Kafka:
    """Somebody else at Kafka."""

    url: str
    topic: str = field(default_factory=lambda: f"events-{secrets.token_hex(4)}")
    inbound: str = field(default_factory=lambda: f"inbound-{secrets.token_hex(4)}")

    @property
    def servers(self) -> list[str]:
        return urlsplit(self.url).netloc.split(",")

    async def prepare(self) -> None:
        """A topic keeps what is in it."""

    async def _consume(self, topic: str, count: int) -> list[Any]:
        consumer = AIOKafkaConsumer(
            topic, bootstrap_servers=self.servers, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            async with asyncio.timeout(90):
                return [await consumer.getone() for _ in range(count)]
        finally:
            await consumer.stop()

    async def read(self, count: int) -> Read:
        messages = await self._consume(self.topic, count)
        return [
            (dict(message.headers)["content-type"].decode(), msgspec.json.decode(message.value))
            for message in messages
        ]

    async def write(self, *bodies: bytes) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.servers)
        await producer.start()
        try:
            for body in bodies:
                await producer.send_and_wait(self.inbound, body, key=b"one partition")
        finally:
            await producer.stop()

    async def refused(self, count: int) -> list[bytes]:
        return [message.value for message in await self._consume(f"{self.inbound}.refused", count)]


Outside = Rabbit | Kafka


@pytest.fixture(scope="module", params=["rabbit", "kafka"])
def outside(
    request: pytest.FixtureRequest, installation: Installation, lasting_worker: WorkerProcess
) -> Iterator[Outside]:
    """A broker with a worker that is connected to it, in the place of the one that is not."""
    server = request.getfixturevalue(request.param)
    found = Rabbit(server.url) if isinstance(server, RabbitServer) else Kafka(server)
    asyncio.run(found.prepare())
    lasting_worker.stop()
    environ = installation.environ | {
        "INSULA_BROKER_URL": found.url,
        "INSULA_BROKER_TOPIC": found.topic,
        "INSULA_BROKER_INBOUND": found.inbound,
    }
    process = WorkerProcess(environ, installation.home / f"worker-{request.param}.log")
    process.start()
    try:
        yield found
    finally:
        process.stop()
        lasting_worker.start()


def write_notes(tenant: TestTenant, count: int) -> list[str]:
    made = [
        tenant.http.post("/api/v1/notes", json={"title": f"Note {number}"})
        for number in range(count)
    ]
    return [answer.json()["id"] for answer in made]


def events_of(tenant: TestTenant, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tenant.http.get("/api/v1/events").json()["items"]
    return [event for event in found if event["type"] == kind]


async def test_events_go_out_as_cloud_events_in_the_order_of_each_tenants_log(
    outside: Outside, sign_up: SignUp
) -> None:
    tenants = [sign_up("notes"), sign_up("notes")]
    wanted: dict[str, list[str]] = {}
    for tenant in tenants:
        ids = write_notes(tenant, 5)
        wanted[f"urn:uuid:{tenant.id}"] = [f"notes/{note_id}" for note_id in ids]
    seen: dict[str, list[dict[str, Any]]] = {source: [] for source in wanted}
    for media_type, event in await outside.read(10):
        assert media_type.startswith("application/cloudevents+json")
        assert event["specversion"] == "1.0"
        assert event["type"] == "notes.note.created"
        seen[event["source"]].append(event)
    for source, events in seen.items():
        assert [event["subject"] for event in events] == wanted[source]
        assert [int(event["sequence"]) for event in events] == [1, 2, 3, 4, 5]


def incoming(made: TestTenant, /, **changes: Any) -> bytes:
    event = {
        "specversion": "1.0",
        "id": "order-1",
        "source": "https://shop.example.com/orders",
        "type": "shopsystem.order.placed",
        "subject": "orders/1",
        "time": "2030-01-01T00:00:00Z",
        "tenant": made.slug,
        "data": {"total": 1200},
    }
    return msgspec.json.encode(event | changes)


async def test_what_comes_in_is_in_the_tenants_log_once(outside: Outside, sign_up: SignUp) -> None:
    acme, rival = sign_up(), sign_up()
    await outside.write(
        incoming(acme),
        incoming(acme),
        incoming(rival, tenant=rival.id, data={"total": 5}),
        incoming(acme, id="order-2", subject="orders/2"),
    )
    kind = "shopsystem.order.placed"

    def both() -> list[dict[str, Any]]:
        found = events_of(acme, kind)
        return found if len(found) > 1 else []

    found = await asyncio.to_thread(eventually, both, seconds=90)
    assert sorted(event["subject"] for event in found) == ["orders/1", "orders/2"]
    assert {event["data"]["total"] for event in found} == {1200}
    (other,) = await asyncio.to_thread(eventually, lambda: events_of(rival, kind), seconds=90)
    assert other["data"] == {"total": 5}


def _letters(count: int) -> str:
    """Of three bytes each, and no two in a row that could be compressed."""
    return "".join(chr(0x4E00 + secrets.randbelow(20_000)) for _ in range(count))


async def test_what_is_not_for_us_is_laid_aside_and_holds_nothing_up(
    outside: Outside, sign_up: SignUp
) -> None:
    acme = sign_up("notes")
    refused = [
        b"\xff\x00 no JSON",
        b"[]",
        incoming(acme, specversion="0.3"),
        incoming(acme, tenant="nobody-of-this-name"),
        incoming(acme, type="notes.note.created"),
        incoming(acme, data={"text": "a\0b"}),
        incoming(acme, data={"text": "x" * 300_000}),
        incoming(acme, id=_letters(500), source=_letters(500)),
    ]
    await outside.write(*refused, incoming(acme, id="good"))
    await asyncio.to_thread(
        eventually, lambda: events_of(acme, "shopsystem.order.placed"), seconds=90
    )
    assert len(await outside.refused(len(refused))) == len(refused)
    assert events_of(acme, "notes.note.created") == []


@pytest.mark.parametrize("outside", ["rabbit"], indirect=True)  # Kafka's mock cannot be stopped
async def test_events_wait_while_the_broker_is_down(
    rabbit: RabbitServer, outside: Outside, sign_up: SignUp
) -> None:
    acme = sign_up("notes")
    await asyncio.to_thread(rabbit.stop)
    ids = write_notes(acme, 3)
    await asyncio.to_thread(rabbit.start)
    events = [event for _, event in await outside.read(3)]
    assert [event["subject"] for event in events] == [f"notes/{note_id}" for note_id in ids]
    await outside.write(incoming(acme, id="afterwards"))
    await asyncio.to_thread(
        eventually, lambda: events_of(acme, "shopsystem.order.placed"), seconds=90
    )
