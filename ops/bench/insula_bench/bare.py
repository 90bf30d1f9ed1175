"""The bare handlers that the request path is held against: the same statements, answered with the
same structs by Litestar, without tenant, caller, limits, validators, metrics or log.

Two of them, which differ in their connections only: :func:`own_pool` has our pool and our
collector settings, :func:`ordinary_pool` is what one writes first.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, cast
from uuid import UUID

import asyncpg
import msgspec
from insula import collector
from insula.db import Statement
from insula.db.connection import Connection
from insula.db.pool import Pool
from insula.http.listing import Page
from insula.settings import Settings
from insula_tenants.notes import queries, service
from insula_tenants.notes.schemas import Note, NoteCreate, NoteLine
from litestar import Litestar, get, post
from litestar.exceptions import NotFoundException

from insula_bench.statements import list_statement

DATABASE = "BENCH_DATABASE_URL"
"""A login that may touch the tenant's tables, with the tenant's schema and what all share as
``search_path``."""
AUTHOR = "BENCH_AUTHOR_ID"

Acquire = Callable[[], AbstractAsyncContextManager[asyncpg.Connection]]


def own_pool() -> Litestar:
    """On :class:`insula.db.pool.Pool`, the collector frozen as in Insula's workers."""
    pool = Pool(os.environ[DATABASE], size=Settings.load().pool_size)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        collector.freeze()
        yield
        await pool.close()

    return _application(lambda: _Lease(pool), lifespan)


def ordinary_pool() -> Litestar:
    """On ``asyncpg.create_pool`` with its defaults, the collector as Python starts."""
    pools: list[asyncpg.Pool] = []

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        async with asyncpg.create_pool(os.environ[DATABASE], init=_know_json) as pool:
            pools.append(pool)
            yield

    return _application(lambda: pools[0].acquire(), lifespan)  # noqa: PLW0108 - there is none yet


async def _know_json(connection: asyncpg.Connection) -> None:
    """For the event that a new note is."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_to_json, decoder=msgspec.json.decode
    )


def _to_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _application(acquire: Acquire, lifespan: Callable[[Litestar], Any]) -> Litestar:
    author, listing = UUID(os.environ[AUTHOR]), list_statement()

    @get("/api/v1/notes/{note_id:uuid}")
    async def get_note(note_id: UUID) -> Note:
        async with acquire() as connection:
            row = await connection.fetchrow(queries.GET.sql, note_id)
        if row is None:
            raise NotFoundException
        return Note(*row)

    @get("/api/v1/notes")
    async def list_notes(limit: int = 20) -> Page[NoteLine]:
        async with acquire() as connection:
            rows = await connection.fetch(listing.sql, limit + 1)
        return Page([NoteLine(*row) for row in rows[:limit]])

    @post("/api/v1/notes")
    async def create_note(data: NoteCreate) -> Note:
        async with acquire() as connection, connection.transaction():
            return await service.create(cast(Any, _Plain(connection)), data, author)

    return Litestar(
        [get_note, list_notes, create_note],
        lifespan=[lifespan],
        openapi_config=None,
        logging_config=None,
    )


class _Lease:
    """A connection of our pool; a class, since a generator would cost the bare handler 2 µs."""

    __slots__ = ("_connection", "_pool")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> asyncpg.Connection:
        self._connection: Connection = await self._pool.acquire("")
        return self._connection.raw

    async def __aexit__(self, *_: object) -> None:
        self._pool.release(self._connection)


class _Plain:
    """What a service asks of its unit of work, without binding: the statements and nothing else."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def one(self, statement: Statement[Any], **params: Any) -> Any:
        row = await self._connection.fetchrow(statement.sql, *statement.arguments(params))
        return statement.decode(row)

    async def execute(self, statement: Statement[Any], **params: Any) -> None:
        await self._connection.execute(statement.sql, *statement.arguments(params))

    async def execute_many(self, statement: Statement[Any], rows: list[dict[str, Any]]) -> None:
        arguments = [statement.arguments(row) for row in rows]
        await self._connection.executemany(statement.sql, arguments)
