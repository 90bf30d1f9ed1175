"""Events: written with what they are about, numbered, listed, followed."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import asyncpg
import msgspec
import pytest
from fixtures.background import WorkerProcess
from fixtures.inside import Inside, inside
from fixtures.installation import Installation, SignUp, TestTenant
from fixtures.waiting import eventually
from insula.db import Work
from insula.events import Event, EventType, emit
from insula.events import log as events_log
from insula.events.following import Following
from insula.events.lanes import DueJob
from insula.events.relay import Relay, StartJobs
from insula.tenancy.roles import bucket_login, login_url
from insula.tenancy.tenant import Tenant


class Happened(msgspec.Struct, frozen=True):
    number: int


HAPPENED = EventType("tests.thing.happened", Happened, "For tests.")


async def happen(
    platform: Inside, tenant: Tenant, *numbers: int, subject: str = "things/1"
) -> None:
    async with platform.transaction(tenant) as tx:
        for number in numbers:
            await emit(tx, HAPPENED, Happened(number), subject="things/1")


async def happen_and_fail(platform: Inside, tenant: Tenant, number: int) -> None:
    async with platform.transaction(tenant) as tx:
        await emit(tx, HAPPENED, Happened(number), subject="things/1")
        await tx.run_script("SELECT 1 / 0")


def logged(acme: TestTenant, *, count: int, **query: Any) -> list[dict[str, Any]]:
    """The tenant's log, once it has so many events."""

    def look() -> list[dict[str, Any]]:
        answer = acme.http.get("/api/v1/events", params={"limit": 500, **query})
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        assert len(items) >= count
        return items

    return eventually(look)


async def test_what_commits_is_logged_in_order_and_what_does_not_is_not(
    installation: Installation, acme: TestTenant, worker: WorkerProcess
) -> None:
    async with inside(installation) as platform:
        tenant = await platform.tenant(acme)
        await happen(platform, tenant, 1, 2)
        with pytest.raises(asyncpg.PostgresError):
            await happen_and_fail(platform, tenant, 99)
        await happen(platform, tenant, 3)
    items = await asyncio.to_thread(logged, acme, count=3)
    assert [item["data"]["number"] for item in items] == [1, 2, 3]
    assert [int(item["sequence"]) for item in items] == [1, 2, 3]
    assert {item["source"] for item in items} == {f"urn:uuid:{acme.id}"}
    after = acme.http.get("/api/v1/events", params={"after": items[0]["id"]}).json()
    assert [item["data"]["number"] for item in after["items"]] == [2, 3]
    assert after["last"] == items[2]["id"]


def test_a_log_is_read_from_an_event_that_is_there(acme: TestTenant) -> None:
    answer = acme.http.get(
        "/api/v1/events", params={"after": "00000000-0000-7000-8000-000000000000"}
    )
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "?after"


def test_members_read_no_log(acme: TestTenant) -> None:
    assert acme.add_user("member").http.get("/api/v1/events").status_code == 403


async def test_a_tenant_writes_rows_of_its_own_to_the_outbox_and_reads_none(
    installation: Installation, sign_up: SignUp
) -> None:
    mine, other = sign_up(), sign_up()
    async with inside(installation) as platform:
        tenant, victim = await platform.tenant(mine), await platform.tenant(other)
    login = login_url(installation.settings, bucket_login(tenant.bucket))
    connection = await asyncpg.connect(login)
    try:
        for attack in (
            f"INSERT INTO spool.outbox (tenant, kind, body) "
            f"VALUES ('t_{victim.number}', 'event', '1')",
            "SELECT body FROM spool.outbox",
            "UPDATE spool.outbox SET tenant = tenant",
            "DELETE FROM spool.outbox",
            "INSERT INTO spool.outbox (kind, body) VALUES ('event', '1') RETURNING id",
            "SELECT spool.wake()",
            "SELECT pg_notify('insula_outbox', 'x')",
            "TRUNCATE spool.outbox",
        ):
            async with connection.transaction():
                await connection.execute(f"SET LOCAL ROLE t_{tenant.number}")
                with pytest.raises(asyncpg.PostgresError):
                    async with connection.transaction():
                        await connection.execute(attack)
    finally:
        await connection.close()


async def test_what_one_tenant_puts_into_the_outbox_holds_up_no_other(
    installation: Installation, sign_up: SignUp, worker: WorkerProcess
) -> None:
    hostile, other = sign_up(), sign_up()
    async with inside(installation) as platform:
        attacker, victim = await platform.tenant(hostile), await platform.tenant(other)
        async with platform.transaction(attacker) as tx:
            await tx.run_script("INSERT INTO spool.outbox (kind, body) VALUES ('event', '1')")
        await happen(platform, victim, 1, 2)
    items = await asyncio.to_thread(logged, other, count=2)
    assert [item["data"]["number"] for item in items] == [1, 2]


def _is_waited_for(installation: Installation, table: str) -> bool:
    """Whether somebody waits for a lock on a table."""
    waits = "SELECT count(*) > 0 FROM pg_locks WHERE relation = $1::text::regclass AND NOT granted"

    async def ask() -> Any:
        superuser = await asyncpg.connect(installation.settings.database_url)
        try:
            return await superuser.fetchval(waits, table)
        finally:
            await superuser.close()

    return bool(asyncio.run(ask()))


async def test_a_tenant_whose_tables_are_locked_holds_up_no_other(
    installation: Installation, sign_up: SignUp, worker: WorkerProcess
) -> None:
    made = [sign_up(), sign_up()]
    async with inside(installation) as platform:
        first, second = [await platform.tenant(tenant) for tenant in made]
        table = f"t_{first.number}.event_cursors"
        superuser = await asyncpg.connect(installation.settings.database_url)
        try:
            async with superuser.transaction():
                await superuser.execute(f"LOCK TABLE {table}")
                await happen(platform, first, 1)
                await asyncio.to_thread(eventually, partial(_is_waited_for, installation, table))
                await happen(platform, second, 1)
                await asyncio.to_thread(logged, made[1], count=1)
        finally:
            await superuser.close()
    await asyncio.to_thread(logged, made[0], count=1)


_FLOOD = """
INSERT INTO spool.outbox (kind, due_at, body)
SELECT 'job', now() - interval '1 hour', '{"job_id": "none"}' FROM generate_series(1, 2000)
"""
_ONE = "INSERT INTO spool.outbox (kind, body) VALUES ('job', '{}')"


async def test_a_flood_of_one_tenants_jobs_holds_up_no_others(
    installation: Installation, sign_up: SignUp, worker: WorkerProcess
) -> None:
    """Nor do those whose events are looked at first, however many they go on writing."""
    made = [sign_up(), sign_up()]
    await asyncio.to_thread(worker.stop)
    try:
        async with inside(installation) as platform:
            hostile, other = [await platform.tenant(tenant) for tenant in made]
            for tenant, script in ((hostile, _FLOOD), (other, _ONE)):
                async with platform.transaction(tenant) as tx:
                    await tx.run_script(script)
            handed: list[str] = []

            async def start_jobs(due: Sequence[DueJob]) -> None:
                handed.extend(job.role for job in due)

            relay = _relay(platform, start_jobs)
            assert await relay.step()
            await relay.finished()
            assert f"t_{other.number}" in handed
            assert len(handed) < 2000
            while f"t_{hostile.number}" in handed:
                handed.clear()
                await relay.step()
                await relay.finished()
    finally:
        await asyncio.to_thread(worker.start)


async def test_events_of_all_tenants_have_their_turn(
    installation: Installation,
    sign_up: SignUp,
    worker: WorkerProcess,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = [sign_up(), sign_up()]
    monkeypatch.setattr("insula.events.relay._LANES", 1)
    await asyncio.to_thread(worker.stop)
    try:
        async with inside(installation) as platform:
            tenants = [await platform.tenant(tenant) for tenant in made]
            relay = _relay(platform, _take_none)
            for _ in range(100):  # others' too may wait
                for tenant in tenants:
                    await happen(platform, tenant, 1)
                await relay.step()
                await relay.finished()
                seen = [tenant.http.get("/api/v1/events").json()["items"] for tenant in made]
                if all(seen):
                    break
            assert all(seen)
    finally:
        await asyncio.to_thread(worker.start)


async def _take_none(due: Sequence[DueJob]) -> None:
    pass


def _relay(platform: Inside, start_jobs: StartJobs) -> Relay:
    following = Following(platform.tenants, [], platform.foundation.tracing)
    return Relay(platform.foundation.catalogue, following, start_jobs, keep=timedelta(days=1))


async def test_nothing_is_lost_or_doubled_when_the_worker_is_killed(
    installation: Installation, acme: TestTenant, worker: WorkerProcess
) -> None:
    total = 120
    async with inside(installation) as platform:
        tenant = await platform.tenant(acme)
        for number in range(total):
            await happen(platform, tenant, number)
            if number in (30, 80):
                await asyncio.to_thread(worker.kill)
                await asyncio.to_thread(worker.start)
    items = await asyncio.to_thread(logged, acme, count=total)
    assert [item["data"]["number"] for item in items] == list(range(total))
    assert [int(item["sequence"]) for item in items] == list(range(1, total + 1))


class Collector:
    """A consumer of the tests."""

    attempts: int | None = 2

    def __init__(self, name: str, batch: int = 10, refuses: int | None = None) -> None:
        self.name, self.batch, self.refuses = name, batch, refuses
        self.got: list[int] = []

    def serves(self, tenant: Tenant) -> bool:
        return True

    def wants(self, event: Event) -> bool:
        return event.type == HAPPENED.name

    async def consume(self, tx: Work, tenant: Tenant, events: Sequence[Event]) -> None:
        numbers = [event.data["number"] for event in events]
        if self.refuses in numbers:
            raise RuntimeError(f"{self.refuses} is not wanted")
        self.got += numbers


async def follow(platform: Inside, tenant: Tenant, *consumers: Collector) -> Following:
    """Give the consumers a place at the beginning of the log."""
    async with platform.transaction(tenant) as tx:
        names = [consumer.name for consumer in consumers]
        await tx.execute(events_log.ADD_CURSORS, consumers=names, seq=0)
    return Following(platform.tenants, consumers, platform.foundation.tracing)


async def test_consumers_get_everything_once_each_at_its_own_pace(
    installation: Installation, acme: TestTenant, worker: WorkerProcess
) -> None:
    one, many = Collector("tests.one", batch=1), Collector("tests.many")
    async with inside(installation) as platform:
        tenant = await platform.tenant(acme)
        following = await follow(platform, tenant, one, many)
        await happen(platform, tenant, *range(25))
        await asyncio.to_thread(logged, acme, count=25)
        together = [following.catch_up(tenant) for _ in range(3)]
        await asyncio.gather(*together)  # as several workers would
        standing = await following.catch_up(tenant)
    assert one.got == many.got == list(range(25))
    assert standing.done_seq == 25


async def test_what_a_listener_cannot_take_is_set_aside_and_the_rest_goes_on(
    installation: Installation, acme: TestTenant, worker: WorkerProcess
) -> None:
    picky, easy = Collector("tests.picky", batch=1, refuses=2), Collector("tests.easy")
    async with inside(installation) as platform:
        tenant = await platform.tenant(acme)
        following = await follow(platform, tenant, picky, easy)
        await happen(platform, tenant, 1, 2, 3)
        await asyncio.to_thread(logged, acme, count=3)
        standing = await following.catch_up(tenant)
        assert (easy.got, picky.got) == ([1, 2, 3], [1])
        assert standing.retry_at is not None
        assert standing.done_seq == 1
        deadline = asyncio.get_running_loop().time() + 120
        while standing.done_seq < 3 and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.1)
            standing = await following.catch_up(tenant)
    assert picky.got == [1, 3]
    [letter] = acme.http.get("/api/v1/events/dead-letters").json()
    assert letter["consumer"] == "tests.picky"
    assert "2 is not wanted" in letter["error"]
    state = acme.http.get("/api/v1/events/consumers").json()
    assert {line["consumer"]: line["seq"] for line in state}["tests.picky"] == 3


async def test_a_consumer_can_be_sent_back(
    installation: Installation, acme: TestTenant, worker: WorkerProcess
) -> None:
    again = Collector("tests.again")
    async with inside(installation) as platform:
        tenant = await platform.tenant(acme)
        following = await follow(platform, tenant, again)
        await happen(platform, tenant, 1, 2, 3)
        events = await asyncio.to_thread(logged, acme, count=3)
        await following.catch_up(tenant)
        answer = acme.http.post(
            "/api/v1/events/rewind", json={"consumer": "tests.again", "after": events[0]["id"]}
        )
        assert answer.status_code == 204, answer.text
        await following.catch_up(tenant)
    assert again.got == [1, 2, 3, 2, 3]
    nobody = acme.http.post("/api/v1/events/rewind", json={"consumer": "nobody"})
    assert nobody.status_code == 404
