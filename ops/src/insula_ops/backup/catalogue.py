"""What a database holds, read under the snapshot that its rows are read under."""

from collections.abc import Sequence
from typing import Any

import msgspec

_SYSTEM = """
    n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND ($1::text[] IS NULL OR n.nspname = ANY ($1))
"""
_NOT_OF_EXTENSION = """
    NOT EXISTS (
        SELECT FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
"""
_COLUMNS = """
    ARRAY(
        SELECT a.attname::text FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
        ORDER BY a.attnum
    )
"""
_TABLE = f"""
    SELECT c.oid::int8, n.nspname::text AS schema, c.relname::text AS name, {_COLUMNS} AS columns,
        pg_get_userbyid(c.relowner)::text AS owner, pg_table_size(c.oid) AS size,
        (pg_relation_size(c.oid) / current_setting('block_size')::int8)::int8 AS pages,
        coalesce(am.amname = 'heap', false) AS heap,
"""
_TABLES = f"""
    {_TABLE} '' AS condition, NULL::int8 AS extension
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am am
        ON am.oid = c.relam
    WHERE c.relkind = 'r' AND {_SYSTEM} AND {_NOT_OF_EXTENSION}
    ORDER BY size DESC, c.oid
"""
# What an extension says is the user's, with its condition (pg_extension_config_dump).
_CONFIGURATION = f"""
    {_TABLE} configured.condition, e.oid::int8 AS extension
    FROM pg_extension e
    CROSS JOIN LATERAL unnest(e.extconfig, e.extcondition) AS configured (table_oid, condition)
    JOIN pg_class c ON c.oid = configured.table_oid AND c.relkind = 'r'
    JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am am ON am.oid = c.relam
    WHERE $1::text[] IS NULL
"""
_SEQUENCES = f"""
    SELECT c.oid::int8, n.nspname::text AS schema, c.relname::text AS name,
        pg_get_userbyid(c.relowner)::text AS owner,
        format('%I.%I', n.nspname, c.relname) AS qualified
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'S' AND {_SYSTEM} AND {_NOT_OF_EXTENSION}
    ORDER BY c.oid
"""
_VIEWS = f"""
    SELECT c.oid::int8, n.nspname::text AS schema, c.relname::text AS name,
        pg_get_userbyid(c.relowner)::text AS owner,
        format('%I.%I', n.nspname, c.relname) AS qualified
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'm' AND c.relispopulated AND {_SYSTEM} AND {_NOT_OF_EXTENSION}
    ORDER BY c.oid
"""
# A materialised view that reads another one, perhaps through plain views, is refreshed after it.
_VIEW_NEEDS = """
    WITH RECURSIVE reads AS (
        SELECT r.ev_class AS view, d.refobjid AS needed
        FROM pg_rewrite r JOIN pg_depend d
            ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
            AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
    ), reached AS (
        SELECT view, needed FROM reads WHERE view = ANY ($1::oid[])
        UNION
        SELECT reached.view, reads.needed
        FROM reached JOIN pg_class c ON c.oid = reached.needed AND c.relkind = 'v'
        JOIN reads ON reads.view = reached.needed
    )
    SELECT view::int8, needed::int8 FROM reached WHERE needed = ANY ($1::oid[])
"""
_ROLES = """
    SELECT r.rolname::text AS name, r.rolinherit AS inherit, r.rolcanlogin AS login,
        r.rolcreatedb AS createdb, r.rolcreaterole AS createrole, r.rolbypassrls AS bypassrls,
        r.rolreplication AS replication, ARRAY(
            SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
            WHERE m.member = r.oid AND g.rolname !~ '^pg_' ORDER BY 1
        ) AS groups
    FROM pg_roles r WHERE r.rolname !~ '^pg_' ORDER BY r.rolname
"""
_BATCH = 500
"""Sequences that one statement reads."""


class Table(msgspec.Struct, frozen=True):
    """A table with rows of its own; partitioned ones have none."""

    oid: int
    schema: str
    name: str
    columns: list[str]
    """Without generated ones."""
    owner: str
    size: int
    pages: int
    heap: bool
    condition: str
    extension: int | None

    @property
    def qualified(self) -> str:
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    @property
    def column_list(self) -> str:
        """As COPY wants it; empty for a table without columns."""
        return f"({', '.join(map(quoted, self.columns))})" if self.columns else ""


class Relation(msgspec.Struct, frozen=True):
    """A sequence or a materialised view."""

    oid: int
    schema: str
    name: str
    owner: str
    qualified: str


class SequenceState(msgspec.Struct, frozen=True):
    relation: Relation
    last_value: int
    is_called: bool


class Role(msgspec.Struct, frozen=True):
    name: str
    inherit: bool
    login: bool
    createdb: bool
    createrole: bool
    bypassrls: bool
    replication: bool
    groups: list[str]


def quoted(name: str) -> str:
    """An identifier, always in quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string literal that means the same whatever ``standard_conforming_strings`` says."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


async def tables(connection: Any, schemas: Sequence[str] | None) -> list[Table]:
    """The tables with rows, the largest first."""
    rows = [
        *await connection.fetch(_TABLES, schemas),
        *await connection.fetch(_CONFIGURATION, schemas),
    ]
    return [Table(*row) for row in rows]


async def sequences(connection: Any, schemas: Sequence[str] | None) -> list[SequenceState]:
    relations = [Relation(*row) for row in await connection.fetch(_SEQUENCES, schemas)]
    found: list[SequenceState] = []
    for start in range(0, len(relations), _BATCH):
        batch = relations[start : start + _BATCH]
        query = " UNION ALL ".join(
            f"SELECT {place}, last_value, is_called FROM {each.qualified}"
            for place, each in enumerate(batch)
        )
        found += [
            SequenceState(batch[row[0]], row[1], row[2]) for row in await connection.fetch(query)
        ]
    return found


async def materialised_views(
    connection: Any, schemas: Sequence[str] | None
) -> tuple[list[Relation], dict[int, list[int]]]:
    """Those that are populated, and for each what it has to be refreshed after."""
    views = [Relation(*row) for row in await connection.fetch(_VIEWS, schemas)]
    needs: dict[int, list[int]] = {view.oid: [] for view in views}
    for view, needed in await connection.fetch(_VIEW_NEEDS, list(needs)):
        needs[view].append(needed)
    return views, needs


async def roles(connection: Any) -> list[Role]:
    return [Role(*row) for row in await connection.fetch(_ROLES)]
