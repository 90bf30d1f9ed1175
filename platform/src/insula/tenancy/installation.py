"""Installing Insula into a PostgreSQL server, and migrating what is there.

Needs a login that may create roles, and the hardening needs a superuser; where the server is a
managed one, the steps that it refuses are skipped and reported. Everything can be run again.
"""

import hashlib
from collections.abc import Callable
from uuid import UUID

import asyncpg
import msgspec
import structlog
from sqlalchemy import Integer, Text, bindparam, column, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from insula.db import Database, Statement, Work
from insula.db.pool import Pool
from insula.keys import login_password, scram_verifier
from insula.module import Module, discover
from insula.settings import Settings, SettingsError
from insula.tenancy import core
from insula.tenancy.migrations import (
    APPLIED,
    MigrationChanged,
    MigrationFile,
    pending,
    read,
    script,
)
from insula.tenancy.provisioning import CATALOGUE_PRELUDE, apply
from insula.tenancy.roles import OWNER, PROVISIONER, bucket_login, login_url
from insula.tenancy.tables import TenantModule, TenantRow

log = structlog.get_logger("insula.installation")

_LOCK = 0x496E73756C61  # "Insula": one installation step at a time in this database

Progress = Callable[[str, int, int], None]
"""What is being done, how many are done, how many there are."""

# Functions that a tenant's role has no use for and an attacker would have.
_DANGEROUS = (
    "^(query_to_xml|cursor_to_xml|table_to_xml|schema_to_xml|database_to_xml|ts_stat|lo_"
    "|lowrite|loread|pg_notify|pg_advisory|pg_try_advisory)"
)


def _logins(settings: Settings) -> list[str]:
    return [PROVISIONER, *(bucket_login(bucket) for bucket in range(settings.buckets))]


async def migrate(settings: Settings, progress: Progress = lambda *_: None) -> "Report":
    """Install or migrate everything: logins, privileges, catalogue, every tenant.

    Raises:
        SettingsError: there is no database URL.
    """
    if not settings.database_url:
        raise SettingsError("INSULA_DATABASE_URL is not set")
    progress("database", 0, 1)
    admin = await asyncpg.connect(settings.database_url)
    try:
        await admin.execute("SELECT pg_advisory_lock($1)", _LOCK)
        skipped = await _prepare(admin, settings)
        progress("database", 1, 1)
        report = await _migrate_fleet(settings, discover(), progress)
    finally:
        await admin.close()
    return msgspec.structs.replace(report, skipped=skipped)


class Failure(msgspec.Struct, frozen=True):
    tenant: str
    module: str
    error: str


class Report(msgspec.Struct, frozen=True):
    """What a migration did."""

    tenants: int = 0
    changed: int = 0
    failures: tuple[Failure, ...] = ()
    skipped: tuple[str, ...] = ()
    """Hardening steps that this server refuses."""


# Roles and privileges


async def _prepare(admin: asyncpg.Connection, settings: Settings) -> tuple[str, ...]:
    database = await admin.fetchval("SELECT quote_ident(current_database())")
    logins = _logins(settings)
    async with admin.transaction():
        await _ensure_role(admin, OWNER, "NOLOGIN")
        for login in logins:
            options = "LOGIN NOINHERIT" + (" CREATEROLE" if login == PROVISIONER else "")
            await _ensure_role(admin, login, options)
            await _ensure_password(admin, login, settings)
        await admin.execute(f"GRANT {OWNER} TO {PROVISIONER}")
        await admin.execute(f"GRANT CONNECT ON DATABASE {database} TO {', '.join(logins)}")
        await admin.execute(f"GRANT CREATE ON DATABASE {database} TO {OWNER}, {PROVISIONER}")
        await admin.execute("CREATE SCHEMA IF NOT EXISTS ext")
        await admin.execute("GRANT USAGE ON SCHEMA ext TO PUBLIC")
    return await _harden(admin, database, logins)


async def _ensure_role(admin: asyncpg.Connection, role: str, options: str) -> None:
    exists = await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if exists else "CREATE"
    await admin.execute(f"{verb} ROLE {role} WITH {options}")


async def _ensure_password(admin: asyncpg.Connection, login: str, settings: Settings) -> None:
    """Set the derived password; the statement carries only its SCRAM verifier."""
    password = login_password(settings.secret_key, login)
    salt = hashlib.sha256(f"insula:{login}:{password}".encode()).digest()[:16]
    verifier = scram_verifier(password, salt)
    await admin.execute(f"ALTER ROLE {login} PASSWORD '{verifier}'")


async def _harden(admin: asyncpg.Connection, database: str, logins: list[str]) -> tuple[str, ...]:
    """Take from PUBLIC what a hostile statement could use (DESIGN.md section 4)."""
    everyone = ", ".join(logins)
    functions = await admin.fetch(
        "SELECT oid::regprocedure::text AS name FROM pg_proc WHERE pronamespace = "
        "'pg_catalog'::regnamespace AND proname ~ $1",
        _DANGEROUS,
    )
    steps = [
        f"REVOKE ALL ON DATABASE {database} FROM PUBLIC",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO {everyone}",
        "REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC",
        "REVOKE UPDATE ON pg_catalog.pg_settings FROM PUBLIC",
        "REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC",
        f"GRANT USAGE ON LANGUAGE plpgsql TO {OWNER}, {PROVISIONER}",
        "REVOKE EXECUTE ON FUNCTION "
        + ", ".join(row["name"] for row in functions)
        + " FROM PUBLIC",
    ]
    return tuple([step for step in steps if not await _try(admin, step)])


async def _try(admin: asyncpg.Connection, step: str) -> bool:
    try:
        async with admin.transaction():
            await admin.execute(step)
    except asyncpg.InsufficientPrivilegeError as error:
        log.warning("hardening step refused by the server", step=step[:120], error=str(error))
        return False
    return True


# Catalogue and fleet


async def _migrate_fleet(
    settings: Settings, modules: dict[str, Module], progress: Progress
) -> Report:
    pool = Pool(login_url(settings, PROVISIONER), size=4)
    database = Database([pool])
    try:
        async with database.transaction(0, CATALOGUE_PRELUDE) as catalogue:
            await _migrate_catalogue(catalogue)
        async with database.transaction(0, CATALOGUE_PRELUDE) as catalogue:
            due = await catalogue.many(DUE, **_latest(modules))
        return await _migrate_tenants(database, modules, due, progress)
    finally:
        await database.close()


async def _migrate_catalogue(catalogue: Work) -> None:
    await catalogue.run_script("CREATE SCHEMA IF NOT EXISTS ctl")
    exists = await catalogue.find(_HAS_MIGRATIONS)
    applied = await catalogue.many(APPLIED, module=core.CATALOGUE) if exists else []
    if due := pending(core.catalogue_files(), applied):
        await catalogue.run_script(script(due))


def _files(modules: dict[str, Module]) -> dict[str, tuple[MigrationFile, ...]]:
    files = {
        name: read(name, module.migrations) for name, module in modules.items() if module.tables
    }
    return {core.TENANT: core.tenant_files(), **files}


async def _migrate_tenants(
    database: Database, modules: dict[str, Module], due: list["Due"], progress: Progress
) -> Report:
    """Tenant by tenant, each in a transaction of its own: interrupted, the next run goes on."""
    files = _files(modules)
    failures: list[Failure] = []
    for done, line in enumerate(due):
        progress("tenants", done, len(due))
        try:
            async with database.transaction(0, CATALOGUE_PRELUDE) as catalogue:
                await catalogue.run_script("SET LOCAL lock_timeout = '3s'")
                await migrate_module(catalogue, line, files[line.module])
        except (asyncpg.PostgresError, MigrationChanged) as error:
            log.error("migration failed", tenant=line.slug, module=line.module, error=str(error))
            failures.append(Failure(line.slug, line.module, str(error)))
    progress("tenants", len(due), len(due))
    return Report(
        tenants=len({line.slug for line in due}),
        changed=len(due) - len(failures),
        failures=tuple(failures),
    )


async def migrate_module(catalogue: Work, line: "Due", files: tuple[MigrationFile, ...]) -> None:
    """Bring one module of one tenant up to date, and its line in the catalogue with it."""
    await apply(catalogue, line.number, files)
    await catalogue.execute(
        _SET_VERSION, tenant=line.tenant_id, name=line.module, new_version=files[-1].version
    )


class Due(msgspec.Struct, frozen=True):
    """A module of a tenant that is behind."""

    tenant_id: UUID
    number: int
    slug: str
    module: str


_latest_versions = (
    func.unnest(
        bindparam("modules", type_=ARRAY(Text)), bindparam("versions", type_=ARRAY(Integer))
    )
    .table_valued(column("module", Text), column("version", Integer))
    .render_derived(name="latest")
)
DUE = Statement(
    select(TenantModule.tenant_id, TenantRow.number, TenantRow.slug, TenantModule.module)
    .join(TenantRow, TenantRow.id == TenantModule.tenant_id)
    .join(_latest_versions, _latest_versions.c.module == TenantModule.module)
    .where(TenantModule.version < _latest_versions.c.version)
    .order_by(TenantRow.number, TenantModule.module),
    Due,
)
_SET_VERSION = Statement(
    update(TenantModule)
    .where(TenantModule.tenant_id == bindparam("tenant"), TenantModule.module == bindparam("name"))
    .values(version=bindparam("new_version"), changed_at=func.now())
)
_HAS_MIGRATIONS = Statement(select(func.to_regclass("ctl.insula_migrations").cast(Text)), str)


def _latest(modules: dict[str, Module]) -> dict[str, list[str] | list[int]]:
    files = _files(modules)
    return {
        "modules": list(files),
        "versions": [lines[-1].version if lines else 0 for lines in files.values()],
    }
