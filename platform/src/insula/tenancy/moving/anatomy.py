"""What a tenant's schema has, as PostgreSQL knows it."""

import json

import asyncpg
import msgspec

CHANGES = "insula_changes"
"""The table in which triggers note what has changed; it does not move."""


class Table(msgspec.Struct, frozen=True):
    """A table with data of its own."""

    name: str
    """Quoted."""
    columns: tuple[str, ...]
    """Quoted; without those that are generated, which the target computes itself."""
    key: tuple[str, ...]
    """Of the primary key, quoted; a table without one is copied while writes wait."""
    size: int
    """Bytes on disk, indexes and all."""


_TABLES = """
SELECT quote_ident(c.relname) AS name,
    (SELECT json_agg(quote_ident(a.attname) ORDER BY a.attnum) FROM pg_attribute a
     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    )::text AS columns,
    (SELECT json_agg(quote_ident(a.attname) ORDER BY a.attnum)
     FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
     WHERE i.indrelid = c.oid AND i.indisprimary
    )::text AS key,
    pg_total_relation_size(c.oid) AS size
FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = to_regnamespace($1)::oid
    AND d.classid = 'pg_class'::regclass AND c.relkind = 'r' AND c.relname <> $2
ORDER BY size DESC, name
"""
_SEQUENCES = """
SELECT quote_ident(c.relname) FROM pg_class c
WHERE c.relnamespace = to_regnamespace($1)::oid AND c.relkind = 'S' AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.refobjid = to_regclass($2)::oid
)
"""


async def tables(connection: asyncpg.Connection, schema: str) -> list[Table]:
    """The tables of a schema, the largest first."""
    return [
        Table(
            row["name"],
            tuple(json.loads(row["columns"])),
            tuple(json.loads(row["key"] or "[]")),
            row["size"],
        )
        for row in await connection.fetch(_TABLES, schema, CHANGES)
    ]


async def sequences(connection: asyncpg.Connection, schema: str) -> list[str]:
    """The sequences of a schema, quoted."""
    rows = await connection.fetch(_SEQUENCES, schema, f"{schema}.{CHANGES}")
    return [row[0] for row in rows]


async def versions(connection: asyncpg.Connection, schema: str) -> set[tuple[str, int, str]]:
    """Which migrations it has seen: module, version, checksum. Empty: there is no such schema."""
    if await connection.fetchval("SELECT to_regclass($1)", f"{schema}.insula_migrations") is None:
        return set()
    rows = await connection.fetch(
        f"SELECT module, version, checksum FROM {schema}.insula_migrations"
    )
    return {(row["module"], row["version"], row["checksum"]) for row in rows}
