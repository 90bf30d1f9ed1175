"""Webhooks over days, on a clock that the test turns. The worker is off: its clock is another."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fixtures.background import WorkerProcess
from fixtures.inside import Inside, inside
from fixtures.installation import Installation, TestTenant
from fixtures.receiver import Received, Receiver
from fixtures.waiting import eventually
from insula.db.ids import new_id
from insula.events import Event
from insula.tenancy.tenant import Tenant
from insula.webhooks.fanout import WebhookConsumer
from insula.webhooks.schedule import PAUSES
from insula.webhooks.sender import Sender
from insula.webhooks.signing import Secrets

pytestmark = pytest.mark.xdist_group("webhook-clock")


@pytest.fixture(scope="module", autouse=True)
def _no_worker(lasting_worker: WorkerProcess) -> Iterator[None]:
    lasting_worker.stop()
    yield
    lasting_worker.start()


@dataclass
class Days:
    """A sender in this process, and its clock."""

    platform: Inside
    acme: TestTenant
    tenant: Tenant
    now: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(seconds=1))

    def sender(self) -> Sender:
        foundation = self.platform.foundation
        return Sender(
            foundation.tenants,
            foundation.catalogue,
            foundation.egress,
            Secrets(foundation.settings.secret_key),
            foundation.tracing,
            clock=lambda: self.now,
        )

    async def send(self) -> None:
        """Everything that is due by now."""
        while await self.sender().step():
            pass

    async def pass_to(self, moment: datetime) -> None:
        self.now = moment
        await self.send()

    async def happen(self, *subjects: str) -> None:
        """Events, one for each subject, as the relay hands them over."""
        events = [_event(number, subject) for number, subject in enumerate(subjects, 1)]
        async with self.platform.transaction(self.tenant) as tx:
            await WebhookConsumer().consume(tx, self.tenant, events)
        self.now = max(self.now, datetime.now(UTC) + timedelta(seconds=1))

    def subscribe(self, receiver: Receiver) -> str:
        form = {"url": receiver.url, "events": ["*"]}
        return str(self.acme.http.post("/api/v1/webhooks", json=form).json()["id"])

    def webhook(self, webhook_id: str) -> dict[str, Any]:
        return dict(self.acme.http.get(f"/api/v1/webhooks/{webhook_id}").json())

    def deliveries(self, webhook_id: str) -> list[dict[str, Any]]:
        """The oldest first."""
        page = self.acme.http.get(
            f"/api/v1/webhooks/{webhook_id}/deliveries", params={"sort": "created_at", "limit": 100}
        )
        return list(page.json()["items"])


def _event(number: int, subject: str) -> Event:
    return Event(
        seq=number,
        id=new_id(),
        type="tests.thing.happened",
        subject=subject,
        time=datetime.now(UTC),
        actor_id=UUID(int=1),
        data={"number": number},
    )


@asynccontextmanager
async def _days(installation: Installation, acme: TestTenant) -> AsyncIterator[Days]:
    async with inside(installation) as platform:
        yield Days(platform, acme, await platform.tenant(acme))


@pytest.fixture
async def days(installation: Installation, acme: TestTenant) -> AsyncIterator[Days]:
    async with _days(installation, acme) as made:
        yield made


def failing(_: Received) -> tuple[int, dict[str, str], bytes]:
    return 500, {}, b"not today"


async def test_what_fails_is_tried_ten_times_in_three_days(days: Days, receiver: Receiver) -> None:
    receiver.answer = failing
    webhook = days.subscribe(receiver)
    await days.happen("things/1")
    await days.send()
    for attempt, pause in enumerate(PAUSES, 1):
        (delivery,) = days.deliveries(webhook)
        assert (delivery["attempts"], delivery["status"]) == (attempt, "waiting")
        due = datetime.fromisoformat(delivery["next_at"])
        assert pause <= due - days.now <= pause * 1.2
        await days.pass_to(due - timedelta(milliseconds=1))
        assert len(receiver.requests) == attempt
        await days.pass_to(due)
        assert len(receiver.requests) == attempt + 1
    (delivery,) = days.deliveries(webhook)
    assert (delivery["attempts"], delivery["status"], delivery["next_at"]) == (10, "failed", None)
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert len({request.body for request in receiver.requests}) == 1
    await days.pass_to(days.now + timedelta(days=30))
    assert len(receiver.requests) == 10


async def test_a_receiver_may_ask_for_a_longer_pause(days: Days, receiver: Receiver) -> None:
    receiver.answer = lambda _: (429, {"Retry-After": "3600"}, b"")
    webhook = days.subscribe(receiver)
    await days.happen("things/1")
    await days.send()
    (delivery,) = days.deliveries(webhook)
    assert datetime.fromisoformat(delivery["next_at"]) - days.now == timedelta(hours=1)
    assert days.webhook(webhook)["failing_since"] is not None
    receiver.answer = lambda _: (200, {}, b"")
    await days.pass_to(days.now + timedelta(hours=1))
    assert days.deliveries(webhook)[0]["status"] == "delivered"
    assert days.webhook(webhook)["failing_since"] is None


async def test_a_later_event_of_a_subject_waits_and_others_do_not(
    days: Days, receiver: Receiver
) -> None:
    webhook = days.subscribe(receiver)

    def refuse_first(got: Received) -> tuple[int, dict[str, str], bytes]:
        return (500 if got.event["data"]["number"] == 1 else 200), {}, b""

    receiver.answer = refuse_first
    await days.happen("a", "b", "a", "b", "a")
    await days.send()
    assert sorted(receiver.said("data", "number")) == [1, 2, 4]
    receiver.answer = lambda _: (200, {}, b"")
    await days.pass_to(days.now + timedelta(seconds=7))
    numbers = receiver.said("data", "number")
    assert numbers[3:] == [1, 3, 5]
    assert numbers.index(2) < numbers.index(4)
    assert {each["status"] for each in days.deliveries(webhook)} == {"delivered"}


async def test_what_is_given_up_lets_the_next_one_go(days: Days, receiver: Receiver) -> None:
    webhook = days.subscribe(receiver)
    receiver.answer = lambda got: (500 if got.event["data"]["number"] == 1 else 200, {}, b"")
    await days.happen("a", "a")
    await days.send()
    for _ in PAUSES:
        await days.pass_to(datetime.fromisoformat(days.deliveries(webhook)[0]["next_at"]))
    await days.pass_to(days.now + timedelta(minutes=5))  # after ten failures it is left alone a bit
    assert [each["status"] for each in days.deliveries(webhook)] == ["failed", "delivered"]
    assert receiver.said("data", "number") == [1] * 10 + [2]


async def test_an_endpoint_that_fails_for_days_is_switched_off(
    days: Days, receiver: Receiver
) -> None:
    receiver.answer = failing
    webhook = days.subscribe(receiver)
    for day in range(6):
        assert days.webhook(webhook)["status"] == "active", day
        await days.happen(f"things/{day}")
        await days.pass_to(days.now + timedelta(days=1))
    seen = days.webhook(webhook)
    assert (seen["status"], seen["disabled_because"]) == ("disabled", "failing")
    assert {each["status"] for each in days.deliveries(webhook)} == {"failed"}
    count = len(receiver.requests)
    await days.happen("things/7")
    await days.pass_to(days.now + timedelta(days=1))
    assert len(receiver.requests) == count


async def test_an_endpoint_that_is_down_gets_one_request_at_a_time(
    days: Days, receiver: Receiver
) -> None:
    receiver.answer = failing
    webhook = days.subscribe(receiver)
    await days.happen(*(f"things/{number}" for number in range(40)))
    await days.sender().step()
    first = len(receiver.requests)
    assert first <= 5 + 8  # those that were under way when the fifth failed
    await days.send()
    assert len(receiver.requests) == first
    await days.pass_to(days.now + timedelta(minutes=5, seconds=1))
    assert len(receiver.requests) == first + 1
    days.acme.http.post(f"/api/v1/webhooks/{webhook}/test")
    await days.send()  # what somebody waits for goes at once
    assert receiver.said("type")[first + 1 :] == ["webhooks.test.sent"]
    receiver.answer = lambda _: (200, {}, b"")
    await days.pass_to(days.now + timedelta(days=1))
    assert {each["status"] for each in days.deliveries(webhook)} == {"delivered"}


async def test_what_a_dead_worker_held_goes_to_another(
    days: Days, receiver: Receiver, make_receiver: Callable[[], Receiver]
) -> None:
    webhook = days.subscribe(receiver)
    await days.happen("things/1", "things/2")
    held = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang(_: Received) -> tuple[int, dict[str, str], bytes]:
        loop.call_soon_threadsafe(held.set)
        return 200, {}, b""

    receiver.answer = hang
    dying = asyncio.create_task(days.sender().step())
    await asyncio.wait_for(held.wait(), 30)
    dying.cancel()  # before it could write down what it sent
    await asyncio.gather(dying, return_exceptions=True)
    await days.send()
    before = [each["status"] for each in days.deliveries(webhook)]
    await days.pass_to(days.now + timedelta(seconds=31))
    assert {each["status"] for each in days.deliveries(webhook)} == {"delivered"}
    assert set(receiver.said("data", "number")) == {1, 2}
    assert "waiting" in before


async def test_two_senders_share_the_work_and_send_nothing_twice(
    days: Days, make_receiver: Callable[[], Receiver]
) -> None:
    receivers = [make_receiver() for _ in range(4)]
    for receiver in receivers:
        days.subscribe(receiver)
    await days.happen(*(f"things/{number % 7}" for number in range(100)))
    await asyncio.gather(*(days.sender().step() for _ in range(2)))
    await days.send()
    for receiver in receivers:
        assert sorted(receiver.said("data", "number")) == list(range(1, 101))


async def test_a_run_stops_when_it_is_told_to(days: Days, receiver: Receiver) -> None:
    days.subscribe(receiver)
    await days.happen("things/1")
    stop, sender = asyncio.Event(), days.sender()
    running = asyncio.create_task(sender.run(stop))
    await asyncio.to_thread(eventually, lambda: receiver.requests)
    stop.set()
    await asyncio.wait_for(running, 60)
