"""Making, changing and dropping what a tenant owns in PostgreSQL.

Everything here runs in one transaction of the provisioner, so that a crash leaves nothing
half-made: PostgreSQL's DDL, roles included, is transactional.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import Integer, Text, Uuid, bindparam, exists, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY

from insula.db import Statement, Work, binds
from insula.db.ids import new_id
from insula.module import Module
from insula.tenancy import core, placement, slots
from insula.tenancy.building import FEW_ROWS, LEAVE, build, enter
from insula.tenancy.cells import BUCKETS_OF_CELL, HOME, cell_of
from insula.tenancy.errors import (
    ModuleNeeded,
    ModuleNeedsOthers,
    SlugTaken,
    TenantMoving,
)
from insula.tenancy.migrations import Applied, MigrationFile, pending, read, script
from insula.tenancy.placement import Room
from insula.tenancy.slots import Slot
from insula.tenancy.tables import Migration, MoveRow, TenantModule, TenantRow
from insula.tenancy.tenant import Tenant, TenantRecord


class _Seen(msgspec.Struct, frozen=True):
    """A line of a tenant's ``insula_migrations``."""

    module: str
    version: int
    checksum: str


class _State(msgspec.Struct, frozen=True):
    enabled: list[str]
    is_moving: bool


_ANY = 32_767
"""The highest number that a bucket can have."""
_EMPTY = "DELETE FROM users;"
"""What a sign-up has written that was not committed at home."""
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
_ENABLE = Statement(
    text("""
    WITH recorded AS (
        INSERT INTO tenant_modules (tenant_id, module, version, enabled)
        SELECT :tenant_id, module, version, true
        FROM unnest(:modules, :versions) AS new (module, version)
        ON CONFLICT (tenant_id, module) DO UPDATE
        SET version = excluded.version, enabled = true, changed_at = now()
    )
    UPDATE tenants SET epoch = epoch + 1, updated_at = now() WHERE id = :tenant_id
    RETURNING epoch
    """).bindparams(
        bindparam("tenant_id", type_=Uuid),
        bindparam("modules", type_=ARRAY(Text)),
        bindparam("versions", type_=ARRAY(Integer)),
    ),
    int,
)
_DISABLE = Statement(
    update(TenantModule)
    .where(
        TenantModule.tenant_id == bindparam("tenant_id"), TenantModule.module == bindparam("name")
    )
    .values(enabled=False, changed_at=func.now())
)
_APPLIED = Statement(
    select(Migration.module, Migration.version, Migration.checksum).where(
        Migration.module == func.any(bindparam("modules", type_=ARRAY(Text)))
    ),
    _Seen,
)
_STATE = Statement(
    select(
        func.array(
            select(TenantModule.module)
            .where(TenantModule.tenant_id == bindparam("tenant_id"), TenantModule.enabled)
            .scalar_subquery()
        ).label("enabled"),
        exists()
        .where(MoveRow.tenant_id == bindparam("tenant_id"), MoveRow.phase != "done")
        .label("is_moving"),
    ),
    _State,
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


async def reserve(catalogue: Work, *, buckets: int) -> Slot:
    """A number and a place, in the cell that is least full, for a tenant that is long in the
    making. Committed before anything is made of it, so that what is left of a process that died is
    found, and dropped with the slots that nobody wants."""
    room = await placement.choose(catalogue, buckets)
    first = room.cell * BUCKETS_OF_CELL
    slot = await catalogue.one(slots.BEGIN, first=first, buckets=room.buckets)
    await catalogue.execute(slots.GIVE_UP, slot=slot.number)
    return slot


async def settle(catalogue: Work, slot: Slot, *, slug: str, name: str, version: int) -> Tenant:
    """Have a tenant be at a place that was reserved; its tables are made by whoever calls.

    Raises:
        SlugTaken: another tenant has the slug, or got it a moment ago.
    """
    tenant_id = new_id()
    new = {"id": tenant_id, "slug": slug, "name": name, "version": version}
    try:
        await catalogue.execute(slots.SETTLE, **new, slot=slot.number, bucket=slot.bucket)
    except asyncpg.UniqueViolationError as error:
        raise SlugTaken(slug) from error
    return Tenant(TenantRecord(tenant_id, slot.number, slug, name, "active", slot.bucket, 0, []))


@asynccontextmanager
async def creating(
    catalogue: Work, *, slug: str, name: str, buckets: int, low: int = 1, at_home: bool = False
) -> AsyncIterator[tuple[Tenant, Work]]:
    """Make a tenant of a slot that was built ahead; if there is none, build its schema now, in the
    cell that is least full or ``at_home``. Whoever fills slots is woken if fewer than ``low`` are
    left. The block is inside the schema, as its owner; what it writes there may be committed
    before the tenant is, and found by who gets the slot next: they begin by emptying it.

    Raises:
        SlugTaken: another tenant has the slug, got it a moment ago, or gave it up.
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
    if place.is_given_up:
        raise SlugTaken(slug)
    if place.others < low:
        await catalogue.run_script(f"NOTIFY {slots.CHANNEL}")
    number, bucket = place.number, place.bucket
    is_home = cell_of(bucket) == HOME
    if is_new:
        script = build(number, bucket, files, catalogue.capabilities)
    else:
        script = enter(number) + ("" if is_home else _EMPTY)
    async with placement.ahead(catalogue, bucket, script=script) as there:
        yield Tenant(TenantRecord(tenant_id, number, slug, name, "active", bucket, 0, [])), there
        if is_home:
            await there.run_script(LEAVE)


async def apply(
    work: Work, number: int, *modules: tuple[MigrationFile, ...], fresh: bool = False
) -> None:
    """Apply those of the modules' files that the tenant's schema has not seen, as one script.
    ``fresh``: the files are all that there are, so what is new may be made the cheaper way."""
    await work.run_script(enter(number))
    await _apply_inside(work, *modules, fresh=fresh)


async def _apply_inside(work: Work, *modules: tuple[MigrationFile, ...], fresh: bool) -> None:
    names = [files[0].module for files in modules]
    seen = await work.many(_APPLIED, modules=names)
    due: list[MigrationFile] = []
    for name, files in zip(names, modules, strict=True):
        due += pending(files, [Applied(s.version, s.checksum) for s in seen if s.module == name])
    new = set(names) - {line.module for line in seen} if fresh else set()
    await work.run_script((FEW_ROWS if new else "") + script(tuple(due), fresh=new) + LEAVE)


async def enable(
    catalogue: Work, tenant: Tenant, *modules: Module, there: Work | None = None
) -> int:
    """Switch modules on, in this order: build or migrate their tables, in ``there``, a transaction
    where the tenant is, or one of its own. Returns the tenant's new epoch.

    Raises:
        ModuleNeedsOthers: modules that one needs are off.
        TenantMoving: try again when it has moved.
    """
    await catalogue.one(_LOCK, tenant_id=tenant.id)
    state = await catalogue.one(_STATE, tenant_id=tenant.id)
    enabled = set(state.enabled)
    for module in modules:
        if missing := sorted(set(module.needs) - enabled):
            raise ModuleNeedsOthers(module.name, missing)
        enabled.add(module.name)
    if state.is_moving:
        raise TenantMoving  # its tables are being made elsewhere, as they are now
    files = {module.name: _files(module) for module in modules}
    versions = [steps[-1].version if steps else 0 for steps in files.values()]
    # Ahead of the tables: those of several modules are more news than PostgreSQL keeps for a
    # session that waits, which would have to read its catalogues anew.
    epoch = await catalogue.one(
        _ENABLE, tenant_id=tenant.id, modules=list(files), versions=versions
    )
    if having := [steps for steps in files.values() if steps]:
        if there is not None:
            await apply(there, tenant.number, *having, fresh=True)
        else:
            script = enter(tenant.number)
            async with placement.ahead(catalogue, tenant.bucket, script=script) as work:
                await _apply_inside(work, *having, fresh=True)
    return epoch


def _files(module: Module) -> tuple[MigrationFile, ...]:
    return read(module.name, module.migrations) if module.tables else ()


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
        await catalogue.execute(_DISABLE, tenant_id=tenant.id, name=module.name)
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
