"""Keeping a tenant's writes back for the moment in which it changes its place.

Replicas learn from the tenant's status that it moves, and hold writes. One that has not noticed, or
is in the middle of one, meets a trigger on each table: whoever writes is told that the tenant is
read-only (SQLSTATE 25006), and the gate tries again at the new place.

The triggers are there long before (:func:`prepare`), and let everybody pass. Closing them replaces
the function that they call, which needs no lock on any table: a lock that keeps writers out would
wait for whatever vacuums or analyzes the table, and writes with it. Instead those who are writing
are seen in ``pg_locks``, and waited for. None is missed: whoever locks a table to write it after
the function was replaced reads its new text, since PostgreSQL takes note of what has changed when a
lock is taken; whoever locked it before is seen.
"""

import asyncio

import asyncpg

from insula.tenancy.moving.altering import Busy, alter
from insula.tenancy.moving.anatomy import Table
from insula.tenancy.registrars import drop_role, share_role, unshare_role
from insula.tenancy.roles import OWNER
from insula.tenancy.tenant import number_of

_FUNCTION = "insula_fence"
_ATTEMPTS = 5
_LOOK_SECONDS = 0.005
_PATIENCE_SECONDS = 5.0

_OPEN = "RETURN NULL;"
_CLOSED = "RAISE EXCEPTION 'the tenant is moving' USING ERRCODE = 'read_only_sql_transaction';"

_UNFENCED = """
SELECT quote_ident(c.relname) FROM pg_class c
WHERE c.relnamespace = to_regnamespace($1)::oid AND c.relkind = 'r' AND NOT EXISTS (
    SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = $2
)
"""
_WRITERS = """
SELECT DISTINCT l.virtualtransaction FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
WHERE c.relnamespace = to_regnamespace($1)::oid AND c.relkind = 'r'
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND l.mode = 'RowExclusiveLock' AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
"""

_IS_ELSEWHERE = """
SELECT EXISTS (
    SELECT FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass
        AND refobjid = to_regrole($1)::oid AND dbid <> 0
        AND dbid <> (SELECT oid FROM pg_database WHERE datname = current_database())
)
"""


async def prepare(source: asyncpg.Connection, schema: str, tables: list[Table]) -> None:
    """Put the triggers where they are not yet; whether they let anybody pass stays as it is.

    Raises:
        Busy: see there.
    """
    if not await _is_there(source, schema):
        await alter(source, _function(schema, _OPEN))
    unfenced = {row[0] for row in await source.fetch(_UNFENCED, schema, _FUNCTION)}
    for table in tables:
        if table.name in unfenced:
            await alter(
                source,
                f"CREATE TRIGGER {_FUNCTION} BEFORE INSERT OR UPDATE OR DELETE "
                f"ON {schema}.{table.name} FOR EACH STATEMENT EXECUTE FUNCTION "
                f"{schema}.{_FUNCTION}()",
            )


async def outlast_writers(
    source: asyncpg.Connection, schema: str, *, seconds: float = _PATIENCE_SECONDS
) -> None:
    """Wait for the transactions that have written to the tenant's tables and are open now.

    Raises:
        Busy: one of them takes longer.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    writing = await _writers(source, schema)
    while writing:
        if loop.time() > deadline:
            raise Busy("Somebody writes for too long: try again later.")
        await asyncio.sleep(_LOOK_SECONDS)
        writing &= await _writers(source, schema)


async def _writers(source: asyncpg.Connection, schema: str) -> set[str]:
    return {row[0] for row in await source.fetch(_WRITERS, schema)}


async def fence(source: asyncpg.Connection, schema: str, tables: list[Table]) -> None:
    """Refuse writes from now on, and see those through that have begun. The lane's lock keeps the
    relay out meanwhile; it then finds the tenant moving.

    Raises:
        Busy: see there.
    """
    await prepare(source, schema, tables)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            async with source.transaction():
                await source.execute(_lane(schema))
                await source.execute(f"SET LOCAL ROLE {OWNER}; {_function(schema, _CLOSED)}")
            break
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
            if attempt == _ATTEMPTS:
                raise Busy("The tenant's events are being numbered: try again later.") from error
    await outlast_writers(source, schema)


def _lane(schema: str) -> str:
    number = number_of(schema)
    return (
        "SET LOCAL lock_timeout = '2s';"
        f"INSERT INTO spool.event_lanes (tenant) VALUES ({number}) ON CONFLICT DO NOTHING;"
        f"SELECT FROM spool.event_lanes WHERE tenant = {number} FOR UPDATE;"
    )


def _function(schema: str, body: str) -> str:
    return (
        f"CREATE OR REPLACE FUNCTION {schema}.{_FUNCTION}() RETURNS trigger LANGUAGE plpgsql "
        f"AS $$ BEGIN {body} END $$;"
    )


async def _is_there(source: asyncpg.Connection, schema: str) -> bool:
    found = await source.fetchval(
        "SELECT EXISTS (SELECT FROM pg_proc "
        "WHERE pronamespace = to_regnamespace($1)::oid AND proname = $2)",
        schema,
        _FUNCTION,
    )
    return bool(found)


async def unfence(source: asyncpg.Connection, schema: str, bucket: int) -> None:
    """Let writes, and reads, in again."""
    is_there = await _is_there(source, schema)
    async with source.transaction():
        await source.execute(share_role(schema, bucket))
        if is_there:
            await source.execute(f"SET LOCAL ROLE {OWNER}; {_function(schema, _OPEN)} RESET ROLE")


async def remove(source: asyncpg.Connection, schema: str) -> None:
    """Take the triggers away.

    Raises:
        Busy: see there.
    """
    await alter(source, f"DROP FUNCTION IF EXISTS {schema}.{_FUNCTION} CASCADE")


async def cut(source: asyncpg.Connection, schema: str, bucket: int) -> None:
    """Let nobody bind the tenant here any more: a replica that has not noticed must not read what
    is old."""
    async with source.transaction():
        await source.execute(unshare_role(schema, bucket))


async def drop(connection: asyncpg.Connection, schema: str, bucket: int) -> None:
    """Everything that a cell has of a tenant, spool and all. Where the tenant is in another
    database of the same server as well, its role stays, and ``bucket``'s login can become it no
    more."""
    async with connection.transaction():
        number = number_of(schema)
        await connection.execute(
            f"SET LOCAL lock_timeout = '10s'; SET LOCAL ROLE {OWNER};"
            f"DROP SCHEMA IF EXISTS {schema} CASCADE; SET LOCAL ROLE NONE;"
            f"DELETE FROM spool.outbox WHERE tenant = '{schema}';"
            f"DELETE FROM spool.webhook_queue WHERE tenant = '{schema}';"
            f"DELETE FROM spool.job_turns WHERE tenant = {number};"
            f"DELETE FROM spool.event_lanes WHERE tenant = {number}"
        )
        is_elsewhere = await connection.fetchval(_IS_ELSEWHERE, schema)
        end = unshare_role(schema, bucket) if is_elsewhere else drop_role(schema)
        await connection.execute(end)
