"""The database's part of provisioning, with few tenants there and with many."""

import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, NamedTuple
from unittest.mock import patch

import asyncpg
from insula.db import Work
from insula.http.redis_line import Address, RedisLine
from insula.identity import passwords
from insula.identity.revocations import Revocations
from insula.identity.sessions import Device, Sessions
from insula.identity.tokens import AccessTokens
from insula.module import Module, discover
from insula.tenancy import provisioning
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME, Cells
from insula.tenancy.filling import Filling
from insula.tenancy.populating import populate
from insula.tenancy.schemas import Owner, SignUp
from insula.tenancy.signup import sign_up
from insula.tenancy.tenant import Tenant

from insula_bench.installation import Installation
from insula_bench.timing import Times

CATALOGUES = (
    "pg_class", "pg_attribute", "pg_type", "pg_index", "pg_constraint", "pg_trigger", "pg_policy",
    "pg_attrdef", "pg_proc", "pg_depend", "pg_shdepend",
)  # fmt: skip
_MODEL = "like-1"
_PASSWORD = "a long enough pass phrase"


class Size(NamedTuple):
    """What was measured with so many tenants there."""

    tenants: int
    sign_up: Times
    slot: Times
    enable: Times
    cold: Times
    tables: int
    """That a cold build makes."""
    rows: dict[str, int]
    """Lines in PostgreSQL's catalogues that it writes."""


async def measure(installation: Installation, *, tenants: int, sizes: Sequence[int]) -> list[Size]:
    """One size after the other, in the same installation; each thing is done ``tenants`` times."""
    known = await passwords.hash_password(_PASSWORD)

    async def hashed(_: str) -> str:
        return known

    with patch.object(passwords, "hash_password", hashed):
        bench = _Bench(installation)
        try:
            await bench.transact(bench.found_model)
            return [await bench.at(size, tenants) for size in sizes]
        finally:
            await bench.close()


class _Bench:
    def __init__(self, installation: Installation) -> None:
        self._settings = installation.settings
        self._modules = discover()
        self._cells = Cells(self._settings, size=4)
        self._filling = Filling(self._cells.catalogue, buckets=self._settings.buckets)
        tokens = AccessTokens(self._settings.secret_key, seconds=900)
        revocations = Revocations(RedisLine(Address(self._settings.redis_url), ()), 900)
        self._sessions = Sessions(tokens, revocations, refresh_seconds=86400, lasting_seconds=86400)
        self._made = 0

    async def close(self) -> None:
        await self._cells.close()

    async def at(self, size: int, times: int) -> Size:
        print(f"  with {size:,} tenants", file=sys.stderr, flush=True)
        await self._populate(size)
        slots = [await self._timed(self._build_slot) for _ in range(times)]
        made: list[Tenant] = []

        async def claim(work: Work) -> None:
            made.append(await self._sign_up(work))

        sign_ups = [await self._timed(lambda: self.transact(claim)) for _ in range(times)]
        notes = self._modules["notes"]
        enabled = []
        for tenant in made:

            async def enable(work: Work, tenant: Tenant = tenant) -> None:
                await provisioning.enable(work, tenant, notes)

            enabled.append(await self._timed(lambda act=enable: self.transact(act)))  # type: ignore[misc]
        before = await self._rows()
        cold = [await self._timed(lambda: self.transact(self._build_whole))]
        rows = {name: count - before[name] for name, count in (await self._rows()).items()}
        cold += [
            await self._timed(lambda: self.transact(self._build_whole))
            for _ in range(max(1, times // 3))
        ]
        return Size(
            size,
            Times("sign-up on a slot", sign_ups),
            Times("building a slot", slots),
            Times(f"switching notes on, {len(notes.tables)} tables", enabled),
            Times("cold build", cold),
            rows.pop("tables"),
            rows,
        )

    async def _timed(self, act: Callable[[], Coroutine[Any, Any, None]]) -> float:
        started = time.perf_counter()
        await act()
        return time.perf_counter() - started

    async def transact(self, act: Callable[[Work], Coroutine[Any, Any, None]]) -> None:
        """From BEGIN to after COMMIT."""
        async with self._cells.catalogue.transaction(HOME, CATALOGUE_PRELUDE) as work:
            await act(work)

    async def found_model(self, work: Work) -> None:
        """The tenant that those who are just there are like."""
        tenant = await self._sign_up(work, _MODEL)
        await provisioning.enable(work, tenant, self._modules["notes"])

    async def _sign_up(self, work: Work, slug: str = "") -> Tenant:
        self._made += 1
        owner = Owner(email="o@example.com", name="O", password=_PASSWORD)
        form = SignUp(slug=slug or f"made-{self._made}", name="Tenant", owner=owner)
        device = Device("bench", "127.0.0.1")
        buckets = self._settings.buckets
        return (await sign_up(work, self._sessions, form, device, buckets=buckets)).tenant

    async def _build_slot(self) -> None:
        await self._filling.finish(await self._filling.begin())

    async def _build_whole(self, work: Work) -> None:
        """A sign-up without a slot, and every module."""
        tenant = await self._sign_up(work)
        await provisioning.enable(work, tenant, *self._modules.values())

    async def _populate(self, size: int) -> None:
        upto = max(0, size - self._made)
        modules: dict[str, Module] = self._modules
        await populate(
            self._settings, modules, like=_MODEL, prefix="like", upto=upto, workers=4,
            progress=lambda *_: None,
        )  # fmt: skip
        connection = await asyncpg.connect(self._settings.database_url)
        try:  # what a server that has been up for a while would have done
            for name in CATALOGUES:
                with suppress(asyncpg.PostgresError):
                    await connection.execute(f"VACUUM (ANALYZE) pg_catalog.{name}")
            await connection.execute("VACUUM (ANALYZE) ctl.tenants, ctl.tenant_modules, ctl.slots")
            await connection.execute("CHECKPOINT")
        finally:
            await connection.close()

    async def _rows(self) -> dict[str, int]:
        connection = await asyncpg.connect(self._settings.database_url)
        try:
            counts = {
                name: await connection.fetchval(f"SELECT count(*) FROM pg_catalog.{name}")
                for name in CATALOGUES
            }
            tables = "SELECT count(*) FROM pg_class WHERE relkind = 'r'"
            return {**counts, "tables": await connection.fetchval(tables)}
        finally:
            await connection.close()
