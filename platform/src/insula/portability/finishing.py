"""What makes imported tables a tenant that works here."""

import json
from collections.abc import Mapping

import asyncpg
import msgspec
from argon2 import extract_parameters
from argon2.exceptions import InvalidHashError

from insula.db import Work
from insula.http.preferences import TIME_ZONES
from insula.i18n import LANGUAGES
from insula.i18n.catalogues import SOURCE
from insula.i18n.negotiation import lookup
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

# A language or a time zone that is none would be an error wherever it is used.
_PREFERENCES = """
    UPDATE users SET
        locale = CASE WHEN $1::text::jsonb -> 'languages' ? locale THEN locale END,
        time_zone = CASE WHEN $1::text::jsonb -> 'zones' ? time_zone THEN time_zone END
    WHERE NOT $1::text::jsonb -> 'languages' ? coalesce(locale, 'en')
        OR NOT $1::text::jsonb -> 'zones' ? coalesce(time_zone, 'UTC')
"""


def _known() -> str:
    return json.dumps({"languages": list(LANGUAGES), "zones": sorted(TIME_ZONES)})


class Arrived(msgspec.Struct, frozen=True):
    """What the catalogue is told of a tenant whose tables were filled."""

    name: str
    locale: str
    time_zone: str
    modules: dict[str, bool]
    """Which there are, each after those that it needs, and whether it is on."""

    @classmethod
    def of(cls, manifest: Manifest, standings: Mapping[str, Standing]) -> "Arrived":
        """What an archive says, as far as it is known here."""
        wanted = manifest.tenant
        return cls(
            wanted.name,
            lookup(wanted.locale or SOURCE) or SOURCE,
            wanted.time_zone if wanted.time_zone in TIME_ZONES else "UTC",
            {line.name: line.enabled for line in standings.values() if line.name != core.TENANT},
        )


async def record(
    catalogue: Work,
    modules: dict[str, Module],
    tenant: Tenant,
    arrived: Arrived,
    there: Work | None = None,
) -> int:
    """Tell the catalogue; what is there already stays. All modules are switched on, which migrates
    them, then those off that were off. Returns the tenant's new epoch."""
    for name in arrived.modules:
        await provisioning.enable(catalogue, tenant, modules[name], there=there)
    for name, enabled in reversed(arrived.modules.items()):
        if not enabled:
            await provisioning.disable(catalogue, tenant, modules[name], modules)
    return await provisioning.set_preferences(
        catalogue,
        tenant.id,
        name=arrived.name,
        locale=arrived.locale,
        time_zone=arrived.time_zone,
    )


class Finishing(msgspec.Struct, frozen=True):
    """What finishing needs: the catalogue's transaction and the tenant's own, which is the same at
    home."""

    catalogue: Work
    there: Work
    settings: Settings
    modules: dict[str, Module]

    async def finish(
        self, tenant: Tenant, manifest: Manifest, standings: Mapping[str, Standing]
    ) -> int:
        """Migrate to the latest versions, set what the tenant had set, and give its webhooks
        secrets of this installation. Returns the tenant's new epoch.

        Raises:
            ArchiveRefused: nobody could use what came in.
        """
        await provisioning.apply(self.there, tenant.number, standings[core.TENANT].files)
        arrived = Arrived.of(manifest, standings)
        epoch = await record(self.catalogue, self.modules, tenant, arrived, self.there)
        connection = await self.there.bare()
        await connection.execute(enter(tenant.number) + _USAGE)
        await connection.execute(_PREFERENCES, _known())
        await _check_users(connection)
        await _seal_secrets(connection, Secrets(self.settings.secret_key))
        await connection.execute(LEAVE)
        return epoch


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
