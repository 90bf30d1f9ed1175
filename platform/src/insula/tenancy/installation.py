"""Installing Insula into a PostgreSQL server, and migrating what is there.

Needs a login that may create roles, and the hardening needs a superuser; where the server is a
managed one, the steps that it refuses are skipped and reported. Everything can be run again.
"""

from collections.abc import Iterable
from importlib.resources import files

import asyncpg
import msgspec

from insula.db.capabilities import Capabilities
from insula.keys import login_verifier
from insula.module import discover
from insula.settings import Settings, SettingsError
from insula.tenancy.fleet import Options, Progress, Report, migrate_fleet
from insula.tenancy.hardening import attempt, harden
from insula.tenancy.registrars import ensure_keepers
from insula.tenancy.roles import OWNER, PROVISIONER, bucket_login, login_url
from insula.tenancy.sealing import ensure_questions

LOCK = 0x496E73756C61  # "Insula"
"""An advisory lock of home: one installation step at a time."""

_SHARED = files("insula.tenancy") / "shared_functions.sql"
_LAST_SHARED = "ext.search_similar(text, integer, integer, integer)"
_DEFAULTS = Options()
_WELCOME = ["pg_trgm", "unaccent"]

# A stuck request, or a replica that was cut off with a lock in its hand, must not hold its tenants'
# other requests, and with them a bucket's connections, for ever. Set on the login, since a pooler
# in between may refuse settings that come with the connection.
_PATIENCE = {
    "statement_timeout": "60s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
}


async def migrate(
    settings: Settings, progress: Progress = lambda *_: None, options: Options = _DEFAULTS
) -> Report:
    """Install or migrate everything: logins, privileges, catalogue, every tenant. Another process
    that is at it is waited for.

    Raises:
        SettingsError: there is no database URL.
    """
    if not settings.database_url:
        raise SettingsError("INSULA_DATABASE_URL is not set")
    progress("database", 0, 1)
    admin = await asyncpg.connect(settings.database_url)
    try:
        await admin.execute("SELECT pg_advisory_lock($1)", LOCK)
        skipped = await prepare(admin, settings, range(settings.buckets))
        await seal(settings, settings.database_url)
        progress("database", 1, 1)
        report = await migrate_fleet(settings, discover(), progress, options)
    finally:
        await admin.close()
    return msgspec.structs.replace(report, skipped=skipped)


# Roles and privileges


async def prepare(
    admin: asyncpg.Connection, settings: Settings, buckets: Iterable[int]
) -> tuple[str, ...]:
    """Make the logins of a server and take privileges away; the steps that it refused."""
    database = await admin.fetchval("SELECT quote_ident(current_database())")
    logins = [PROVISIONER, *map(bucket_login, buckets)]
    async with admin.transaction():
        await _ensure_role(admin, OWNER, "NOLOGIN")
        for login in logins:
            options = "LOGIN NOINHERIT" + (" CREATEROLE" if login == PROVISIONER else "")
            await _ensure_role(admin, login, options)
            await _ensure_password(admin, login, settings)
            if login != PROVISIONER:
                for name, value in _PATIENCE.items():
                    await admin.execute(f"ALTER ROLE {login} SET {name} = '{value}'")
        await admin.execute(f"GRANT {OWNER} TO {PROVISIONER}")
        await ensure_keepers(admin, buckets)
        await admin.execute(f"GRANT CONNECT ON DATABASE {database} TO {', '.join(logins)}")
        await admin.execute(f"GRANT CREATE ON DATABASE {database} TO {OWNER}, {PROVISIONER}")
        await admin.execute("CREATE SCHEMA IF NOT EXISTS ext")
        await admin.execute("GRANT USAGE ON SCHEMA ext TO PUBLIC")
    await _extend(admin)
    await _share_functions(admin)
    return await harden(admin, database, logins)


async def seal(settings: Settings, url: str) -> None:
    """Have the tenants of a server ask for the capabilities of today's secret."""
    provisioner = await asyncpg.connect(login_url(settings, PROVISIONER, url))
    try:
        await ensure_questions(provisioner, Capabilities(settings.secret_key))
    finally:
        await provisioner.close()


async def _extend(admin: asyncpg.Connection) -> None:
    """Install the extensions that search is better with, where the server has them and allows it,
    ahead of the functions that use them (``shared_functions.sql``)."""
    available = await admin.fetch(
        "SELECT name FROM pg_available_extensions "
        "WHERE installed_version IS NULL AND name = ANY($1)",
        _WELCOME,
    )
    for row in available:
        name = row["name"]
        await attempt(admin, f"extension {name}", f"CREATE EXTENSION {name} SCHEMA ext")


async def _share_functions(admin: asyncpg.Connection) -> None:
    """Make what all tenants of the database search with, once: indexes are made of what it says."""
    if await admin.fetchval(f"SELECT to_regprocedure('{_LAST_SHARED}')") is None:
        async with admin.transaction():
            await admin.execute(_SHARED.read_text(encoding="utf-8"))


async def _ensure_role(admin: asyncpg.Connection, role: str, options: str) -> None:
    exists = await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if exists else "CREATE"
    await admin.execute(f"{verb} ROLE {role} WITH {options}")


async def _ensure_password(admin: asyncpg.Connection, login: str, settings: Settings) -> None:
    """Set the derived password; the statement carries only its SCRAM verifier."""
    verifier = login_verifier(settings.secret_key, login)
    await admin.execute(f"ALTER ROLE {login} PASSWORD '{verifier}'")
