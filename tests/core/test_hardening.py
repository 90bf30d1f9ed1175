"""Hardening: what a server refuses is said, and what has come undone is done again."""

import asyncio
import secrets
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from insula.embedded import EmbeddedServers
from insula.settings import Settings
from insula.tenancy import installation as installing

MANAGED = (
    "CREATE ROLE manager LOGIN CREATEROLE CREATEDB PASSWORD 'manager'",
    "CREATE DATABASE managed OWNER manager",
)


def _url(url: str, login: str, database: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{login}@" if login else parts.netloc, path=database))


async def _migrated(environ: dict[str, str], url: str) -> tuple[str, ...]:
    settings = Settings.load(environ | {"INSULA_DATABASE_URL": url})
    return (await installing.migrate(settings)).skipped


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def _open_to_all(url: str) -> bool:
    connection = await asyncpg.connect(url)
    try:
        return bool(
            await connection.fetchval(
                "SELECT has_function_privilege('public', 'pg_stat_get_activity(int)', 'EXECUTE')"
            )
        )
    finally:
        await connection.close()


def test_a_managed_server_is_installed_and_what_it_refuses_is_said(tmp_path: Path) -> None:
    """By somebody who may create roles and is no superuser; then by a superuser, who may all."""
    environ = {"INSULA_SECRET_KEY": secrets.token_urlsafe(48), "INSULA_HOME": str(tmp_path)}
    with EmbeddedServers(tmp_path / "home", durable=False) as servers:
        asyncio.run(_execute(servers.database_url, *MANAGED))
        managed = _url(servers.database_url, "manager:manager", "/managed")
        superuser = _url(servers.database_url, "", "/managed")
        refused = asyncio.run(_migrated(environ, managed))
        assert "closing the database to other logins" not in refused
        for what in (
            "keeping tenants from binding themselves",
            "keeping tenants from programming",
            "hiding what others do",
            "letting row security use indexes",
            "bounding what a statement may use",
        ):
            assert what in refused
        assert asyncio.run(_open_to_all(superuser))
        assert asyncio.run(_migrated(environ, superuser)) == ()
        assert not asyncio.run(_open_to_all(superuser))
        again = "GRANT EXECUTE ON FUNCTION pg_stat_get_activity(int) TO PUBLIC"
        asyncio.run(_execute(superuser, again))
        assert asyncio.run(_migrated(environ, superuser)) == ()
        assert not asyncio.run(_open_to_all(superuser))
