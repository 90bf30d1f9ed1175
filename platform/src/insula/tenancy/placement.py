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


# Slots count as tenants: they are, soon. Nobody is counted where there is nothing to choose. Cells
# are compared by whole hundredths: 20 tenants in turn go to one of 2,000, whose catalogue is then
# in a processor's caches (to another one each time, building takes 1.3 times as long).
_EMPTIEST = Statement(
    text(f"""
    WITH taking AS (
        SELECT *, number * {BUCKETS_OF_CELL} AS first, (number + 1) * {BUCKETS_OF_CELL} AS beyond
        FROM cells WHERE state = 'open'
    )
    SELECT number::int AS cell, buckets::int FROM taking
    ORDER BY CASE WHEN (SELECT count(*) FROM taking) > 1 THEN floor(100 * (
        (SELECT count(*) FROM tenants WHERE bucket >= first AND bucket < beyond)
        + (SELECT count(*) FROM slots WHERE state <> 'dropping'
           AND bucket >= first AND bucket < beyond)
    )::float / capacity) END, number LIMIT 1
    """).columns(column("cell", Integer), column("buckets", Integer)),
    Room,
)


async def choose(catalogue: Work, buckets: int) -> Room:
    """The open cell that is least full; home, with ``buckets``, if none is open."""
    room = await catalogue.find(_EMPTIEST)
    return Room(HOME, buckets) if room is None or room.cell == HOME else room


UNHURRIED = "SET LOCAL synchronous_commit = off;"
"""Whoever commits need not wait for the disk."""


@asynccontextmanager
async def at(catalogue: Work, bucket: int, *, script: str = "") -> AsyncIterator[Work]:
    """A transaction of the provisioner where a bucket is, after ``script``: at home ``catalogue``
    itself. Elsewhere it is committed at the end of the block, ahead of ``catalogue``."""
    if (cell := cell_of(bucket)) == HOME:
        if script:
            await catalogue.run_script(script)
        yield catalogue
        return
    async with catalogue.database.transaction(cell, CATALOGUE_PRELUDE) as there:
        if script:
            await there.run_script(script)
        yield there


@asynccontextmanager
async def ahead(catalogue: Work, bucket: int, *, script: str = "") -> AsyncIterator[Work]:
    """The same for those who write to ``catalogue`` as well. Where both are databases of one
    server, the disk is waited for once: what the catalogue commits is on it after all that was
    committed before."""
    if cell_of(bucket) != HOME and catalogue.database.shares_log(cell_of(bucket)):
        script = UNHURRIED + script
    async with at(catalogue, bucket, script=script) as there:
        yield there


@asynccontextmanager
async def inside(catalogue: Work, tenant: Tenant) -> AsyncIterator[Work]:
    """As :func:`at`, inside the tenant's schema, as its owner."""
    async with at(catalogue, tenant.bucket, script=enter(tenant.number)) as work:
        yield work
        await work.run_script(LEAVE)
