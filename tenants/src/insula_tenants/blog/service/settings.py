"""The blog's settings."""

from typing import Any

import msgspec
from insula.db import Work
from insula.http.conditional import require_match
from insula.tenancy.tenant import Tenant
from msgspec import UNSET

from insula_tenants.blog.queries import people as queries
from insula_tenants.blog.schemas import Settings, SettingsUpdate


def defaults(tenant: Tenant | None = None) -> Settings:
    """What holds until somebody changes a setting."""
    return Settings(
        title=tenant.name if tenant is not None else "",
        description="",
        site_url=None,
        language="en",
        community=True,
        comments_open=True,
        moderation="none",
        max_links=2,
        blocked_words=[],
        edit_minutes=15,
        version=0,
    )


async def read(tx: Work, tenant: Tenant | None = None) -> Settings:
    settings = await tx.find(queries.FIND_SETTINGS)
    return defaults(tenant) if settings is None else settings


async def change(
    tx: Work, tenant: Tenant, update: SettingsUpdate, if_match: str | None
) -> Settings:
    """Change what is given.

    Raises:
        PreconditionFailed: somebody else changed a setting since they were read.
    """
    await tx.execute(queries.ADD_SETTINGS, **_values(defaults(tenant)))
    stored = await tx.one(queries.LOCK_SETTINGS)
    require_match(if_match, stored.version)
    given = {n: v for n, v in msgspec.structs.asdict(update).items() if v is not UNSET}
    return await tx.one(
        queries.UPDATE_SETTINGS, **_values(msgspec.structs.replace(stored, **given))
    )


def _values(settings: Settings) -> dict[str, Any]:
    values = msgspec.structs.asdict(settings)
    del values["version"]
    return values
