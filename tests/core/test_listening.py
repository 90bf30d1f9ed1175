"""Waking what waits for PostgreSQL's NOTIFY, while connections die."""

import asyncio

import asyncpg
import pytest
from fixtures.installation import Installation
from insula.db.listening import listen


@pytest.mark.parametrize(
    "fault",
    [
        asyncpg.InternalClientError("another operation is in progress"),
        asyncpg.ConnectionDoesNotExistError("closed in the middle of an operation"),
        LookupError("no such cell"),
        OSError("refused"),
    ],
    ids=lambda fault: type(fault).__name__,
)
async def test_whatever_is_wrong_at_first_it_listens_in_the_end(
    installation: Installation, fault: Exception
) -> None:
    """A worker is over when one of its parts is."""
    faults, woken, stop = [fault], asyncio.Semaphore(0), asyncio.Event()
    url = installation.settings.database_url

    async def dsn() -> str:
        if faults:
            raise faults.pop()
        return url

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(listen(dsn, {"tests_channel": woken.release}, stop))
        await woken.acquire()  # it listens
        connection = await asyncpg.connect(url)
        await connection.execute("NOTIFY tests_channel")
        await connection.close()
        await woken.acquire()
        stop.set()


async def test_a_listener_whose_connection_is_killed_comes_back(installation: Installation) -> None:
    woken, stop = asyncio.Semaphore(0), asyncio.Event()
    url = installation.settings.database_url

    async def dsn() -> str:
        return url

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(listen(dsn, {"tests_killed": woken.release}, stop))
        await woken.acquire()
        connection = await asyncpg.connect(url)
        killed = await connection.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE query = 'LISTEN \"tests_killed\"' OR query = 'LISTEN tests_killed'"
        )
        assert killed == 1
        await woken.acquire()  # listens again, and says so
        await connection.execute("NOTIFY tests_killed")
        await connection.close()
        await woken.acquire()
        stop.set()
