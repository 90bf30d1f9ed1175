"""Making, changing and dropping what a tenant owns in PostgreSQL.

Everything here runs in one transaction of the provisioner, so that a crash leaves nothing
half-made: PostgreSQL's DDL, roles included, is transactional.
"""

from uuid import UUID

import asyncpg
from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from insula.db import Statement, Work, binds
from insula.db.ids import new_id
from insula.module import Module
from insula.tenancy import core, slots
from insula.tenancy.building import LEAVE, build, enter
from insula.tenancy.errors import ModuleNeeded, ModuleNeedsOthers, SlugTaken
from insula.tenancy.migrations import APPLIED, MigrationFile, pending, read, script
from insula.tenancy.roles import OWNER
from insula.tenancy.tables import TenantModule, TenantRow
from insula.tenancy.tenant import Tenant, TenantRecord, schema_name

_RAISE_EPOCH = Statement(
    update(TenantRow)
    .where(TenantRow.id == bindparam("tenant_id"))
    .values(epoch=TenantRow.epoch + 1, updated_at=func.now())
    .returning(TenantRow.epoch),
    int,
)
_SET_PREFERENCES = Statement(
    update(TenantRow)
    .where(TenantRow.id == bindparam("tenant_id"))
    .values(**binds("name", "locale", "time_zone"))
)
_DELETE = Statement(delete(TenantRow).where(TenantRow.id == bindparam("tenant_id")))
_RECORD = upsert(TenantModule).values(
    **binds("tenant_id", "module", "version", "enabled"),
)
_SET_MODULE = Statement(
    _RECORD.on_conflict_do_update(
        index_elements=[TenantModule.tenant_id, TenantModule.module],
        set_={
            "version": _RECORD.excluded.version,
            "enabled": _RECORD.excluded.enabled,
            "changed_at": func.now(),
        },
    )
)
_LOCK = Statement(
    select(TenantRow.id).where(TenantRow.id == bindparam("tenant_id")).with_for_update(), UUID
)
_ENABLED = Statement(
    select(TenantModule.module).where(
        TenantModule.tenant_id == bindparam("tenant_id"), TenantModule.enabled
    ),
    str,
)


async def create(catalogue: Work, *, slug: str, name: str, buckets: int, low: int = 1) -> Tenant:
    """Make a tenant of a slot that was built ahead; if there is none, build its schema now. Whoever
    fills slots is woken if fewer than ``low`` are left.

    Afterwards ``catalogue`` stands in the schema as its owner, so that the first user can be
    written. Call :func:`leave` when that is done.

    Raises:
        SlugTaken: another tenant has the slug, or got it a moment ago.
    """
    tenant_id, files = new_id(), core.tenant_files()
    new = {"id": tenant_id, "slug": slug, "name": name, "version": files[-1].version}
    try:
        place = await catalogue.find(slots.CLAIM, **new, count_to=low)
        if place is not None:
            entering = enter(place.number)
        else:
            place = await catalogue.one(slots.SKIP, **new, buckets=buckets)
            entering = build(place.number, place.bucket, files, catalogue.capabilities)
    except asyncpg.UniqueViolationError as error:
        raise SlugTaken(slug) from error
    waking = f"NOTIFY {slots.CHANNEL};" if place.others < low else ""
    await catalogue.run_script(waking + entering)
    number, bucket = place.number, place.bucket
    return Tenant(TenantRecord(tenant_id, number, slug, name, "active", bucket, 0, []))


async def leave(catalogue: Work) -> None:
    """Return from a tenant's schema to the catalogue."""
    await catalogue.run_script(LEAVE)


async def _record(
    catalogue: Work,
    tenant_id: UUID,
    module: str,
    files: tuple[MigrationFile, ...],
    *,
    enabled: bool,
) -> None:
    version = files[-1].version if files else 0
    await catalogue.execute(
        _SET_MODULE, tenant_id=tenant_id, module=module, version=version, enabled=enabled
    )


async def apply(catalogue: Work, number: int, files: tuple[MigrationFile, ...]) -> None:
    """Apply those of the files that the tenant's schema has not seen."""
    await catalogue.run_script(enter(number))
    applied = await catalogue.many(APPLIED, module=files[0].module)
    if due := pending(files, applied):
        await catalogue.run_script(script(due))
    await catalogue.run_script(LEAVE)


async def enable(catalogue: Work, tenant: Tenant, module: Module) -> int:
    """Switch a module on: build or migrate its tables. Returns the tenant's new epoch.

    Raises:
        ModuleNeedsOthers: modules that it needs are off.
    """
    await catalogue.one(_LOCK, tenant_id=tenant.id)
    enabled = set(await catalogue.many(_ENABLED, tenant_id=tenant.id))
    if missing := sorted(set(module.needs) - enabled):
        raise ModuleNeedsOthers(module.name, missing)
    files = read(module.name, module.migrations) if module.tables else ()
    if files:
        await apply(catalogue, tenant.number, files)
    await _record(catalogue, tenant.id, module.name, files, enabled=True)
    return await catalogue.one(_RAISE_EPOCH, tenant_id=tenant.id)


async def disable(
    catalogue: Work, tenant: Tenant, module: Module, installed: dict[str, Module]
) -> int:
    """Switch a module off; its data stays. Returns the tenant's new epoch.

    Raises:
        ModuleNeeded: another module that is on needs it.
    """
    await catalogue.one(_LOCK, tenant_id=tenant.id)
    enabled = await catalogue.many(_ENABLED, tenant_id=tenant.id)
    if users := sorted(n for n in enabled if n in installed and module.name in installed[n].needs):
        raise ModuleNeeded(module.name, users)
    if module.name in enabled:
        files = read(module.name, module.migrations) if module.tables else ()
        await _record(catalogue, tenant.id, module.name, files, enabled=False)
    return await catalogue.one(_RAISE_EPOCH, tenant_id=tenant.id)


async def raise_epoch(catalogue: Work, tenant_id: UUID) -> int:
    """Something has changed that replicas keep of the tenant. Returns its new epoch."""
    return await catalogue.one(_RAISE_EPOCH, tenant_id=tenant_id)


async def set_preferences(
    catalogue: Work, tenant_id: UUID, *, name: str, locale: str, time_zone: str
) -> int:
    """Returns the tenant's new epoch."""
    await catalogue.execute(
        _SET_PREFERENCES, tenant_id=tenant_id, name=name, locale=locale, time_zone=time_zone
    )
    return await catalogue.one(_RAISE_EPOCH, tenant_id=tenant_id)


async def drop(catalogue: Work, tenant: Tenant) -> None:
    """Delete a tenant with everything it has. There is no way back."""
    await catalogue.execute(_DELETE, tenant_id=tenant.id)
    name = schema_name(tenant.number)
    await catalogue.run_script(
        f"SET LOCAL ROLE {OWNER}; DROP SCHEMA IF EXISTS {name} CASCADE; SET LOCAL ROLE NONE;"
        f"DROP ROLE IF EXISTS {name};"
    )
