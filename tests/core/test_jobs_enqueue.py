"""Asking for jobs: rows in the tenant's schema and in the outbox, in the caller's transaction."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest
from fixtures.installation import Installation, TestTenant
from insula.db import Database, Work
from insula.db.capabilities import Capabilities
from insula.db.pool import Pool
from insula.jobs import Job, JobContext, cancel, enqueue
from insula.tenancy.roles import bucket_login, login_url
from insula.tenancy.tenant import prelude

TOMORROW = datetime(2100, 1, 1, tzinfo=UTC)


class Water(msgspec.Struct):
    plants: int


async def water(context: JobContext, args: Water) -> None:
    raise AssertionError("nobody runs this one")


WATER = Job(name="garden.water", args=Water, run=water)


@asynccontextmanager
async def bound(installation: Installation, tenant: TestTenant) -> AsyncIterator[Work]:
    """A transaction of the tenant, as a handler is given one."""
    admin = await asyncpg.connect(installation.settings.database_url)
    row = await admin.fetchrow(
        "SELECT number, bucket FROM ctl.tenants WHERE slug = $1", tenant.slug
    )
    await admin.close()
    pool = Pool(login_url(installation.settings, bucket_login(row["bucket"])), size=1)
    database = Database([pool], Capabilities(installation.settings.secret_key))
    try:
        async with database.transaction(0, prelude(row["number"])) as work:
            yield work
    finally:
        await database.close()


async def rows(installation: Installation, job_id: UUID) -> list[dict[str, Any]]:
    """What the outbox has of a job."""
    admin = await asyncpg.connect(installation.settings.database_url)
    found = await admin.fetch(
        "SELECT tenant, due_at, body::text FROM spool.outbox "
        "WHERE kind = 'job' AND body->>'job_id' = $1 ORDER BY id",
        str(job_id),
    )
    await admin.close()
    return [dict(row) | {"body": msgspec.json.decode(row["body"])} for row in found]


async def test_a_job_is_spooled_for_its_tenant_with_the_transaction(
    installation: Installation, acme: TestTenant
) -> None:
    async with bound(installation, acme) as tx:
        job_id = await enqueue(tx, WATER, Water(3), at=TOMORROW)
    (row,) = await rows(installation, job_id)
    assert row["due_at"] == TOMORROW
    assert row["tenant"].startswith("t_")
    assert row["body"] == {"job_id": str(job_id), "name": "garden.water", "traceparent": ""}


async def test_a_transaction_that_fails_leaves_no_job(
    installation: Installation, acme: TestTenant
) -> None:
    asked: list[UUID] = []

    async def ask_and_fail() -> None:
        async with bound(installation, acme) as tx:
            asked.append(await enqueue(tx, WATER, Water(3), at=TOMORROW))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await ask_and_fail()
    assert await rows(installation, asked[0]) == []


async def test_a_key_moves_the_job_that_waits(installation: Installation, acme: TestTenant) -> None:
    later = TOMORROW + timedelta(days=1)
    async with bound(installation, acme) as tx:
        first = await enqueue(tx, WATER, Water(1), at=TOMORROW, key="water")
        second = await enqueue(tx, WATER, Water(2), at=later, key="water")
        other = await enqueue(tx, WATER, Water(3), at=TOMORROW)
    assert first == second != other
    assert [row["due_at"] for row in await rows(installation, first)] == [TOMORROW, later]


async def test_a_cancelled_key_is_free_again(installation: Installation, acme: TestTenant) -> None:
    async with bound(installation, acme) as tx:
        first = await enqueue(tx, WATER, Water(1), at=TOMORROW, key="water")
        assert await cancel(tx, key="water")
        assert not await cancel(tx, key="water")
        assert await enqueue(tx, WATER, Water(1), at=TOMORROW, key="water") != first
