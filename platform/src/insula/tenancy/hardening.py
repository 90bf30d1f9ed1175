"""Taking from PUBLIC what a hostile statement could use (DESIGN.md section 4).

Needs a superuser. A managed server refuses some of it; each refusal is reported and the rest is
done. Run again, it changes only what has come undone, and what a newer PostgreSQL has brought.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

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


class Step(NamedTuple):
    """What is to be closed, and how."""

    what: str
    script: Callable[[], Awaitable[str]]
    """The statements that are still needed; empty where nothing is open."""


async def harden(admin: asyncpg.Connection, database: str, logins: list[str]) -> tuple[str, ...]:
    """Returns what the server refuses, each in a few words. PostgreSQL refuses a REVOKE with an
    error or, to whoever has the right without owning it, with a warning: so each step is asked
    again afterwards."""
    watchers = f"{_PLATFORM}, pg_monitor"
    steps = [
        Step("closing the database to other logins", partial(_close_database, admin, database)),
        Step("closing the schema public", partial(_close_public, admin)),
        Step("keeping tenants from binding themselves", partial(_close_binding, admin, logins)),
        Step("keeping tenants from programming", partial(_close_language, admin)),
        Step(
            "taking dangerous functions away", partial(_close_functions, admin, _TOOLS, _PLATFORM)
        ),
        Step("hiding what others do", partial(_close_functions, admin, _WATCHING, watchers)),
        Step("hiding what others do in views", partial(_close_views, admin, watchers)),
        Step("hiding how much others have", partial(_close_counts, admin, watchers)),
        Step("letting row security use indexes", partial(_trust_operators, admin)),
        Step("bounding what a statement may use", partial(_bound, admin, logins)),
        Step("letting tenants move here", partial(_let_move, admin)),
    ]
    return tuple([step.what for step in steps if not await _take(admin, step)])


async def _take(admin: asyncpg.Connection, step: Step) -> bool:
    sql = await step.script()
    if sql and not await attempt(admin, step.what, sql):
        return False
    return not sql or not await step.script()


async def _close_database(admin: asyncpg.Connection, database: str) -> str:
    is_open = await admin.fetchval(
        "SELECT has_database_privilege('public', current_database(), 'CONNECT, TEMP, CREATE')"
    )
    return f"REVOKE ALL ON DATABASE {database} FROM PUBLIC" if is_open else ""


async def _close_public(admin: asyncpg.Connection) -> str:
    is_open = await admin.fetchval(
        "SELECT has_schema_privilege('public', oid, 'USAGE, CREATE') FROM pg_namespace "
        "WHERE nspname = 'public'"
    )
    return "REVOKE ALL ON SCHEMA public FROM PUBLIC" if is_open else ""


async def _close_binding(admin: asyncpg.Connection, logins: list[str]) -> str:
    """Bind may whoever connects, and no tenant's role."""
    name = "pg_catalog.set_config(text, text, boolean)"
    is_open = await admin.fetchval(
        "SELECT has_function_privilege('public', $1, 'EXECUTE') "
        "OR has_table_privilege('public', 'pg_catalog.pg_settings', 'UPDATE') "
        "OR NOT bool_and(has_function_privilege(login, $1, 'EXECUTE')) "
        "FROM unnest($2::text[]) AS login",
        name,
        logins,
    )
    if not is_open:
        return ""
    return (
        f"GRANT EXECUTE ON FUNCTION {name} TO {', '.join(logins)};"
        f"REVOKE EXECUTE ON FUNCTION {name} FROM PUBLIC;"
        "REVOKE UPDATE ON pg_catalog.pg_settings FROM PUBLIC"
    )


async def _close_language(admin: asyncpg.Connection) -> str:
    if not await admin.fetchval("SELECT has_language_privilege('public', 'plpgsql', 'USAGE')"):
        return ""
    return (
        f"GRANT USAGE ON LANGUAGE plpgsql TO {_PLATFORM};"
        "REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC"
    )


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


async def _bound(admin: asyncpg.Connection, logins: list[str]) -> str:
    rows = await admin.fetch(
        "SELECT rolname, coalesce(setconfig, '{}') AS already FROM pg_roles r "
        "LEFT JOIN pg_db_role_setting s ON s.setrole = r.oid AND s.setdatabase = 0 "
        "WHERE rolname = ANY ($1)",
        [login for login in logins if login != PROVISIONER],
    )
    return "".join(
        f"ALTER ROLE {login} SET {name} = '{value}';"
        for login, already in rows
        for name, value in _LIMITS.items()
        if f"{name}={value}" not in already
    )


async def _let_move(admin: asyncpg.Connection) -> str:
    """For insula.tenancy.moving: what is copied must fire no trigger a second time."""
    may = await admin.fetchval(
        "SELECT has_parameter_privilege($1, 'session_replication_role', 'SET')", PROVISIONER
    )
    return "" if may else f"GRANT SET ON PARAMETER session_replication_role TO {PROVISIONER}"
