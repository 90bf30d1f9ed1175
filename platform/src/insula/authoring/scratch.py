"""Schemas to try tables in: made in a transaction that never commits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import NullPool, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

Shape = dict[str, str]
"""What PostgreSQL says of each column, constraint, index and trigger, in its own words."""


class Scratch:
    """A connection, in a transaction that is rolled back whatever happens."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection

    async def enter(self, schema: str) -> None:
        """Make a schema and be in it; the earlier ones are out of sight."""
        await self.run(f"CREATE SCHEMA {schema}")
        await self.run(f"SET LOCAL search_path = {schema}, pg_temp")

    async def run(self, script: str) -> None:
        """SQL of any number of statements, which SQLAlchemy alone would refuse."""
        raw = await self.connection.get_raw_connection()
        assert raw.driver_connection is not None
        await raw.driver_connection.execute(script)

    async def table_names(self) -> set[str]:
        return {str(name) for name in await self.connection.scalars(text(_TABLES))}

    async def shape(self, without: set[str]) -> Shape:
        """The present schema, except for the tables ``without``."""
        rows = await self.connection.execute(text(_SHAPE))
        return {f"{row.owner}: {row.what}": row.said for row in rows if row.owner not in without}


@asynccontextmanager
async def scratch(url: str) -> AsyncIterator[Scratch]:
    """A place to try tables in, on the server of ``url``."""

    async def connect(*_: Any, **__: Any) -> asyncpg.Connection:
        return await asyncpg.connect(url)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))  # opens the transaction
            yield Scratch(connection)
            await connection.rollback()
    finally:
        await engine.dispose()


_TABLES = """
    SELECT relname::text FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
"""
# Definitions name only what is not on the search path, so that two schemas can be compared; those
# of indexes always do.
_SHAPE = """
    SELECT c.relname::text AS owner, 'column ' || a.attname AS what,
        format_type(a.atttypid, a.atttypmod)
        || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
        || CASE WHEN a.attidentity <> '' THEN ' identity ' || a.attidentity::text ELSE '' END
        || CASE WHEN a.attgenerated <> '' THEN ' generated' ELSE '' END
        || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') AS said
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
    UNION ALL
    SELECT c.relname::text, 'constraint ' || k.conname, pg_get_constraintdef(k.oid)
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE c.relnamespace = current_schema()::regnamespace AND k.contype <> 'n'
    UNION ALL
    SELECT t.relname::text, 'index ' || i.relname,
        replace(pg_get_indexdef(i.oid), ' ON ' || current_schema() || '.', ' ON ')
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
    WHERE t.relnamespace = current_schema()::regnamespace
    UNION ALL
    SELECT t.relname::text, 'trigger ' || g.tgname, pg_get_triggerdef(g.oid, true)
    FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
    WHERE t.relnamespace = current_schema()::regnamespace AND NOT g.tgisinternal
    ORDER BY 1, 2
"""
