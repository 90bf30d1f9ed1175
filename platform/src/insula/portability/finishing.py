"""What makes imported tables a tenant that works here."""

from collections.abc import Mapping

import asyncpg
from argon2 import extract_parameters
from argon2.exceptions import InvalidHashError

from insula.db import Work
from insula.i18n.catalogues import SOURCE
from insula.module import Module
from insula.portability.errors import ArchiveRefused
from insula.portability.manifest import Manifest
from insula.portability.versions import Standing
from insula.settings import Settings
from insula.tenancy import core, provisioning
from insula.tenancy.building import LEAVE, enter
from insula.tenancy.tenant import Tenant
from insula.webhooks.signing import Secrets

_MEMORY, _TIME, _LANES = 64 * 1024, 4, 4
"""What verifying a password may cost: kibibytes, passes and lanes of argon2."""
# Files, those on their way in and those on their way out.
_USAGE = """
    UPDATE file_usage SET bytes = (
        SELECT coalesce(sum(size), 0) FROM (
            SELECT size FROM files UNION ALL SELECT size FROM uploads
            UNION ALL SELECT size FROM file_removals
        ) AS kept
    );
"""


async def finish(
    catalogue: Work,
    settings: Settings,
    tenant: Tenant,
    manifest: Manifest,
    standings: Mapping[str, Standing],
    modules: Mapping[str, Module],
) -> int:
    """Migrate to the latest versions, set what the tenant had set, and give its webhooks secrets of
    this installation. Returns the tenant's new epoch.

    Raises:
        ArchiveRefused: nobody could use what came in.
    """
    await provisioning.apply(catalogue, tenant.number, standings[core.TENANT].files)
    await _switch_modules(catalogue, tenant, standings, dict(modules))
    connection = await catalogue.bare()
    await connection.execute(enter(tenant.number) + _USAGE)
    await _check_users(connection)
    await _seal_secrets(connection, Secrets(settings.secret_key))
    await connection.execute(LEAVE)
    wanted = manifest.tenant
    return await provisioning.set_preferences(
        catalogue,
        tenant.id,
        name=wanted.name,
        locale=wanted.locale or SOURCE,
        time_zone=wanted.time_zone or "UTC",
    )


async def _switch_modules(
    catalogue: Work, tenant: Tenant, standings: Mapping[str, Standing], modules: dict[str, Module]
) -> None:
    """All on, each after its needs, which migrates them; then those off that were off."""
    names = [name for name in standings if name != core.TENANT]
    for name in names:
        await provisioning.enable(catalogue, tenant, modules[name])
    for name in reversed(names):
        if not standings[name].enabled:
            await provisioning.disable(catalogue, tenant, modules[name], modules)


async def _seal_secrets(connection: asyncpg.Connection, secrets: Secrets) -> None:
    """Nobody knows them: whoever switches an endpoint on again rotates its secret first."""
    for record in await connection.fetch("SELECT id FROM webhooks"):
        _, sealed = secrets.make(record[0])
        await connection.execute("UPDATE webhooks SET secret = $2 WHERE id = $1", record[0], sealed)


async def _check_users(connection: asyncpg.Connection) -> None:
    """
    Raises:
        ArchiveRefused: nobody could sign in as an owner, or a password would cost too much to be
            verified.
    """
    owners = await connection.fetchval(
        "SELECT count(*) FROM users WHERE role = 'owner' AND status = 'active'"
    )
    if not owners:
        raise ArchiveRefused("No user in the archive is an active owner.")
    query = "SELECT email, password_hash FROM users WHERE password_hash IS NOT NULL"
    async for email, password_hash in connection.cursor(query, prefetch=500):
        if not _is_affordable(password_hash):
            raise ArchiveRefused(f"The password hash of {email!r} is none that Insula makes.")


def _is_affordable(password_hash: str) -> bool:
    try:
        cost = extract_parameters(password_hash)
    except (InvalidHashError, ValueError):
        return False
    return (
        cost.type.name == "ID"
        and cost.memory_cost <= _MEMORY
        and cost.time_cost <= _TIME
        and cost.parallelism <= _LANES
        and cost.hash_len <= 64
        and cost.salt_len <= 64
    )
