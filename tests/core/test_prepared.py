"""Tenants that share a connection have their statements prepared each for itself."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from fixtures.inside import inside
from fixtures.installation import Installation, sign_up_at
from insula.db import Database, Statement, Work
from insula.db.capabilities import Capabilities
from insula.db.pool import Pool
from insula.tenancy.tenant import Tenant
from insula_tenants.notes import queries
from insula_tenants.notes.schemas import Note
from insula_tenants.notes.tables import Note as NoteRow
from insula_tenants.notes.tables import NoteLink
from sqlalchemy import bindparam, exists, or_, select

_TIMES = 10
_PREPARED = """
SELECT custom_plans, generic_plans FROM pg_prepared_statements WHERE starts_with(statement, $1)
"""
_COUNT = "SELECT count(*) FROM pg_prepared_statements WHERE statement ~ 'notes'"
_NOTE = queries.GET.sql


@dataclass
class Neighbour:
    tenant: Tenant
    note: UUID
    title: str


class Scene:
    """Two tenants on the only connection of a pool. The login is the superuser's, which may become
    the tenants of all buckets."""

    def __init__(self, pool: Pool, secret: str, neighbours: list[Neighbour]) -> None:
        self.pool = pool
        self.database = Database([pool], Capabilities(secret))
        self.neighbours = list(neighbours)

    async def read(self, *, times: int = _TIMES, writes: bool = False) -> None:
        for _ in range(times):
            for each in self.neighbours:
                assert (await self.note_of(each, writes=writes)).title == each.title

    async def note_of(self, each: Neighbour, *, writes: bool) -> Note:
        if writes:
            async with self.database.transaction(0, each.tenant.prelude) as tx:
                return await tx.one(queries.GET, id=each.note)
        return await self.bound(each).one(queries.GET, id=each.note)

    def bound(self, each: Neighbour) -> Work:
        return self.database.work(0, each.tenant.prelude, writes=False)

    async def backend(self, query: str, *arguments: str) -> list[asyncpg.Record]:
        async with self.pool.connection() as connection:
            found: list[asyncpg.Record] = await connection.raw.fetch(query, *arguments)
        return found


Run = Callable[..., None]


@pytest.fixture(scope="module")
def neighbours(installation: Installation) -> Iterator[list[Neighbour]]:
    """Not to be written to: the tests share them."""

    async def resolve() -> list[Tenant]:
        async with inside(installation) as platform:
            return [await platform.tenant(each) for each in (one, other)]

    with (
        closing(sign_up_at(installation.url)) as one,
        closing(sign_up_at(installation.url)) as other,
    ):
        titles = ["Roof garden", "Cellar"]
        made = [
            tenant.enable("notes").http.post("/api/v1/notes", json={"title": title}).json()
            for tenant, title in zip((one, other), titles, strict=True)
        ]
        tenants = asyncio.run(resolve())
        yield [
            Neighbour(tenant, UUID(note["id"]), note["title"])
            for tenant, note in zip(tenants, made, strict=True)
        ]


@pytest.fixture
def run(installation: Installation, neighbours: list[Neighbour]) -> Run:
    settings = installation.settings

    def run(test: Callable[[Scene], Awaitable[None]], *, statements: int = 20) -> None:
        async def inside() -> None:
            pool = Pool(settings.database_url, size=1, statements=statements)
            try:
                await test(Scene(pool, settings.secret_key, neighbours))
            finally:
                await pool.close()

        asyncio.run(inside())

    return run


def test_each_is_planned_once_and_for_all_keys(run: Run) -> None:
    async def test(scene: Scene) -> None:
        await scene.read()
        plans = await scene.backend(_PREPARED, _NOTE)
        assert [row["custom_plans"] for row in plans] == [0, 0, 0], "shared, and one for each"
        own = sorted(row["generic_plans"] for row in plans)[1:]
        assert all(count >= _TIMES - 2 for count in own)

    run(test)


def test_what_is_not_by_key_is_planned_for_its_values(run: Run) -> None:
    async def test(scene: Scene) -> None:
        for each in scene.neighbours * 4:
            assert len(await scene.bound(each).many(queries.GET_MANY, ids=[each.note])) == 1
        plans = await scene.backend(_PREPARED, queries.GET_MANY.sql)
        assert sum(row["custom_plans"] for row in plans) == 8

    run(test)


def test_a_tenant_alone_needs_none(run: Run) -> None:
    async def test(scene: Scene) -> None:
        del scene.neighbours[1:]
        await scene.read()
        assert len(await scene.backend(_PREPARED, _NOTE)) == 1

    run(test)


@pytest.mark.parametrize("statements", [0, 1, 2])
def test_they_are_bounded(run: Run, statements: int) -> None:
    async def test(scene: Scene) -> None:
        for _ in range(40):
            await scene.read(times=1)
            for each in scene.neighbours:
                assert await scene.bound(each).one(queries.EXISTS, id=each.note) == each.note
        ((kept,),) = await scene.backend(_COUNT)
        # What the two share; and asyncpg closes one after it has prepared the next.
        assert kept <= 2 + statements + 1

    run(test, statements=statements)


def test_those_in_use_stay_when_there_is_no_room(run: Run) -> None:
    async def test(scene: Scene) -> None:
        await scene.read(times=3)
        before = await scene.backend(_PREPARED, _NOTE)
        for number in range(5):
            other = Statement(select(NoteRow.title.label(f"title_{number}")), str)
            for _ in range(2):
                assert await scene.bound(scene.neighbours[0]).many(other)
        await scene.read(times=1)
        after = await scene.backend(_PREPARED, _NOTE)
        assert len(after) == len(before) == 3

    run(test, statements=2)


async def _change_type(scene: Scene, name: str) -> None:
    schema = scene.neighbours[0].tenant.prelude.role
    await scene.backend(f"ALTER TABLE {schema}.notes ALTER COLUMN path TYPE {name}")


def test_a_read_survives_a_migration(run: Run) -> None:
    async def test(scene: Scene) -> None:
        await scene.read()
        await _change_type(scene, "varchar(4000)")
        await scene.read()
        await _change_type(scene, "text")
        await scene.read()

    run(test)


def test_a_transaction_is_tried_again_after_a_migration(run: Run) -> None:
    async def test(scene: Scene) -> None:
        await scene.read(writes=True)
        await _change_type(scene, "varchar(4000)")
        with pytest.raises(asyncpg.InvalidCachedStatementError):
            await scene.read(writes=True)
        await scene.read(writes=True)
        await _change_type(scene, "text")

    run(test)


_BY_KEY: list[Statement[Any]] = [queries.GET, queries.EXISTS, queries.LOCK]
_NOT_BY_KEY: list[Statement[Any]] = [
    queries.GET_MANY,
    queries.COUNT,
    queries.INSERT,
    queries.DELETE_LINKS,
    Statement(select(NoteRow.id).where(NoteRow.title == bindparam("title")), UUID),
    Statement(select(NoteRow.id).where(NoteRow.id > bindparam("id")), UUID),
    Statement(
        select(NoteRow.id).where(or_(NoteRow.id == bindparam("id"), NoteRow.path.is_(None))), UUID
    ),
    Statement(
        select(NoteRow.id).where(
            NoteRow.id == bindparam("id"), exists(select(NoteLink.note_id).limit(bindparam("most")))
        ),
        UUID,
    ),
]


def test_what_reads_by_key_is_known() -> None:
    assert all(statement.by_key for statement in _BY_KEY)
    assert not any(statement.by_key for statement in _NOT_BY_KEY)
