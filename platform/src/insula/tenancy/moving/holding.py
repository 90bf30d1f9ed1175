"""Who is at a move: one process at a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME, CellRefused, Cells, cell_of
from insula.tenancy.moving import carrying, fencing, records
from insula.tenancy.moving.records import Move
from insula.tenancy.tenant import schema_name

_LOCK = 0x4D6F7665 << 32
"""Advisory locks of this number and the tenant's."""


class MoveTaken(CellRefused):
    """Another process is at this move."""


@asynccontextmanager
async def held(cells: Cells, move: Move) -> AsyncIterator[Move]:
    """The move as it is now, and its lock: nobody else changes it. PostgreSQL gives the lock back
    when this process dies.

    Raises:
        MoveTaken: see there.
    """
    async with carrying.connected(await cells.provisioner_url(HOME)) as home:
        if not await home.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK + move.number):
            raise MoveTaken(f"Another process is moving {move.slug}.")
        yield await reread(cells, move)


async def reread(cells: Cells, move: Move) -> Move:
    async with cells.catalogue.transaction(HOME, CATALOGUE_PRELUDE) as catalogue:
        return await catalogue.one(records.OF_TENANT, tenant=move.tenant_id)


async def abandon(cells: Cells, tenant: UUID, bucket: int) -> None:
    """Before a tenant goes for good: drop what an unfinished move has of it where it is not. With
    its row, nobody would know of that any more.

    Raises:
        MoveTaken: see there.
    """
    known = cells.catalogue.work(HOME, CATALOGUE_PRELUDE, writes=False)
    begun = await known.find(records.OF_TENANT, tenant=tenant)
    if begun is None or begun.phase == "done":
        return
    async with held(cells, begun) as move:
        other = move.source if bucket == move.target else move.target
        url = await cells.provisioner_url(cell_of(other))
        async with carrying.connected(url) as there:
            await fencing.drop(there, schema_name(move.number), other)
        async with cells.catalogue.transaction(HOME, CATALOGUE_PRELUDE) as catalogue:
            await catalogue.execute(records.FORGET, tenant=tenant)
