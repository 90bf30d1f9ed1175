"""What is done to files in the background: what nobody finished goes, what was deleted goes."""

from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import asyncpg
import msgspec
import structlog
from sqlalchemy import bindparam, literal_column, select, union_all

from insula.db import Database, Statement, Work
from insula.files import queries, upload_queries
from insula.files.blobs import Blobs
from insula.files.quota import Quota
from insula.jobs import Cron, Job, JobContext, cancel, enqueue
from insula.jobs.tables import WAITING, JobRow
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME
from insula.tenancy.tables import SlotRow, TenantRow

log = structlog.get_logger("insula.files")

_SWEEP = "files.sweep"
_WAITS = Statement(select(JobRow.id).where(JobRow.key == bindparam("key"), WAITING), UUID)
# Slots too: what a killed import has left there goes with whoever gets the slot.
_NUMBERS = Statement(
    union_all(
        select(TenantRow.number),
        select(SlotRow.number).where(SlotRow.state != literal_column("'dropping'")),
    ),
    int,
)


class Storing(Protocol):
    """What jobs need of the service ``files``, which enqueues them."""

    blobs: Blobs
    quota: Quota


class Sweep(msgspec.Struct):
    pass


class Remove(msgspec.Struct):
    ids: list[UUID]


class Tidy(msgspec.Struct):
    id: UUID
    blob: str


class Purge(msgspec.Struct):
    id: UUID
    deleted_before: datetime


async def sweep(context: JobContext, _: Sweep) -> int:
    """Give up the uploads that have expired; comes again as long as there are others."""
    files: Storing = context.services["files"]
    async with context.transaction() as tx:
        await files.quota.lock(tx)  # nobody begins another one between the questions
        gone = await tx.many(upload_queries.DELETE_EXPIRED)
        await files.quota.release(tx, sum(upload.size for upload in gone))
        for upload in gone:
            await tx.execute(queries.ADD_REMOVAL, id=upload.id, size=0)
        if gone:
            await enqueue(tx, REMOVE, Remove([upload.id for upload in gone]))
        if (then := await tx.find(upload_queries.NEXT_EXPIRY)) is not None:
            await schedule_sweep(tx, then)
    return len(gone)


async def schedule_sweep(tx: Work, at: datetime) -> None:
    """Have expired uploads swept away. Once that is arranged, further ones cost a look: the sweep
    arranges the next one. The quota's lock is held, or a sweep could end unseen meanwhile."""
    if await tx.find(_WAITS, key=_SWEEP) is None:
        await enqueue(tx, SWEEP, Sweep(), at=at + timedelta(seconds=1), key=_SWEEP)


async def remove(context: JobContext, what: Remove) -> None:
    """Delete the bytes of files whose rows are gone, then give back what they took."""
    files: Storing = context.services["files"]
    for file_id in what.ids:
        await files.blobs.delete_file(context.tenant.number, file_id)
        async with context.transaction() as tx:
            size = await tx.find(queries.END_REMOVAL, id=file_id)  # None: done by a run before
            await files.quota.release(tx, size or 0)


async def tidy(context: JobContext, what: Tidy) -> None:
    """Delete the parts of which a file was put together."""
    files: Storing = context.services["files"]
    await files.blobs.delete_file(context.tenant.number, what.id, but=what.blob)


async def purge(context: JobContext, what: Purge) -> None:
    """Delete for good what has been in the trash for so long."""
    async with context.transaction() as tx:
        size = await tx.find(queries.PURGE_OLD, id=what.id, before=what.deleted_before)
        if size is not None:
            await remove_bytes(tx, {what.id: size})


async def remove_bytes(tx: Work, sizes: dict[UUID, int]) -> None:
    """Have the bytes of files deleted whose rows are deleted in this transaction."""
    if sizes:
        rows = [{"id": file_id, "size": size} for file_id, size in sizes.items()]
        await tx.execute_many(queries.ADD_REMOVAL, rows)
        await enqueue(tx, REMOVE, Remove(list(sizes)))


async def schedule_purge(tx: Work, file_id: UUID, days: int) -> None:
    at = datetime.now(UTC) + timedelta(days=days)
    args = Purge(file_id, deleted_before=datetime.now(UTC) + timedelta(minutes=1))
    await enqueue(tx, PURGE, args, at=at, key=_purge_key(file_id))


async def cancel_purge(tx: Work, file_id: UUID) -> None:
    await cancel(tx, key=_purge_key(file_id))


async def schedule_tidy(tx: Work, file_id: UUID, blob: str) -> None:
    await enqueue(tx, TIDY, Tidy(file_id, blob))


def _purge_key(file_id: UUID) -> str:
    return f"files.purge:{file_id}"


async def remove_orphans(services: dict[str, Any]) -> None:
    """Delete the files of tenants that are gone, should they still be there. Those who have files
    are asked for first, so that a new tenant cannot be taken for one that is gone. A tenant that is
    being imported has files and is not to be seen yet: then another night will do."""
    files: Storing = services["files"]
    catalogue: Database = services["catalogue"]
    stored = await files.blobs.tenants()
    try:
        async with catalogue.transaction(HOME, CATALOGUE_PRELUDE) as tx:
            await tx.run_script("SET LOCAL lock_timeout = '2s'; LOCK TABLE tenants IN SHARE MODE")
            known = set(await tx.many(_NUMBERS))
    except asyncpg.LockNotAvailableError:
        log.info("files of former tenants are kept: a tenant is just being made")
        return
    for number in stored - known:
        await files.blobs.delete_tenant(number)


SWEEP = Job(name=_SWEEP, args=Sweep, run=sweep, summary="Drop uploads that were never finished.")
REMOVE = Job(name="files.remove", args=Remove, run=remove, summary="Delete bytes from the store.")
TIDY = Job(name="files.tidy", args=Tidy, run=tidy, summary="Delete the parts of an upload.")
PURGE = Job(name="files.purge", args=Purge, run=purge, summary="Empty the trash of a file.")
JOBS = (SWEEP, REMOVE, TIDY, PURGE)
CRONS = (Cron(name="files.remove_orphans", schedule="17 3 * * *", run=remove_orphans),)
