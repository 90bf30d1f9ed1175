"""What is in a database, for who decides what to back up."""

from collections.abc import Sequence

import asyncpg
import msgspec

from insula_ops.backup import programs
from insula_ops.backup.address import Address
from insula_ops.backup.errors import BackupFailed, server_says

_TABLES = """
    SELECT n.nspname::text, c.relname::text,
        CASE c.relkind WHEN 'p' THEN 'partitioned table' WHEN 'm' THEN 'materialised view'
            WHEN 'f' THEN 'foreign table' ELSE 'table' END,
        greatest(c.reltuples, 0)::int8, pg_total_relation_size(c.oid), c.relrowsecurity,
        ARRAY(
            SELECT a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
                || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
                || CASE WHEN a.attidentity <> '' THEN ' identity' ELSE '' END
                || CASE WHEN a.attgenerated <> '' THEN ' generated' ELSE '' END
            FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
        ),
        ARRAY(
            SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k
            WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'f') ORDER BY k.contype DESC, k.oid
        ),
        ARRAY(
            SELECT DISTINCT k.confrelid::regclass::text FROM pg_constraint k
            WHERE k.conrelid = c.oid AND k.contype = 'f' ORDER BY 1
        )
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm', 'f') AND n.nspname <> 'information_schema'
        AND n.nspname !~ '^pg_' AND ($1::text[] IS NULL OR n.nspname = ANY ($1))
    ORDER BY n.nspname, c.relname
"""
_SERVER = """
    SELECT current_setting('server_version'), current_database()::text, current_user::text,
        pg_database_size(current_database()),
        (SELECT count(*) FROM pg_largeobject_metadata),
        ARRAY(SELECT extname::text FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1)
"""
_UNREADABLE = """
    SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
        AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))
"""


class TableSeen(msgspec.Struct, frozen=True):
    schema: str
    name: str
    kind: str
    rows: int
    """As the planner estimates them."""
    size: int
    """Bytes, with indexes and what is stored out of line."""
    row_security: bool
    columns: list[str]
    keys: list[str]
    depends_on: list[str]


class Inspected(msgspec.Struct, frozen=True):
    server_version: str
    database: str
    login: str
    size: int
    large_objects: int
    extensions: list[str]
    tables: list[TableSeen]


class Connected(msgspec.Struct, frozen=True):
    address: str
    server_version: str
    login: str
    pg_dump: str
    unreadable_tables: int
    """That this login may not read: `create` would fail on them."""


async def inspect(address: Address, schemas: Sequence[str] | None) -> Inspected:
    connection = await address.connect()
    try:
        server = await connection.fetchrow(_SERVER)
        tables = [TableSeen(*row) for row in await connection.fetch(_TABLES, schemas)]
    except asyncpg.PostgresError as error:
        raise BackupFailed(f"{address.shown}: {server_says(error)}") from None
    finally:
        connection.terminate()
    version, database, login, size, objects, extensions = server
    return Inspected(version, database, login, size, objects, extensions, tables)


async def test(address: Address) -> Connected:
    """Whether a backup would begin: there is a server, it lets us in, pg_dump knows its version."""
    connection = await address.connect()
    try:
        server = await connection.fetchrow(_SERVER)
        unreadable = await connection.fetchval(_UNREADABLE)
        major = connection.get_server_version().major
    finally:
        connection.terminate()
    found = programs.major(programs.find("pg_dump", major))
    return Connected(address.shown, server[0], server[2], str(found), unreadable)
