"""What a provisioner's connection does once before a sign-up comes to it.

A backend begins with empty caches. With 10,000 tenants there, the first sign-up on one took 11 ms
and the second one 5, and such a connection is renewed from time to time (:mod:`insula.db.pool`).
One that is opened ahead has the time: it claims a slot that cannot be there, and writes an owner
into one that nobody has yet. All is rolled back.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import structlog
from sqlalchemy import BigInteger, Integer, bindparam, column, text

from insula.db import Statement
from insula.db.connection import Connection
from insula.db.ids import new_id
from insula.db.pool import PoolExhausted
from insula.identity import queries
from insula.tenancy import slots
from insula.tenancy.building import enter

log = structlog.get_logger("insula.tenancy")

A_SLOT = Statement(
    text("SELECT number FROM slots WHERE state = 'free' AND bucket / 100 = :cell LIMIT 1")
    .bindparams(bindparam("cell", type_=Integer))
    .columns(column("number", BigInteger)),
    int,
)
"""A schema that nobody has. A sign-up that claims it in the meantime notices nothing."""
_NO_VERSION = 2**31 - 1
"""No slot's tables are as new as this."""


async def rehearse(
    connection: Connection, find_slot: Callable[[], Awaitable[int | None]], *, is_home: bool
) -> None:
    """On a connection that nobody has yet. Where it fails, the first sign-up takes longer."""
    try:
        slot = await find_slot()
        transaction = connection.raw.transaction()
        await transaction.start()
        try:
            # Should the slot just be dropped: it is not worth waiting for.
            await connection.raw.execute("SET LOCAL lock_timeout = '100ms'")
            if is_home:
                await _claim(connection)
            if slot is not None:
                await _write_owner(connection, slot)
        finally:
            await transaction.rollback()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, PoolExhausted, OSError) as error:
        log.info("a connection has not rehearsed a sign-up", error=repr(error))


async def _claim(connection: Connection) -> None:
    await connection.raw.execute("SET LOCAL search_path = ctl")
    new = {"id": new_id(), "slug": "", "name": "", "version": _NO_VERSION}
    await _run(connection, slots.CLAIM, **new, count_to=1, highest=0)


async def _write_owner(connection: Connection, slot: int) -> None:
    await connection.raw.execute(enter(slot))
    user, session, now = new_id(), new_id(), datetime.now(UTC)
    who = {"email": "", "name": "", "role": "owner", "password_hash": None}
    await _run(connection, queries.INSERT_USER, id=user, **who)
    device = {"method": "password", "user_agent": "", "address": "", "expires_at": now}
    await _run(connection, queries.START_SESSION, id=session, user_id=user, digest=b"", **device)


async def _run(connection: Connection, statement: Statement[Any], **params: Any) -> None:
    await connection.raw.fetchrow(statement.sql, *statement.arguments(params))
