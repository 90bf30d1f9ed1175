"""Taking from PUBLIC what a hostile statement could use (DESIGN.md section 4).

Needs a superuser. A managed server refuses some of it; each refusal is reported and the rest is
done. Run again, it changes only what has come undone, and what a newer PostgreSQL has brought.
"""

from collections.abc import Callable

import asyncpg
import structlog

from insula.tenancy.roles import OWNER, PROVISIONER

log = structlog.get_logger("insula.installation")

_PLATFORM = f"{OWNER}, {PROVISIONER}"

_TOOLS = (
    "^(query_to_xml|cursor_to_xml|table_to_xml|schema_to_xml|database_to_xml|ts_stat$|lo_"
    "|lowrite$|loread$|pg_notify$|pg_advisory|pg_try_advisory|pg_export_snapshot$"
    "|pg_logical_emit_message$|pg_cancel_backend$|pg_terminate_backend$)"
)
"""Functions that run SQL, keep data or locks beyond a transaction, or end other sessions."""

_WATCHING = (
    "^(pg_stat_get_|pg_stat_clear_snapshot$|pg_(total_relation|relation|table|indexes|database"
    "|tablespace)_size$|pg_lock_status$|pg_(safe_snapshot_)?blocking_pids$|pg_prepared_xact$"
    "|pg_get_replication_slots$|pg_isolation_test_session_is_blocked$)"
)
"""Functions that tell how large others' tables are and what others are doing."""

_WATCHED = "^(pg_stat_|pg_statio_|pg_locks$|pg_prepared_xacts$|pg_replication_slots$)"
"""Views of the same."""

_COUNTS = ("reltuples", "relpages", "relallvisible", "relallfrozen")
"""Columns of pg_class that tell how many rows a table has."""

_LEAKPROOF = """
array_eq(anyarray,anyarray) arrayoverlap(anyarray,anyarray) arraycontains(anyarray,anyarray)
arraycontained(anyarray,anyarray) ts_match_vq(tsvector,tsquery) ts_match_qv(tsquery,tsvector)
jsonb_contains(jsonb,jsonb) jsonb_contained(jsonb,jsonb) jsonb_exists(jsonb,text)
jsonb_exists_any(jsonb,text[]) jsonb_exists_all(jsonb,text[]) lower(text) upper(text)
textlike(text,text) texticlike(text,text) numeric_eq(numeric,numeric) numeric_lt(numeric,numeric)
numeric_le(numeric,numeric) numeric_gt(numeric,numeric) numeric_ge(numeric,numeric)
range_overlaps(anyrange,anyrange) range_contains(anyrange,anyrange)
range_contained_by(anyrange,anyrange) range_contains_elem(anyrange,anyelement)
elem_contained_by_range(anyelement,anyrange) range_adjacent(anyrange,anyrange)
ext.similarity_op(text,text)
"""
"""What indexes are asked with. Under row security PostgreSQL uses an index only for functions that
it believes tell nobody of rows that are refused; for these it is true of our policies, which speak
of the tenant and never of a row. Without that, search would read whole tables."""

_LIMITS = {"temp_file_limit": "2GB", "log_parameter_max_length": "0"}
"""For the bucket logins, who cannot lift them: disk for one statement's sorting, and no values of
statements (a tenant's data, its capability) in the server's log."""


async def harden(admin: asyncpg.Connection, database: str, logins: list[str]) -> tuple[str, ...]:
    """Returns what the server refuses, each in a few words."""
    everyone = ", ".join(logins)
    set_config = "FUNCTION pg_catalog.set_config(text, text, boolean)"
    steps = {
        "closing the database to other logins": f"REVOKE ALL ON DATABASE {database} FROM PUBLIC",
        "closing the schema public": "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        "keeping tenants from binding themselves": f"GRANT EXECUTE ON {set_config} TO {everyone};"
        f"REVOKE EXECUTE ON {set_config} FROM PUBLIC;"
        "REVOKE UPDATE ON pg_catalog.pg_settings FROM PUBLIC",
        "keeping tenants from programming": "REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;"
        f"GRANT USAGE ON LANGUAGE plpgsql TO {_PLATFORM}",
        "taking dangerous functions away": await _close_functions(admin, _TOOLS, _PLATFORM),
        "hiding what others do": await _close_functions(
            admin, _WATCHING, f"{_PLATFORM}, pg_monitor"
        ),
        "hiding what others do in views": await _close_views(admin, f"{_PLATFORM}, pg_monitor"),
        "hiding how much others have": await _close_counts(admin, f"{_PLATFORM}, pg_monitor"),
        "letting row security use indexes": await _trust_operators(admin),
        "bounding what a statement may use": _bound(logins),
        # insula.tenancy.moving: what is copied must fire no trigger a second time.
        "letting tenants move here": "GRANT SET ON PARAMETER session_replication_role "
        f"TO {PROVISIONER}",
    }
    refused = []
    for step, sql in steps.items():
        if sql and not await attempt(admin, step, sql):  # empty: done already
            refused.append(step)
    return tuple(refused)


async def attempt(admin: asyncpg.Connection, step: str, sql: str) -> bool:
    """Whether the server let us do it."""
    try:
        async with admin.transaction():
            await admin.execute(sql)
    except asyncpg.InsufficientPrivilegeError as error:
        log.warning("step refused by the server", step=step, error=str(error))
        return False
    return True


async def _close_functions(admin: asyncpg.Connection, pattern: str, still: str) -> str:
    rows = await admin.fetch(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = "
        "'pg_catalog'::regnamespace AND proname ~ $1 AND has_function_privilege("
        "'public', oid, 'EXECUTE')",
        pattern,
    )
    return _hand_over(rows, still, lambda name: ("EXECUTE", f"FUNCTION {name}"))


async def _close_views(admin: asyncpg.Connection, still: str) -> str:
    rows = await admin.fetch(
        "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace "
        "AND relkind = 'v' AND relname ~ $1 AND has_table_privilege('public', oid, 'SELECT')",
        _WATCHED,
    )
    return _hand_over(rows, still, lambda name: ("SELECT", name))


async def _close_counts(admin: asyncpg.Connection, still: str) -> str:
    rows = await admin.fetch(
        "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = 'pg_class'::regclass "
        "AND (attnum > 0 OR attname IN ('oid', 'tableoid')) AND attname <> ALL ($1) "
        "AND has_table_privilege('public', attrelid, 'SELECT')",
        _COUNTS,
    )
    if not rows:
        return ""
    rest = ", ".join(row[0] for row in rows)
    return (
        "REVOKE SELECT ON pg_catalog.pg_class FROM PUBLIC;"
        f"GRANT SELECT ON pg_catalog.pg_class TO {still};"
        f"GRANT SELECT ({rest}) ON pg_catalog.pg_class TO PUBLIC"
    )


def _hand_over(
    rows: list[asyncpg.Record], still: str, named: Callable[[str], tuple[str, str]]
) -> str:
    steps = []
    for row in rows:
        right, name = named(row[0])
        steps.append(f"GRANT {right} ON {name} TO {still}; REVOKE {right} ON {name} FROM PUBLIC;")
    return "".join(steps)


async def _trust_operators(admin: asyncpg.Connection) -> str:
    rows = await admin.fetch(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE NOT proleakproof "
        "AND oid = ANY (SELECT to_regprocedure(name) FROM unnest($1::text[]) AS name)",
        _LEAKPROOF.split(),
    )
    return "".join(f"ALTER FUNCTION {row[0]} LEAKPROOF;" for row in rows)


def _bound(logins: list[str]) -> str:
    return "".join(
        f"ALTER ROLE {login} SET {name} = '{value}';"
        for login in logins
        if login != PROVISIONER
        for name, value in _LIMITS.items()
    )
