"""Keeping a tenant's writes back for the moment in which it changes its place.

Replicas learn from the tenant's status that it moves, and hold writes. One that has not noticed, or
is in the middle of one, meets a trigger on each table: whoever writes is told that the tenant is
read-only (SQLSTATE 25006), and the gate tries again at the new place. Making the trigger waits for
those that have written already; nothing that they commit is missed.
"""

import asyncpg

from insula.tenancy.moving.anatomy import Table
from insula.tenancy.roles import OWNER, bucket_login
from insula.tenancy.tenant import number_of

_ATTEMPTS = 5
_FUNCTION = "insula_fence"


class Busy(Exception):
    """Somebody holds locks for so long that writes cannot be kept back: try again later."""


async def fence(source: asyncpg.Connection, schema: str, tables: list[Table]) -> None:
    """Refuse writes from now on. The lane's lock keeps the relay out meanwhile; it then finds the
    tenant moving.

    Raises:
        Busy: see there.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            async with source.transaction():
                await source.execute(_lane(schema))
                await source.execute(_fence(schema, tables))
                return
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
            if attempt == _ATTEMPTS:
                raise Busy("Somebody writes for too long: try again later.") from error


def _lane(schema: str) -> str:
    number = number_of(schema)
    return (
        "SET LOCAL lock_timeout = '2s';"
        f"INSERT INTO spool.event_lanes (tenant) VALUES ({number}) ON CONFLICT DO NOTHING;"
        f"SELECT FROM spool.event_lanes WHERE tenant = {number} FOR UPDATE;"
    )


def _fence(schema: str, tables: list[Table]) -> str:
    triggers = "".join(
        f"CREATE OR REPLACE TRIGGER insula_fence BEFORE INSERT OR UPDATE OR DELETE "
        f"ON {schema}.{table.name} FOR EACH STATEMENT EXECUTE FUNCTION {schema}.{_FUNCTION}();"
        for table in tables
    )
    return f"""
        SET LOCAL ROLE {OWNER};
        CREATE OR REPLACE FUNCTION {schema}.{_FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'the tenant is moving' USING ERRCODE = 'read_only_sql_transaction';
        END
        $$;
        {triggers}
    """


async def unfence(source: asyncpg.Connection, schema: str, bucket: int) -> None:
    """Let writes, and reads, in again."""
    async with source.transaction():
        await source.execute(f"GRANT {schema} TO {bucket_login(bucket)}")
        await source.execute(
            f"SET LOCAL ROLE {OWNER};"
            f"DROP FUNCTION IF EXISTS {schema}.{_FUNCTION} CASCADE; RESET ROLE"
        )


async def cut(source: asyncpg.Connection, schema: str, bucket: int) -> None:
    """Let nobody bind the tenant here any more: a replica that has not noticed must not read what
    is old."""
    await source.execute(f"REVOKE {schema} FROM {bucket_login(bucket)}")


async def drop(connection: asyncpg.Connection, schema: str) -> None:
    """Everything that a cell has of a tenant, spool and all."""
    async with connection.transaction():
        number = number_of(schema)
        await connection.execute(
            f"SET LOCAL lock_timeout = '10s'; SET LOCAL ROLE {OWNER};"
            f"DROP SCHEMA IF EXISTS {schema} CASCADE; RESET ROLE; DROP ROLE IF EXISTS {schema};"
            f"DELETE FROM spool.outbox WHERE tenant = '{schema}';"
            f"DELETE FROM spool.webhook_queue WHERE tenant = '{schema}';"
            f"DELETE FROM spool.job_turns WHERE tenant = {number};"
            f"DELETE FROM spool.event_lanes WHERE tenant = {number}"
        )
