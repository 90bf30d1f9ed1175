"""The database's part of provisioning, with few tenants there and with many."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from secrets import token_hex
from typing import Any, NamedTuple
from unittest.mock import patch

import asyncpg
from insula import collector
from insula.db import Work
from insula.http.redis_line import Address, RedisLine
from insula.identity import passwords
from insula.identity.revocations import Revocations
from insula.identity.sessions import Device, Sessions
from insula.identity.tokens import AccessTokens
from insula.module import discover
from insula.tenancy import provisioning
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME, Cells
from insula.tenancy.filling import Filling
from insula.tenancy.schemas import Owner, SignUp
from insula.tenancy.signup import sign_up
from insula.tenancy.tenant import Tenant

from insula_bench.crowd import Crowd
from insula_bench.provisioning_bare import Bare, sync
from insula_bench.timing import Times

CATALOGUES = (
    "pg_class", "pg_attribute", "pg_type", "pg_index", "pg_constraint", "pg_trigger", "pg_policy",
    "pg_attrdef", "pg_proc", "pg_depend", "pg_shdepend",
)  # fmt: skip
_OF_THIS = " WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
_PASSWORD = "a long enough pass phrase"
_SIGN_UPS = 3
"""For each time that a module is switched on."""
_STOCK = 10
"""Sign-ups one after the other in the grown installation alone: a p99 wants many, and the small one
is to stay small."""


class Figures(NamedTuple):
    sign_up: Times
    slot: Times
    enable: Times
    cold: Times
    bare: Times
    """The tables of a cold build by PostgreSQL alone, in an empty database of the same server."""
    disk: Times
    """A page until it is on the disk."""


class Size(NamedTuple):
    """What was measured with so many tenants in the installation that grows."""

    tenants: int
    small: Figures
    grown: Figures
    tables: int
    """That a cold build makes."""
    rows: dict[str, int]
    """Lines in PostgreSQL's catalogues that it writes."""
    huge_pages: str
    """Whether PostgreSQL's shared memory is in huge pages."""


def measure(small: Crowd, grown: Crowd, *, times: int) -> Size:
    """Each thing so many times, at the small installation and at the grown one in turns."""
    return asyncio.run(_measure(small, grown, times))


async def _measure(small: Crowd, grown: Crowd, times: int) -> Size:
    collector.freeze()  # as Insula's own processes do
    known = await passwords.hash_password(_PASSWORD)

    async def hashed(_: str) -> str:
        return known

    strong = patch.object(passwords, "check_strength", lambda *_, **__: None)
    with (
        patch.object(passwords, "hash_password", hashed),
        strong,
    ):  # before BEGIN, and no database's
        benches = [_Bench(crowd, await Bare.made(crowd.urls[0])) for crowd in (small, grown)]
        try:
            for bench in benches:
                await bench.connect()
            for number in range(times + 1):
                for bench in benches:
                    await bench.round(is_counted=number > 0)
            for number in range(1 + -(-times // 2)):
                for bench in benches:
                    await bench.cold(is_counted=number > 0)
            for number in range(1 + -(-times // 3)):
                for bench in benches:
                    await bench.bare(is_counted=number > 0)
            for _ in range(times * 2 // 3):
                await benches[1].sign_ups(_STOCK)
            rows = await benches[1].rows_of_cold()
            huge_pages = await benches[1].huge_pages()
        finally:
            for bench in benches:
                await bench.close()
    of_small, of_grown = (bench.figures() for bench in benches)
    return Size(grown.tenants, of_small, of_grown, rows.pop("tables"), rows, huge_pages)


class _Bench:
    def __init__(self, crowd: Crowd, bare: Bare) -> None:
        installation = crowd.installation
        self._urls = crowd.urls
        self._bare = bare
        self._folder = installation.folder
        self._settings = installation.settings
        self._modules = discover()
        self._cells = Cells(self._settings, size=4)
        self._worker = Cells(self._settings, size=4)
        self._filling = Filling(self._worker.catalogue, buckets=self._settings.buckets)
        tokens = AccessTokens(self._settings.secret_key, seconds=900)
        revocations = Revocations(RedisLine(Address(self._settings.redis_url), ()), 900)
        self._sessions = Sessions(tokens, revocations, refresh_seconds=86400, lasting_seconds=86400)
        self._found: dict[str, list[float]] = {name: [] for name in Figures._fields}

    def figures(self) -> Figures:
        return Figures(*(Times(name, seconds) for name, seconds in self._found.items()))

    async def connect(self) -> None:
        """To every cell, as whoever has been at work for a while is."""
        for cell in range(len(self._urls)):
            for cells in (self._cells, self._worker):
                async with cells.catalogue.transaction(cell, CATALOGUE_PRELUDE) as work:
                    await work.bare()

    async def round(self, *, is_counted: bool) -> None:
        """Slots and as many sign-ups; notes for the last one."""
        await self.sign_ups(_SIGN_UPS - 1, is_counted=is_counted)
        made: list[Tenant] = []

        async def claim(work: Work) -> None:
            made.append(await self._sign_up(work))

        async def enable(work: Work) -> None:
            await provisioning.enable(work, made[0], self._modules["notes"])

        await self._note(is_counted, slot=self._build_slot, disk=self._sync)
        await self._note(is_counted, sign_up=lambda: self._transact(claim))
        await self._note(is_counted, enable=lambda: self._transact(enable))

    async def cold(self, *, is_counted: bool) -> None:
        """A tenant where no worker fills slots: then each one is built like that."""
        await self._note(is_counted, cold=lambda: self._transact(self._build_whole))

    async def bare(self, *, is_counted: bool) -> None:
        await self._note(is_counted, bare=self._bare.build)

    async def sign_ups(self, count: int, *, is_counted: bool = True) -> None:
        """So many slots, and then a sign-up on each."""
        for _ in range(count):
            await self._note(is_counted, slot=self._build_slot, disk=self._sync)
        for _ in range(count):
            await self._note(is_counted, sign_up=lambda: self._transact(self._claim))

    async def _note(
        self, is_counted: bool, **acts: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        for name, act in acts.items():
            seconds = await self._timed(act)
            if is_counted:
                self._found[name].append(seconds)

    async def _claim(self, work: Work) -> None:
        await self._sign_up(work)

    async def _sync(self) -> None:
        await sync(self._folder)

    async def rows_of_cold(self) -> dict[str, int]:
        before = await self._rows()
        await self._transact(self._build_whole)
        return {name: count - before[name] for name, count in (await self._rows()).items()}

    async def huge_pages(self) -> str:
        connection = await asyncpg.connect(self._settings.database_url)
        try:
            return str(await connection.fetchval("SHOW huge_pages_status"))
        finally:
            await connection.close()

    async def close(self) -> None:
        await self._cells.close()
        await self._worker.close()
        await self._bare.close()

    async def _timed(self, act: Callable[[], Coroutine[Any, Any, None]]) -> float:
        started = time.perf_counter()
        await act()
        return time.perf_counter() - started

    async def _transact(self, act: Callable[[Work], Coroutine[Any, Any, None]]) -> None:
        """From BEGIN to after COMMIT."""
        async with self._cells.catalogue.transaction(HOME, CATALOGUE_PRELUDE) as work:
            await act(work)

    async def _sign_up(self, work: Work) -> Tenant:
        owner = Owner(email="o@example.com", name="O", password=_PASSWORD)
        form = SignUp(slug=_slug(), name="Tenant", owner=owner)
        device = Device("bench", "127.0.0.1")
        buckets = self._settings.buckets
        return (await sign_up(work, self._sessions, form, device, buckets=buckets)).tenant

    async def _build_slot(self) -> None:
        await self._filling.finish(await self._filling.begin())

    async def _build_whole(self, work: Work) -> None:
        """A tenant without a slot, with every module."""
        buckets = self._settings.buckets
        async with provisioning.creating(work, slug=_slug(), name="Tenant", buckets=buckets) as at:
            tenant, _ = at
        await provisioning.enable(work, tenant, *self._modules.values())

    async def _rows(self) -> dict[str, int]:
        found = [await _counted(url) for url in self._urls]
        return {name: sum(each[name] for each in found) for name in found[0]}


def _slug() -> str:
    return f"made-{token_hex(8)}"


async def _counted(url: str) -> dict[str, int]:
    """Lines of a database's catalogues; of one that databases share, those that are of this one."""
    connection = await asyncpg.connect(url)
    try:
        counts = {
            name: await connection.fetchval(
                f"SELECT count(*) FROM pg_catalog.{name}"
                + (_OF_THIS if name == "pg_shdepend" else "")
            )
            for name in CATALOGUES
        }
        tables = "SELECT count(*) FROM pg_class WHERE relkind = 'r'"
        return {**counts, "tables": await connection.fetchval(tables)}
    finally:
        await connection.close()
