"""Which cell a new tenant is made in, and working in the cell that a tenant is in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from sqlalchemy import Integer, column, text

from insula.db import Statement, Work
from insula.tenancy.building import LEAVE, enter
from insula.tenancy.cells import BUCKETS_OF_CELL, CATALOGUE_PRELUDE, HOME, cell_of
from insula.tenancy.tenant import Tenant


class Room(msgspec.Struct, frozen=True):
    """Where there is room."""

    cell: int
    buckets: int


# Slots count as tenants: they are, soon.
_EMPTIEST = Statement(
    text(f"""
    SELECT number::int AS cell, buckets::int FROM cells LEFT JOIN (
        SELECT bucket / {BUCKETS_OF_CELL} AS cell, count(*) AS tenants FROM (
            SELECT bucket FROM tenants
            UNION ALL SELECT bucket FROM slots WHERE state <> 'dropping'
        ) AS everybody GROUP BY 1
    ) AS loads ON loads.cell = cells.number
    WHERE state = 'open'
    ORDER BY coalesce(tenants, 0)::float / capacity, number LIMIT 1
    """).columns(column("cell", Integer), column("buckets", Integer)),
    Room,
)


async def choose(catalogue: Work, buckets: int) -> Room:
    """The open cell that is least full; home, with ``buckets``, if none is open."""
    room = await catalogue.find(_EMPTIEST)
    return Room(HOME, buckets) if room is None or room.cell == HOME else room


@asynccontextmanager
async def at(catalogue: Work, bucket: int) -> AsyncIterator[Work]:
    """A transaction of the provisioner where a bucket is: at home ``catalogue`` itself. Elsewhere
    it is committed at the end of the block, ahead of ``catalogue``."""
    if (cell := cell_of(bucket)) == HOME:
        yield catalogue
        return
    async with catalogue.database.transaction(cell, CATALOGUE_PRELUDE) as there:
        yield there


@asynccontextmanager
async def inside(catalogue: Work, tenant: Tenant) -> AsyncIterator[Work]:
    """The same inside the tenant's schema, as its owner."""
    async with at(catalogue, tenant.bucket) as work:
        await work.run_script(enter(tenant.number))
        yield work
        await work.run_script(LEAVE)
