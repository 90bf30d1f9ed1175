"""Where a tenant goes."""

from insula.db import Work
from insula.settings import Settings
from insula.tenancy import joining
from insula.tenancy.cells import BUCKETS_OF_CELL, HOME, CellRefused, cell_of
from insula.tenancy.lifecycle import get_tenant
from insula.tenancy.moving import records
from insula.tenancy.moving.records import Move


async def begin(catalogue: Work, settings: Settings, slug: str, cell: str) -> Move:
    """Note that a tenant is to move to a cell; what was begun already goes on.

    Raises:
        TenantNotFound: nobody has this slug.
        CellRefused: it is there, or on its way elsewhere, or the cell takes nobody.
    """
    tenant = await get_tenant(catalogue, slug)
    known = await catalogue.find(records.OF_TENANT, tenant=tenant.id)
    lines = {line.name: line for line in await joining.list_cells(catalogue)}
    if cell not in lines:
        raise CellRefused(f"There is no cell {cell}: there are {', '.join(lines)}.")
    number = lines[cell].number
    if known is not None and known.phase != "done":
        if cell_of(known.target) != number:
            raise CellRefused(f"{slug} is on its way elsewhere: finish or cancel that move first.")
        return known
    if cell_of(tenant.bucket) == number:
        raise CellRefused(f"{slug} is at {cell} already.")
    if lines[cell].state == "closed":
        raise CellRefused(f"{cell} is closed: `insula cells open {cell}`.")
    if tenant.status == "deleted":
        raise CellRefused(f"{slug} is deleted.")
    buckets = settings.buckets if number == HOME else lines[cell].buckets
    # Whoever is making tables for it, or migrating them, comes to an end first.
    await catalogue.one(records.STATUS, tenant=tenant.id)
    await catalogue.many(records.LOCK_MODULES, tenant=tenant.id)
    target = await _emptiest(catalogue, number * BUCKETS_OF_CELL, buckets)
    await catalogue.execute(records.BEGIN, tenant_id=tenant.id, source=tenant.bucket, target=target)
    return await catalogue.one(records.OF_TENANT, tenant=tenant.id)


async def _emptiest(catalogue: Work, first: int, buckets: int) -> int:
    last = first + buckets - 1
    loads = await catalogue.many(records.LOAD, first=first, last=last)
    tenants = {load.bucket: load.tenants for load in loads}
    return min(range(first, last + 1), key=lambda bucket: tenants.get(bucket, 0))
