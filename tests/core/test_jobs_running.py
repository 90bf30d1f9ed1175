"""Many jobs, many workers: fairness, crashes, lost Redis, orderly ends, crons."""

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fixtures import mortal
from fixtures.background import WorkerProcess
from fixtures.inside import Inside, inside
from fixtures.installation import Installation, SignUp, TestTenant
from fixtures.jobs import Bench, Nothing, running, shown, unique, until
from insula.db import Statement
from insula.jobs import Cron, Job, JobContext, turns
from msgspec.structs import replace
from redis.asyncio import Redis
from saq.job import Job as SaqJob
from saq.job import Status
from saq.queue.redis import RedisQueue
from sqlalchemy import text


@pytest.fixture
async def bench(installation: Installation, worker: WorkerProcess) -> AsyncIterator[Bench]:
    async with inside(installation) as platform:
        yield Bench(platform)


def set_up(bench: Bench, **settings: Any) -> Inside:
    """Other settings than the installation's, for runners made from now on."""
    foundation = bench.platform.foundation
    foundation.settings = replace(foundation.settings, **settings)
    return bench.platform


async def test_a_thousand_jobs_of_one_tenant_do_not_hold_up_anothers(
    bench: Bench, sign_up: SignUp
) -> None:
    noisy, quiet = sign_up(), sign_up()
    order: list[str] = []

    async def note(context: JobContext, args: Nothing) -> None:
        order.append(context.tenant.slug)

    job = Job(name=unique("garden.note"), args=Nothing, run=note)
    await bench.ask(noisy, job, count=1000)
    async with running(bench.runner([job])):
        await until(lambda: len(order) > 20)
        (job_id,) = await bench.ask(quiet, job)
        asked = len(order)
        await shown(quiet, job_id, "succeeded")
    assert quiet.slug in order
    assert order.index(quiet.slug) - asked < 500
    assert order.count(quiet.slug) == 1


async def test_a_tenant_holds_no_more_hands_than_its_share(bench: Bench, sign_up: SignUp) -> None:
    noisy, quiet = sign_up(), sign_up()
    let_go = asyncio.Event()
    begun: list[str] = []

    async def hold(context: JobContext, args: Nothing) -> None:
        begun.append(context.tenant.slug)
        await let_go.wait()

    job = Job(name=unique("garden.hold"), args=Nothing, run=hold)
    set_up(bench, job_concurrency=4, job_tenant_limit=3)
    await bench.ask(noisy, job, count=10)
    async with running(bench.runner([job])):
        await until(lambda: len(begun) == 3)
        (job_id,) = await bench.ask(quiet, job)
        await until(lambda: len(begun) == 4)
        assert begun == [noisy.slug] * 3 + [quiet.slug]
        let_go.set()
        await shown(quiet, job_id, "succeeded")


async def test_a_job_without_tenant_does_not_start(bench: Bench, acme: TestTenant) -> None:
    started: list[str] = []

    async def note(context: JobContext, args: Nothing) -> None:
        started.append(context.tenant.slug)

    job = Job(name=unique("garden.note"), args=Nothing, run=note)
    name = f"test-{secrets.token_hex(4)}"
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    (later,) = await bench.ask(acme, job, at=tomorrow)
    queue = RedisQueue(Redis.from_url(bench.platform.foundation.settings.redis_url), name=name)
    forged: list[dict[str, Any]] = [
        {"job": str(later), "turn": 1},
        {"job": str(later), "turn": 1, "tenant": None},
        {"job": str(later), "turn": 1, "tenant": "acme"},
        {},
    ]
    keys = [secrets.token_hex(4) for _ in forged]
    for key, message in zip(keys, forged, strict=True):
        await queue.enqueue(SaqJob("run", message, key=key, ttl=0))
    async with running(bench.runner([job], queue=name)):
        (job_id,) = await bench.ask(acme, job)
        await shown(acme, job_id, "succeeded")
        for key in keys:
            refused = await queue.job(key)
            assert refused is not None
            assert refused.status == Status.FAILED
            assert refused.error is not None
            assert "without tenant" in refused.error
    await queue.disconnect()
    assert started == [acme.slug]


async def test_a_job_whose_worker_was_killed_runs_again(
    installation: Installation, bench: Bench, acme: TestTenant
) -> None:
    job = Job(name=unique("garden.die"), args=dict, run=mortal.die_once)
    (job_id,) = await bench.ask(acme, job, {})
    environ = {**os.environ, **installation.environ, "INSULA_JOB_LEASE_SECONDS": "1.5"}

    async def worker() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, mortal.__file__, job.name, env=environ
        )

    first = await worker()
    assert await asyncio.wait_for(first.wait(), 120) == -signal.SIGKILL
    assert (await shown(acme, job_id, "running"))["attempt"] == 1
    second = await worker()
    try:
        assert (await shown(acme, job_id, "succeeded"))["result"] == 2
    finally:
        second.kill()
        await second.wait()


async def test_what_a_worker_does_that_was_taken_for_dead_no_longer_counts(
    bench: Bench, acme: TestTenant
) -> None:
    begun: list[int] = []
    let_go = asyncio.Event()

    async def stall_once(context: JobContext, args: Nothing) -> int:
        begun.append(context.attempt)
        if context.attempt == 1:
            await let_go.wait()
        return context.attempt

    job = Job(name=unique("garden.stall"), args=Nothing, run=stall_once)
    (job_id,) = await bench.ask(acme, job)
    set_up(bench, job_lease_seconds=600)  # it won't say that it is alive for so long
    stalled = bench.runner([job])
    async with running(stalled):
        await until(lambda: begun == [1])
        expired = text(
            "UPDATE spool.job_turns SET lease = now() - interval '1s' WHERE job_id = :job"
        )
        async with bench.catalogue() as tx:
            await tx.execute(Statement(expired), job=job_id)
        async with running(bench.runner([job])):
            assert (await shown(acme, job_id, "succeeded"))["result"] == 2
        let_go.set()
    assert begun == [1, 2]
    assert (await shown(acme, job_id, "succeeded"))["result"] == 2


async def handed_out(
    bench: Bench, tenant: TestTenant, count: int
) -> tuple[Job[Any], str, list[UUID], list[UUID]]:
    """A job that was asked for so many times and put on its way, to a queue at which no worker is
    yet; that queue; the asked-for ids, and where those go that are run."""
    seen: list[UUID] = []

    async def note(context: JobContext, args: Nothing) -> None:
        seen.append(context.job_id)

    job = Job(name=unique("garden.note"), args=Nothing, run=note)
    set_up(bench, job_lease_seconds=1.5)
    asked = await bench.ask(tenant, job, count=count)
    queue = f"test-{secrets.token_hex(4)}"
    dispatcher = bench.runner([job], queue=queue).dispatcher(0)
    for _ in range(600):
        if await dispatcher.step():
            break
        await asyncio.sleep(0.05)
    return job, queue, asked, seen


async def test_a_redis_that_lost_its_memory_loses_no_job(bench: Bench, acme: TestTenant) -> None:
    job, name, asked, seen = await handed_out(bench, acme, 3)
    redis = Redis.from_url(bench.platform.foundation.settings.redis_url)
    lost = [key async for key in redis.scan_iter(f"saq:*{name}*")]
    assert lost
    await redis.delete(*lost)
    await redis.aclose()
    async with running(bench.runner([job], queue=name)):
        await until(lambda: set(seen) == set(asked))


async def test_a_turn_whose_worker_died_before_it_began_is_sent_again(
    bench: Bench, acme: TestTenant
) -> None:
    job, name, asked, seen = await handed_out(bench, acme, 2)
    dying = RedisQueue(Redis.from_url(bench.platform.foundation.settings.redis_url), name=name)
    in_hand = await dying.dequeue(timeout=60)
    assert in_hand is not None
    await in_hand.update(status=Status.ACTIVE)  # what SAQ's worker does ahead of calling us
    await dying.disconnect()
    async with running(bench.runner([job], queue=name)):
        await until(lambda: set(seen) == set(asked))
    assert len(seen) == 2


async def test_a_stopping_worker_lets_its_jobs_finish(bench: Bench, acme: TestTenant) -> None:
    begun, let_go = asyncio.Event(), asyncio.Event()

    async def hold(context: JobContext, args: Nothing) -> str:
        begun.set()
        await let_go.wait()
        return "finished"

    job = Job(name=unique("garden.hold"), args=Nothing, run=hold)
    (job_id,) = await bench.ask(acme, job)
    async with running(bench.runner([job])) as stop:
        await asyncio.wait_for(begun.wait(), 60)
        stop()
        await asyncio.sleep(0)
        let_go.set()
    assert (await shown(acme, job_id, "succeeded"))["result"] == "finished"


async def test_a_stopping_worker_gives_back_what_does_not_finish(
    bench: Bench, acme: TestTenant
) -> None:
    begun: list[int] = []

    async def hold_once(context: JobContext, args: Nothing) -> None:
        begun.append(context.attempt)
        if len(begun) == 1:
            await asyncio.Event().wait()

    job = Job(name=unique("garden.hold"), args=Nothing, run=hold_once)
    set_up(bench, job_drain_seconds=1)
    (job_id,) = await bench.ask(acme, job)
    async with running(bench.runner([job])) as stop:
        await until(lambda: begun == [1])
        stop()
    assert (await shown(acme, job_id, "queued"))["attempt"] == 0
    async with running(bench.runner([job])):
        await shown(acme, job_id, "succeeded")
    assert begun == [1, 1]


async def test_a_job_that_kills_its_worker_each_time_is_given_up(
    bench: Bench, acme: TestTenant
) -> None:
    begun: list[int] = []

    async def kill(context: JobContext, args: Nothing) -> None:
        begun.append(context.attempt)

    job = Job(name=unique("garden.kill"), args=Nothing, run=kill, attempts=2)
    (job_id,) = await bench.ask(acme, job, at=datetime.now(UTC) + timedelta(days=1))
    tenant = await bench.platform.tenant(acme)
    killed = text("UPDATE jobs SET status = 'running', attempt = 2, due_at = now() WHERE id = :job")
    async with bench.platform.transaction(tenant) as tx:
        await tx.execute(Statement(killed), job=job_id)
    async with bench.catalogue() as tx:
        await tx.execute(
            turns.ADD,
            tenant=tenant.number,
            job_id=job_id,
            name=job.name,
            traceparent="",
            ticket=job_id,
        )
    async with running(bench.runner([job])):
        dead = await shown(acme, job_id, "failed")
    assert begun == []
    assert "worker died" in dead["error"]


async def test_a_failed_job_gives_way_to_a_newer_one_of_its_key(
    bench: Bench, acme: TestTenant
) -> None:
    begun, let_go = asyncio.Event(), asyncio.Event()

    async def fail(context: JobContext, args: Nothing) -> None:
        begun.set()
        await let_go.wait()
        raise RuntimeError

    job = Job(name=unique("garden.fail"), args=Nothing, run=fail)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    (first,) = await bench.ask(acme, job, key="fail")
    async with running(bench.runner([job])):
        await asyncio.wait_for(begun.wait(), 60)
        (second,) = await bench.ask(acme, job, key="fail", at=tomorrow)
        let_go.set()
        await shown(acme, first, "cancelled")
    assert first != second
    assert (await shown(acme, second, "queued"))["attempt"] == 0


async def test_jobs_that_have_been_over_for_long_are_forgotten(
    bench: Bench, acme: TestTenant
) -> None:
    async def nothing(context: JobContext, args: Nothing) -> None: ...

    job = Job(name=unique("garden.nothing"), args=Nothing, run=nothing)
    (old,) = await bench.ask(acme, job)
    async with running(bench.runner([job])):
        await shown(acme, old, "succeeded")
    aged = text("UPDATE jobs SET finished_at = now() - interval '15 days' WHERE id = :job")
    async with bench.platform.transaction(await bench.platform.tenant(acme)) as tx:
        await tx.execute(Statement(aged), job=old)
    (new,) = await bench.ask(acme, job)
    async with running(bench.runner([job])):
        await shown(acme, new, "succeeded")
        await until(lambda: acme.http.get(f"/api/v1/jobs/{old}").status_code == 404)


async def test_a_cron_is_run_once_though_two_workers_look(bench: Bench) -> None:
    runs: list[datetime] = []
    ended = asyncio.Event()

    async def tidy(services: dict[str, Any]) -> None:
        assert "settings" in services
        runs.append(datetime.now(UTC))
        await asyncio.sleep(2.5)  # long enough for the other to look again
        ended.set()

    cron = Cron(name=unique("garden.tidy"), schedule="0 3 1 1 *", run=tidy)
    runners = [bench.runner([], [cron]), bench.runner([], [cron])]
    past = text("UPDATE spool.crons SET due_at = now() - interval '2 days' WHERE name = :cron")
    async with running(*runners):
        while True:
            async with bench.catalogue() as tx:
                if await tx.execute(Statement(past), cron=cron.name):
                    break
            await asyncio.sleep(0.05)
        await asyncio.wait_for(ended.wait(), 60)
    assert len(runs) == 1
    async with bench.catalogue() as tx:
        due = await tx.one(
            Statement(text("SELECT due_at FROM spool.crons WHERE name = :cron"), datetime),
            cron=cron.name,
        )
    assert due > datetime.now(UTC)
    assert (due.month, due.day, due.hour) == (1, 1, 3)
