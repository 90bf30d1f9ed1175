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
from insula.identity.tables import UserRow
from insula.module import Module
from insula.tenancy import core, placement, slots
from insula.tenancy.building import LEAVE, build, enter
from insula.tenancy.cells import BUCKETS_OF_CELL, HOME, cell_of
from insula.tenancy.errors import ModuleNeeded, ModuleNeedsOthers, SlugTaken, TenantMoving
from insula.tenancy.migrations import APPLIED, MigrationFile, pending, read, script
from insula.tenancy.placement import Room
from insula.tenancy.tables import MoveRow, TenantModule, TenantRow
from insula.tenancy.tenant import Tenant, TenantRecord

_ANY = 32_767
"""The highest number that a bucket can have."""
# What a sign-up has written that was not committed at home.
_EMPTY = Statement(delete(UserRow))
IS_MOVING = Statement(
    select(MoveRow.tenant_id).where(
        MoveRow.tenant_id == bindparam("tenant_id"), MoveRow.phase != "done"
    ),
    UUID,
)
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


async def create(
    catalogue: Work, *, slug: str, name: str, buckets: int, low: int = 1, at_home: bool = False
) -> Tenant:
    """Make a tenant of a slot that was built ahead; if there is none, build its schema now, in the
    cell that is least full or ``at_home``. Whoever fills slots is woken if fewer than ``low`` are
    left. What is written into the schema then (:func:`placement.inside`) may be committed before
    the tenant is: a slot that lies elsewhere than at home may have been begun before.

    Raises:
        SlugTaken: another tenant has the slug, or got it a moment ago.
    """
    tenant_id, files = new_id(), core.tenant_files()
    new = {"id": tenant_id, "slug": slug, "name": name, "version": files[-1].version}
    try:
        highest = BUCKETS_OF_CELL - 1 if at_home else _ANY
        place = await catalogue.find(slots.CLAIM, **new, count_to=low, highest=highest)
        if is_new := place is None:
            room = Room(HOME, buckets) if at_home else await placement.choose(catalogue, buckets)
            first = room.cell * BUCKETS_OF_CELL
            place = await catalogue.one(slots.SKIP, **new, first=first, buckets=room.buckets)
    except asyncpg.UniqueViolationError as error:
        raise SlugTaken(slug) from error
    if place.others < low:
        await catalogue.run_script(f"NOTIFY {slots.CHANNEL}")
    number, bucket = place.number, place.bucket
    tenant = Tenant(TenantRecord(tenant_id, number, slug, name, "active", bucket, 0, []))
    if is_new:
        async with placement.at(catalogue, bucket) as work:
            await work.run_script(build(number, bucket, files, work.capabilities) + LEAVE)
    elif cell_of(bucket) != HOME:
        async with placement.inside(catalogue, tenant) as work:
            await work.execute(_EMPTY)
    return tenant


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
        TenantMoving: try again when it has moved.
    """
    await catalogue.one(_LOCK, tenant_id=tenant.id)
    enabled = set(await catalogue.many(_ENABLED, tenant_id=tenant.id))
    if missing := sorted(set(module.needs) - enabled):
        raise ModuleNeedsOthers(module.name, missing)
    files = read(module.name, module.migrations) if module.tables else ()
    if await catalogue.find(IS_MOVING, tenant_id=tenant.id) is not None:
        raise TenantMoving  # its tables are being made elsewhere, as they are now
    if files:
        async with placement.at(catalogue, tenant.bucket) as work:
            await apply(work, tenant.number, files)
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
