"""Noting which rows of a tenant change while it is copied, by triggers."""

from hashlib import sha256

import asyncpg

from insula.tenancy.moving.altering import alter
from insula.tenancy.moving.anatomy import CHANGES, Table

_PREFIX = "insula_note_"


def _key_of(row: str, table: Table) -> str:
    pairs = ", ".join(f"'{_plain(column)}', {row}.{column}" for column in table.key)
    return f"jsonb_build_object({pairs})"


def _plain(identifier: str) -> str:
    """An identifier as a literal's text."""
    if identifier.startswith('"'):
        identifier = identifier[1:-1].replace('""', '"')
    return identifier.replace("'", "''")


def _place(table: Table) -> str:
    return _plain(table.name)


def _noting(schema: str, table: Table) -> str:
    function = f"{schema}.{_PREFIX}{sha256(table.name.encode()).hexdigest()[:16]}"
    note = f"INSERT INTO {schema}.{CHANGES} (place, key) VALUES ('{_place(table)}', "
    return f"""
        CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql
        SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $note$
        BEGIN
            IF TG_OP <> 'DELETE' THEN
                {note}{_key_of("NEW", table)});
            END IF;
            IF TG_OP <> 'INSERT' THEN
                {note}{_key_of("OLD", table)});
            END IF;
            RETURN NULL;
        END
        $note$;
        CREATE TRIGGER insula_note AFTER INSERT OR UPDATE OR DELETE
        ON {schema}.{table.name} FOR EACH ROW EXECUTE FUNCTION {function}();
    """


_UNNOTED = """
SELECT quote_ident(c.relname) FROM pg_class c
WHERE c.relnamespace = to_regnamespace($1)::oid AND c.relkind = 'r' AND NOT EXISTS (
    SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'insula_note'
)
"""


async def begin(source: asyncpg.Connection, schema: str, tables: list[Table]) -> None:
    """Note every change from now on; once this returns, no change is missed. Each table is locked
    for a moment, until those that are writing to it have finished.

    Raises:
        Busy: see there.
    """
    await alter(
        source,
        f"CREATE TABLE IF NOT EXISTS {schema}.{CHANGES} ("
        "id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, place TEXT NOT NULL, "
        f"key JSONB NOT NULL); REVOKE ALL ON {schema}.{CHANGES} FROM {schema}",
    )
    unnoted = {row[0] for row in await source.fetch(_UNNOTED, schema)}
    for table in tables:
        if table.key and table.name in unnoted:
            await alter(source, _noting(schema, table))


async def end(source: asyncpg.Connection, schema: str) -> None:
    """Note no more."""
    rows = await source.fetch(
        "SELECT p.oid::regprocedure::text FROM pg_proc p "
        "WHERE p.pronamespace = to_regnamespace($1)::oid AND starts_with(p.proname, $2)",
        schema,
        _PREFIX,
    )
    for row in rows:
        await alter(source, f"DROP FUNCTION {row[0]} CASCADE")
    await alter(source, f"DROP TABLE IF EXISTS {schema}.{CHANGES}")


async def count(source: asyncpg.Connection, schema: str) -> int:
    """How many changes wait to be copied."""
    sql = f"SELECT count(*) FROM {schema}.{CHANGES}"
    return int(await source.fetchval(sql))


def keys_of(schema: str, table: Table) -> str:
    """A query for the primary keys of a table's rows that have changed."""
    columns = ", ".join(f"r.{column}" for column in table.key)
    return (
        f"SELECT DISTINCT {columns} FROM {schema}.{CHANGES} c, "
        f"LATERAL jsonb_populate_record(NULL::{schema}.{table.name}, c.key) r "
        f"WHERE c.place = '{_place(table)}'"
    )


def keys_in(schema: str, table: Table) -> str:
    """The same from a JSON array, the parameter $1."""
    columns = ", ".join(f"r.{column}" for column in table.key)
    return (
        f"SELECT DISTINCT {columns} FROM "
        f"jsonb_populate_recordset(NULL::{schema}.{table.name}, $1::text::jsonb) r"
    )


async def changed(source: asyncpg.Connection, schema: str, table: Table) -> list[str]:
    """The keys of a table's rows that have changed, each as JSON."""
    rows = await source.fetch(
        f"SELECT DISTINCT key::text FROM {schema}.{CHANGES} WHERE place = $1",
        _place(table).replace("''", "'"),
    )
    return [row[0] for row in rows]


async def places(source: asyncpg.Connection, schema: str) -> set[str]:
    """The tables of which rows have changed."""
    rows = await source.fetch(f"SELECT DISTINCT quote_ident(place) FROM {schema}.{CHANGES}")
    return {row[0] for row in rows}
