"""Making deleted tenants go for good, in small steps that can all be done again: whoever is killed
half-way is followed by another who goes on.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy import BigInteger, Text, bindparam, func, text, update

from insula.db import Statement
from insula.files.blobs import Blobs
from insula.http.redis_line import RedisDown, RedisLine
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME, Cells, cell_of
from insula.tenancy.deletion import DOOMED, Doomed, find
from insula.tenancy.filling import Filling
from insula.tenancy.moving.holding import abandon
from insula.tenancy.tables import TenantRow
from insula.tenancy.tenant import schema_name

log = structlog.get_logger("insula.purging")

Progress = Callable[[int], None]
"""How many steps of dropping tables are done."""

_LOCK_TRIES = 12
"""Of five seconds each: so long may a request last that was under way."""

_DUE = Statement(
    DOOMED.where(TenantRow.purge_at <= func.now()).order_by(TenantRow.purge_at), Doomed
)
_HASTEN = Statement(
    update(TenantRow)
    .where(TenantRow.slug == bindparam("of_slug"), TenantRow.status == "deleted")
    .values(purge_at=func.least(TenantRow.purge_at, func.now()))
)
# What the spool of its cell has of a tenant.
_EMPTY_SPOOL = Statement(
    text("""
    WITH jobs AS (DELETE FROM spool.job_turns WHERE tenant = :number),
    lanes AS (DELETE FROM spool.event_lanes WHERE tenant = :number),
    webhooks AS (DELETE FROM spool.webhook_queue WHERE tenant = :schema)
    DELETE FROM spool.outbox WHERE tenant = :schema
    """).bindparams(bindparam("number", type_=BigInteger), bindparam("schema", type_=Text))
)
# From a tenant to a schema that is nobody's, whose slug is anybody's.
_RELEASE = Statement(
    text("""
    WITH gone AS (
        DELETE FROM tenants
        WHERE number = :number AND status = 'deleted' AND purge_at <= now()
        RETURNING number, bucket
    )
    INSERT INTO slots (number, bucket, state) SELECT number, bucket, 'dropping' FROM gone
    """).bindparams(bindparam("number", type_=BigInteger))
)


class Purging:
    """What makes deleted tenants go for good."""

    def __init__(self, cells: Cells, blobs: Blobs, redis: RedisLine, filling: Filling) -> None:
        self._cells = cells
        self._catalogue = cells.catalogue
        self._blobs = blobs
        self._redis = redis
        self._filling = filling

    async def due(self) -> list[Doomed]:
        """The tenants whose time of grace is over."""
        return await self._catalogue.work(HOME, CATALOGUE_PRELUDE, writes=False).many(_DUE)

    async def hasten(self, slug: str) -> Doomed:
        """End the time of grace of a deleted tenant now.

        Raises:
            TenantNotFound, TenantNotDeleted: see :func:`find`.
        """
        async with self._catalogue.transaction(HOME, CATALOGUE_PRELUDE) as tx:
            await tx.execute(_HASTEN, of_slug=slug)
            return await find(tx, slug)

    async def purge(self, doomed: Doomed, progress: Progress = lambda _: None) -> None:
        """Delete files, what Redis and the spool have, the tenant's row and last its tables. Each
        can be done again; after the row, whoever fills slots finishes as well.

        Raises:
            asyncpg.LockNotAvailableError: somebody uses the tables all the time.
            MoveTaken: somebody is still moving it.
        """
        await abandon(self._cells, doomed.id, doomed.bucket)
        await self._blobs.delete_tenant(doomed.number)
        await self._forget(doomed.id)
        place = {"number": doomed.number}
        cell = cell_of(doomed.bucket)
        async with self._catalogue.transaction(cell, CATALOGUE_PRELUDE) as tx:
            await tx.execute(_EMPTY_SPOOL, **place, schema=schema_name(doomed.number))
        async with self._catalogue.transaction(HOME, CATALOGUE_PRELUDE) as tx:
            await tx.execute(_RELEASE, **place)
        await self._drop(doomed.number, progress)

    async def _forget(self, tenant_id: UUID) -> None:
        """Delete whatever key has the tenant's id in its name."""
        with suppress(RedisDown):  # all but the epoch, which means nothing, expire by themselves
            async for keys in _scan(self._redis, f"*{tenant_id}*"):
                await self._redis.call("UNLINK", *keys)

    async def _drop(self, number: int, progress: Progress) -> None:
        gone, tries = 0, 0
        while True:
            try:
                dropped = await self._filling.drop_step(number)
            except asyncpg.LockNotAvailableError:
                tries += 1
                if tries == _LOCK_TRIES:
                    raise
                await asyncio.sleep(0.1)
                continue
            if dropped is None:
                return
            gone += 1
            progress(gone)


async def _scan(redis: RedisLine, pattern: str) -> AsyncIterator[list[bytes]]:
    cursor = b"0"
    while True:
        cursor, keys = await redis.call("SCAN", cursor, "MATCH", pattern, "COUNT", "1000")
        if keys:
            yield keys
        if cursor == b"0":
            return


async def purge_due(services: dict[str, Any]) -> None:
    """The cron: purge every tenant whose time of grace is over."""
    filling = Filling(services["catalogue"], buckets=services["settings"].buckets)
    purging = Purging(services["cells"], services["files"].blobs, services["redis"], filling)
    for doomed in await purging.due():
        try:
            await purging.purge(doomed)
        except Exception as error:  # it stays due, and keeps nobody else waiting
            log.warning("a tenant cannot be purged", tenant=doomed.slug, exc_info=error)
