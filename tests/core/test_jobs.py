"""Jobs from asking to the end: results, retries, dead letters, who may see and touch them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest
from fixtures.background import WorkerProcess
from fixtures.inside import inside
from fixtures.installation import Installation, SignUp, TestTenant
from fixtures.jobs import Bench, Nothing, running, shown, unique, until
from insula.db import Statement
from insula.jobs import GiveUp, Job, JobContext, TryAgain
from insula.jobs.running import pause
from insula.tenancy.roles import bucket_login, login_url
from sqlalchemy import text

QUICK = timedelta(milliseconds=20)


class Sum(msgspec.Struct):
    numbers: list[int]


@pytest.fixture
async def bench(installation: Installation, worker: WorkerProcess) -> AsyncIterator[Bench]:
    async with inside(installation) as platform:
        yield Bench(platform)


def owner_of(tenant: TestTenant) -> UUID:
    return UUID(tenant.http.get("/api/v1/me").json()["user"]["id"])


async def test_a_job_runs_bound_to_its_tenant_and_keeps_its_result(
    bench: Bench, acme: TestTenant
) -> None:
    async def add(context: JobContext, args: Sum) -> dict[str, Any]:
        return {"sum": sum(args.numbers), "tenant": context.tenant.slug}

    job = Job(name=unique("garden.add"), args=Sum, run=add)
    (job_id,) = await bench.ask(acme, job, Sum([1, 2, 3]))
    async with running(bench.runner([job])):
        done = await shown(acme, job_id, "succeeded")
    assert done["result"] == {"sum": 6, "tenant": acme.slug}
    assert done["attempt"] == 1
    assert done["error"] is None
    assert "args" not in done


# What a tenant's own role may write into the outbox, if somebody has smuggled in SQL.
_PLANTED = (
    "'1'",
    "'{}'",
    """'{"job_id": "1", "name": "garden.add"}'""",
    """'{"job_id": "01a00000-0000-7000-8000-000000000000", "name": null}'""",
    "(repeat('[', 5000) || repeat(']', 5000))::jsonb",
    "to_jsonb(repeat(md5(random()::text), 100000))",
    "jsonb_build_object('job_id', gen_random_uuid(), 'name', repeat('x', 3000))",
)


async def test_rows_that_make_no_sense_hold_up_nobodys_jobs(bench: Bench, sign_up: SignUp) -> None:
    hostile, other = sign_up(), sign_up()
    attacker = await bench.platform.tenant(hostile)
    async with bench.platform.transaction(attacker) as tx:
        rows = ", ".join(f"('job', '-infinity', {body})" for body in _PLANTED)  # most due of all
        await tx.run_script(f"INSERT INTO spool.outbox (kind, due_at, body) VALUES {rows}")

    async def water(context: JobContext, args: Nothing) -> None:
        pass

    job = Job(name=unique("garden.water"), args=Nothing, run=water)
    (job_id,) = await bench.ask(other, job)
    async with running(bench.runner([job])):
        await shown(other, job_id, "succeeded")


async def test_a_row_of_no_tenant_holds_up_nobodys_jobs(
    bench: Bench, installation: Installation, acme: TestTenant
) -> None:
    """A login role may not insert as itself, after a RESET ROLE that somebody has smuggled in; and
    should there be such a row, it goes."""
    tenant = await bench.platform.tenant(acme)
    plant = "INSERT INTO spool.outbox (kind, body) VALUES ('job', '{}'), ('event', '{}')"
    login = await asyncpg.connect(login_url(installation.settings, bucket_login(tenant.bucket)))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await login.execute(plant)
    await login.close()
    superuser = await asyncpg.connect(installation.settings.database_url)
    await superuser.execute(plant)
    await superuser.close()

    async def water(context: JobContext, args: Nothing) -> None:
        pass

    job = Job(name=unique("garden.water"), args=Nothing, run=water)
    (job_id,) = await bench.ask(acme, job)
    async with running(bench.runner([job])):
        await shown(acme, job_id, "succeeded")
    async with bench.catalogue() as tx:
        left = Statement(text("SELECT count(*) FROM spool.outbox WHERE tenant !~ '^t_'"), int)
        assert await tx.one(left) == 0


async def test_a_job_that_fails_is_tried_again_until_it_does_not(
    bench: Bench, acme: TestTenant
) -> None:
    async def flaky(context: JobContext, args: Nothing) -> int:
        if context.attempt < 3:
            raise RuntimeError("secret of the installation")
        return context.attempt

    job = Job(name=unique("garden.flaky"), args=Nothing, run=flaky, backoff=QUICK)
    (job_id,) = await bench.ask(acme, job)
    async with running(bench.runner([job])):
        assert (await shown(acme, job_id, "succeeded"))["result"] == 3


async def test_out_of_attempts_a_job_is_a_dead_letter_which_can_be_replayed(
    bench: Bench, acme: TestTenant
) -> None:
    broken = asyncio.Event()
    broken.set()

    async def doomed(context: JobContext, args: Nothing) -> int:
        if broken.is_set():
            raise RuntimeError("secret of the installation")
        return context.attempt

    job = Job(name=unique("garden.doomed"), args=Nothing, run=doomed, attempts=2, backoff=QUICK)
    (job_id,) = await bench.ask(acme, job)
    async with running(bench.runner([job])):
        dead = await shown(acme, job_id, "failed")
        assert dead["attempt"] == 2
        assert dead["error"].startswith("RuntimeError")
        assert "secret" not in dead["error"]
        letters = acme.http.get("/api/v1/jobs", params={"status": "failed"}).json()["items"]
        assert [letter["id"] for letter in letters] == [str(job_id)]
        broken.clear()
        replayed = acme.http.post(f"/api/v1/jobs/{job_id}/replay")
        assert replayed.status_code == 200, replayed.text
        assert replayed.json()["status"] == "queued"
        assert (await shown(acme, job_id, "succeeded"))["result"] == 1
    assert acme.http.post(f"/api/v1/jobs/{job_id}/replay").status_code == 409


async def test_giving_up_ends_a_job_at_once_and_says_why(bench: Bench, acme: TestTenant) -> None:
    async def hopeless(context: JobContext, args: Nothing) -> None:
        raise GiveUp("There is no such garden.")

    job = Job(name=unique("garden.hopeless"), args=Nothing, run=hopeless)
    (job_id,) = await bench.ask(acme, job)
    async with running(bench.runner([job])):
        dead = await shown(acme, job_id, "failed")
    assert (dead["error"], dead["attempt"]) == ("There is no such garden.", 1)


async def test_trying_again_waits_as_long_as_the_job_says(bench: Bench, acme: TestTenant) -> None:
    async def later(context: JobContext, args: Nothing) -> None:
        raise TryAgain("It rains.", after=timedelta(days=2))

    job = Job(name=unique("garden.later"), args=Nothing, run=later, backoff=QUICK)
    (job_id,) = await bench.ask(acme, job)
    async with running(bench.runner([job])):
        await until_attempt(acme, job_id, 1)
        waiting = await shown(acme, job_id, "queued")
    due = datetime.fromisoformat(waiting["due_at"])
    assert due > datetime.now(UTC) + timedelta(days=1)
    assert waiting["error"] == "It rains."


async def until_attempt(tenant: TestTenant, job_id: UUID, attempt: int) -> None:
    """Until the job has been tried so often, and waits."""

    def tried() -> bool:
        job = tenant.http.get(f"/api/v1/jobs/{job_id}").json()
        return bool(job["attempt"] == attempt and job["status"] == "queued")

    for _ in range(600):
        if await asyncio.to_thread(tried):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it was not tried")


async def test_a_job_that_takes_too_long_is_stopped(bench: Bench, acme: TestTenant) -> None:
    stopped = asyncio.Event()

    async def endless(context: JobContext, args: Nothing) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    job = Job(name=unique("garden.endless"), args=Nothing, run=endless, attempts=1, timeout=QUICK)
    (job_id,) = await bench.ask(acme, job)
    async with running(bench.runner([job])):
        dead = await shown(acme, job_id, "failed")
    assert stopped.is_set()
    assert "longer than" in dead["error"]


async def test_a_job_of_later_waits_and_its_key_moves_it(bench: Bench, acme: TestTenant) -> None:
    seen: list[int] = []

    async def note(context: JobContext, args: Sum) -> None:
        seen.extend(args.numbers)

    job = Job(name=unique("garden.note"), args=Sum, run=note)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    (first,) = await bench.ask(acme, job, Sum([1]), at=tomorrow, key="note")
    async with running(bench.runner([job])):
        (moved,) = await bench.ask(acme, job, Sum([2]), key="note")
        assert moved == first
        await shown(acme, first, "succeeded")
    assert seen == [2]


async def test_a_job_moved_to_later_does_not_start_at_its_first_time(
    bench: Bench, acme: TestTenant
) -> None:
    seen: list[int] = []

    async def note(context: JobContext, args: Sum) -> None:
        seen.extend(args.numbers)

    job = Job(name=unique("garden.note"), args=Sum, run=note)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    (moved,) = await bench.ask(acme, job, Sum([1]), key="note")
    await bench.ask(acme, job, Sum([2]), at=tomorrow, key="note")
    (other,) = await bench.ask(acme, job, Sum([3]))
    async with running(bench.runner([job])):
        await shown(acme, other, "succeeded")
        job_seen = await shown(acme, moved, "queued")
    assert (seen, job_seen["attempt"]) == ([3], 0)


async def test_a_waiting_job_can_be_called_off(bench: Bench, acme: TestTenant) -> None:
    async def never(context: JobContext, args: Nothing) -> None:
        raise AssertionError("it was called off")

    job = Job(name=unique("garden.never"), args=Nothing, run=never)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    (job_id,) = await bench.ask(acme, job, at=tomorrow)
    cancelled = acme.http.post(f"/api/v1/jobs/{job_id}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert acme.http.post(f"/api/v1/jobs/{job_id}/cancel").status_code == 409


async def test_a_running_job_that_is_called_off_is_stopped(bench: Bench, acme: TestTenant) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def endless(context: JobContext, args: Nothing) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    job = Job(name=unique("garden.endless"), args=Nothing, run=endless)
    (job_id,) = await bench.ask(acme, job)
    async with running(bench.runner([job])):
        await asyncio.wait_for(begun.wait(), 60)
        cancel = f"/api/v1/jobs/{job_id}/cancel"
        assert (await asyncio.to_thread(acme.http.post, cancel)).status_code == 200
        await asyncio.wait_for(stopped.wait(), 60)
    assert (await shown(acme, job_id, "cancelled"))["attempt"] == 1


async def test_progress_is_seen_and_told_to_whoever_started_the_job(
    bench: Bench, acme: TestTenant
) -> None:
    go_on = asyncio.Event()

    async def dig(context: JobContext, args: Nothing) -> None:
        await context.progress(1, 3, "digging")
        await go_on.wait()
        await context.progress(3, 3, "dug")

    job = Job(name=unique("garden.dig"), args=Nothing, run=dig)
    (job_id,) = await bench.ask(acme, job, actor=owner_of(acme))
    async with running(bench.runner([job])):
        for _ in range(600):
            seen = await shown(acme, job_id, "running", "queued")
            if seen["done"]:
                break
            await asyncio.sleep(0.05)
        assert (seen["done"], seen["total"], seen["note"]) == (1, 3, "digging")
        go_on.set()
        done = await shown(acme, job_id, "succeeded")
    assert (done["done"], done["note"]) == (3, "dug")
    events: list[Any] = []

    def told() -> bool:
        events[:] = acme.http.get("/api/v1/events").json()["items"]
        return any(event["type"] == "jobs.job.succeeded" for event in events)

    await until(told)
    assert {event["type"] for event in events} >= {"jobs.job.progressed", "jobs.job.succeeded"}
    assert {event["subject"] for event in events} == {f"jobs/{job_id}"}


async def test_a_job_is_shown_to_who_started_it_and_to_admins(
    bench: Bench, acme: TestTenant
) -> None:
    job = Job(name=unique("garden.own"), args=Nothing, run=_never)
    member, other, admin = acme.add_user(), acme.add_user(), acme.add_user("admin")
    mine = UUID(member.http.get("/api/v1/me").json()["user"]["id"])
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    (job_id,) = await bench.ask(acme, job, at=tomorrow, actor=mine)
    path = f"/api/v1/jobs/{job_id}"
    assert member.http.get(path).status_code == 200
    assert admin.http.get(path).status_code == 200
    assert other.http.get(path).status_code == 404
    assert other.http.post(path + "/cancel").status_code == 404
    assert member.http.get("/api/v1/jobs").status_code == 403
    assert member.http.post(path + "/replay").status_code == 403
    assert member.http.post(path + "/cancel").status_code == 200
    assert admin.http.post(path + "/replay").json()["status"] == "queued"


async def test_another_tenants_job_is_not_there(bench: Bench, sign_up: Any) -> None:
    job = Job(name=unique("garden.own"), args=Nothing, run=_never)
    acme, rival = sign_up(), sign_up()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    (job_id,) = await bench.ask(acme, job, at=tomorrow)
    assert rival.http.get(f"/api/v1/jobs/{job_id}").status_code == 404
    assert rival.http.post(f"/api/v1/jobs/{job_id}/cancel").status_code == 404
    assert rival.http.get("/api/v1/jobs").json()["items"] == []


async def _never(context: JobContext, args: Nothing) -> None:
    raise AssertionError("nobody runs this one")


def test_pauses_grow_up_to_a_limit_and_differ() -> None:
    job = Job(
        name="garden.water",
        args=Nothing,
        run=_never,
        backoff=timedelta(seconds=10),
        backoff_limit=timedelta(minutes=10),
    )
    for attempt, middle in ((1, 10), (2, 20), (4, 80), (20, 600), (10_000, 600)):
        pauses = {pause(job, attempt).total_seconds() for _ in range(50)}
        assert middle * 0.5 <= min(pauses) < max(pauses) <= middle * 1.5
