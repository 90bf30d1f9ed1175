"""Tenants have their places on the pool's connections, and the connections their limits."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest
from fixtures.installation import Installation
from insula.db import Database
from insula.db.pool import Pool
from insula.tenancy.cells import CATALOGUE_PRELUDE
from insula.tenancy.roles import PROVISIONER, login_url


@asynccontextmanager
async def pool_of(installation: Installation, *, size: int, tenants: int) -> AsyncIterator[Pool]:
    pool = Pool(login_url(installation.settings, PROVISIONER), size=size, tenants=tenants)
    try:
        yield pool
    finally:
        await pool.close()


async def serve(pool: Pool, *roles: str) -> list[int]:
    """The process ids of the backends that served these, one after the other."""
    pids = []
    for role in roles:
        async with pool.connection(role) as connection:
            pids.append(connection.raw.get_server_pid())
    return pids


async def until(check: Callable[[], bool]) -> None:
    for _ in range(12_000):
        if check():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nothing after two minutes")


async def opened(pool: Pool, count: int) -> None:
    """Until so many connections are idle."""
    await until(lambda: len(pool._idle) >= count and not pool._opening)


def run(installation: Installation, test: Callable[[Pool], Awaitable[None]], **size: int) -> None:
    async def inside() -> None:
        async with pool_of(installation, **size) as pool:
            await test(pool)

    asyncio.run(inside())


def test_the_provisioner_is_renewed_after_many_scripts(installation: Installation) -> None:
    async def test(pool: Pool) -> None:
        database = Database([pool])
        backends = []
        for _ in range(4):
            async with database.transaction(0, CATALOGUE_PRELUDE) as work:
                await work.run_script("SELECT 1")
                await work.run_script("SELECT 1")
                backends.append((await work.bare()).get_server_pid())
        assert backends[0] == backends[1] != backends[2] == backends[3]

    run(installation, test, size=1, tenants=1)


def test_nobody_waits_for_an_old_connection_to_be_renewed(installation: Installation) -> None:
    async def test(pool: Pool) -> None:
        database = Database([pool])

        async def served() -> int:
            async with database.transaction(0, CATALOGUE_PRELUDE) as work:
                await work.run_script("SELECT 1")
                await work.run_script("SELECT 1")
                return int((await work.bare()).get_server_pid())

        first, again, meanwhile = [await served() for _ in range(3)]
        assert first == again == meanwhile  # it is old by now, and another is being opened
        await until(lambda: not pool._opening)
        assert await served() == first
        second = await served()
        assert second != first
        assert pool._open == 1

    run(installation, test, size=2, tenants=1)


def test_a_tenant_goes_back_to_its_connection(installation: Installation) -> None:
    async def test(pool: Pool) -> None:
        async with pool.connection("a") as first, pool.connection("b") as second:
            places = [first.raw.get_server_pid(), second.raw.get_server_pid()]
        assert places[0] != places[1]
        assert await serve(pool, "a", "b", "b", "a", "a") == [
            places[index] for index in (0, 1, 1, 0, 0)
        ]

    run(installation, test, size=4, tenants=10)


def test_few_tenants_share_one_connection(installation: Installation) -> None:
    async def test(pool: Pool) -> None:
        assert len(set(await serve(pool, *"abcdefgh"))) == 1

    run(installation, test, size=4, tenants=8)


def test_more_tenants_get_more_connections_and_keep_their_places(
    installation: Installation,
) -> None:
    async def test(pool: Pool) -> None:
        await serve(pool, "a", "b", "c")
        await opened(pool, 2)
        before = await serve(pool, "c", "d", "a", "b")
        assert len(set(before)) == 2
        assert await serve(pool, "c", "d", "a", "b") == before

    run(installation, test, size=2, tenants=2)


def test_no_backend_serves_more_tenants_than_it_may(installation: Installation) -> None:
    async def test(pool: Pool) -> None:
        seen: dict[int, set[int]] = {}
        for number in range(60):
            (pid,) = await serve(pool, f"t{number}")
            seen.setdefault(pid, set()).add(number)
            await opened(pool, 1)
        assert max(len(tenants) for tenants in seen.values()) <= 6
        assert len(seen) >= 10
        assert pool._open <= 2
        assert len(pool._places) <= 12

    run(installation, test, size=2, tenants=4)


def test_one_that_broke_is_forgotten(installation: Installation) -> None:
    async def test(pool: Pool) -> None:
        (pid,) = await serve(pool, "a")
        killer = await asyncpg.connect(installation.settings.database_url)
        await killer.fetchval("SELECT pg_terminate_backend($1)", pid)
        await until(next(iter(pool._idle)).raw.is_closed)
        await killer.close()
        assert await serve(pool, "a") != [pid]
        assert pool._open == 1

    run(installation, test, size=2, tenants=4)


def test_nobody_suffers_from_a_connection_that_could_not_be_opened_ahead(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(pool: Pool) -> None:
        await serve(pool, "a", "b")
        monkeypatch.setattr(pool, "_dsn", "postgresql:///nowhere?host=/nowhere")
        before = await serve(pool, "c")  # opens another ahead, in vain
        await until(lambda: not pool._opening)
        assert pool._open == 1
        assert await serve(pool, "a") == before

    run(installation, test, size=2, tenants=2)


async def full(pool: Pool) -> tuple[int, int]:
    """Two connections without room for guests: one of "a" and "b", one of "c" and "d"."""
    await serve(pool, "a", "b", "c")
    await opened(pool, 2)
    first, _, other, _ = await serve(pool, *"abdc")
    assert first != other
    return first, other


def test_a_tenant_waits_a_moment_for_its_connection(installation: Installation) -> None:
    async def test(pool: Pool) -> None:
        first, _ = await full(pool)
        async with pool.connection("b"):
            waiting = asyncio.create_task(serve(pool, "a"))
            await asyncio.sleep(0)
            assert pool._idle, "the other one is free, and not taken"
        assert await waiting == [first]

    run(installation, test, size=2, tenants=2)


def test_a_tenant_is_a_guest_while_its_connection_is_busy_for_long(
    installation: Installation,
) -> None:
    async def test(pool: Pool) -> None:
        first, other = await full(pool)
        async with pool.connection("b"):
            assert await serve(pool, "a", "a") == [other, other]
        assert await serve(pool, "a") == [first]
        assert pool._open == 2

    run(installation, test, size=2, tenants=2)


def test_guests_are_for_connections_of_few_tenants(installation: Installation) -> None:
    """However much room there is: each costs a first touch, and memory on one more connection."""

    async def test(pool: Pool) -> None:
        (first,) = set(await serve(pool, *(f"a{n}" for n in range(99))))
        async with pool.connection("a1"):
            (other,) = set(await serve(pool, *(f"b{n}" for n in range(99)), "a2"))
            waiting = asyncio.create_task(serve(pool, "a3"))
            await asyncio.sleep(0)
            assert pool._idle, "the other one is free, and not taken"
        assert other != first
        assert await waiting == [first]

    run(installation, test, size=2, tenants=1000)


def test_whoever_waits_for_a_connection_that_breaks_gets_another(
    installation: Installation,
) -> None:
    async def test(pool: Pool) -> None:
        first, _ = await full(pool)
        connection = await pool.acquire("b")
        waiting = asyncio.create_task(serve(pool, "a"))
        await asyncio.sleep(0)
        pool.discard(connection)
        (pid,) = await waiting
        assert pid != first
        assert pool._open <= 2

    run(installation, test, size=2, tenants=2)


def test_guests_take_nobodys_place(installation: Installation) -> None:
    async def test(pool: Pool) -> None:
        await serve(pool, *"abcd")
        await opened(pool, 2)
        async with pool.connection("d") as connection:
            first = connection.raw.get_server_pid()
            (other,) = set(await serve(pool, *"abc"))
        assert other != first
        assert await serve(pool, *"ee") == [other, other]
        assert set(await serve(pool, *"abcd")) == {first}
        assert not pool._opening, "none is renewed"

    run(installation, test, size=2, tenants=3)


def test_none_is_renewed_because_one_with_room_is_busy(installation: Installation) -> None:
    """Its tenants would look for a place, meet one that is busy, and have the next one renewed."""

    async def test(pool: Pool) -> None:
        await serve(pool, *"abcde")
        await opened(pool, 2)
        (first,) = set(await serve(pool, *"abcde"))
        async with pool.connection("f") as other:
            assert other.raw.get_server_pid() != first
            assert await serve(pool, "g") == [first]
        assert set(await serve(pool, *"abcdeg")) == {first}
        assert not pool._opening

    run(installation, test, size=2, tenants=4)
