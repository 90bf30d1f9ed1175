"""What is done in the background: writing archives, reading them, deleting them; and forgetting
what a log still says of somebody who was erased."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy import ARRAY

from insula.db import Database, TenantTable
from insula.db.ids import new_id
from insula.files.blobs import key_of
from insula.files.service import Files
from insula.jobs import Job, JobContext, TryAgain, enqueue
from insula.module import Module
from insula.portability import queries
from insula.portability.anatomy import TableAnatomy
from insula.portability.exporting import Exported, write_archive
from insula.portability.members import Sink, piped
from insula.portability.naming import literal, quoted
from insula.portability.reading import NONE, Snapshot, Wanted, snapshot
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME, Cells
from insula.tenancy.tenant import BY_NUMBER, Tenant, TenantRecord

_KEPT = timedelta(days=7)
"""How long an archive can be downloaded."""
_LONG = timedelta(hours=6)


class ExportArgs(msgspec.Struct):
    export_id: UUID
    person_id: UUID | None = None


class Expire(msgspec.Struct):
    export_id: UUID
    keep_row: bool = False
    """Show that there was one whose archive has been withdrawn."""


class Arrive(msgspec.Struct):
    pass


class Forget(msgspec.Struct):
    user_id: UUID


async def export(context: JobContext, args: ExportArgs) -> Exported:
    """Write an archive into the store. An attempt that died has left bytes that nobody knows of;
    they go with the export."""
    files: Files = context.services["files"]
    cells: Cells = context.services["cells"]
    blob = f"archive-{new_id()}"
    key = key_of(context.tenant.number, args.export_id, blob)
    tenant = Tenant(await _as_it_is(context))
    async with _reading(files, cells, tenant, args.person_id) as seen:
        writing = _Writing(context, seen, files, args.person_id)
        await files.blobs.write(key, writing.chunks())
    now = datetime.now(UTC)
    async with context.transaction() as tx:
        found = await tx.execute(
            queries.COMPLETE,
            export_id=args.export_id,
            blob=blob,
            size=writing.size,
            sha256=writing.sha256.digest(),
            expires_at=now + _KEPT,
        )
        then = now + _KEPT if found else None  # deleted or withdrawn meanwhile
        await enqueue(tx, EXPIRE, Expire(args.export_id, keep_row=not found), at=then)
    return writing.result


class _Writing:
    """An archive on its way into the store, counted."""

    def __init__(
        self, context: JobContext, seen: Snapshot, files: Files, person_id: UUID | None
    ) -> None:
        self._context = context
        self._seen = seen
        self._files = files
        self._person_id = person_id
        self._told = ("", 0, 0)
        self.sha256 = hashlib.sha256()
        self.size = 0
        self.result = Exported(0, 0, 0, 0)

    async def chunks(self) -> AsyncIterator[bytes]:
        async for chunk in piped(self._write):
            self.sha256.update(chunk)
            self.size += len(chunk)
            what, done, total = self._told
            await self._context.progress(min(done, _INT), min(total, _INT), what)
            yield chunk

    async def _write(self, sink: Sink) -> None:
        self.result = await write_archive(
            self._seen,
            self._files.blobs,
            sink,
            passwords=False,  # an admin has no business with what colleagues sign in with
            person=self._person_id,
            progress=self._tell,
        )

    def _tell(self, what: str, done: int, total: int) -> None:
        self._told = (what, done, total)


_INT = (1 << 31) - 1


_LOGS = frozenset({"sessions", "events"})
"""What no archive of a tenant has, and a person may ask for."""


def _reading(
    files: Files, cells: Cells, tenant: Tenant, person_id: UUID | None
) -> AbstractAsyncContextManager[Snapshot]:
    if person_id is None:
        return snapshot(files.settings, cells, tenant)
    return snapshot(files.settings, cells, tenant, _theirs(person_id), _LOGS)


def _theirs(user_id: UUID) -> Wanted:
    """Which rows have to do with a person."""

    def wanted(table: TableAnatomy) -> str | None:
        known = TenantTable.metadata.tables.get(table.name)
        if known is None:
            return NONE
        present = {column.name for column in table.columns}
        his = [
            _refers(column.name, user_id, is_array=isinstance(column.type, ARRAY))
            for column in known.columns
            if "person" in column.info and column.name in present
        ]
        return " OR ".join(his) or NONE

    return wanted


def _refers(column: str, user_id: UUID, *, is_array: bool) -> str:
    user = f"{literal(str(user_id))}::uuid"
    return f"{quoted(column)} @> ARRAY[{user}]" if is_array else f"{quoted(column)} = {user}"


async def expire(context: JobContext, args: Expire) -> None:
    """Delete an export and its bytes."""
    files: Files = context.services["files"]
    if not args.keep_row:
        async with context.transaction() as tx:
            await tx.find(queries.DELETE_EXPORT, id=args.export_id)
    await files.blobs.delete_file(context.tenant.number, args.export_id)


async def arrive(context: JobContext, _: Arrive) -> None:
    """Let the modules of an imported tenant take up what is to be done there."""
    modules: dict[str, Module] = context.services["modules"]
    tenant = await _as_it_is(context)
    for name in sorted(set(tenant.modules) & set(modules)):
        if (arrived := modules[name].arrived) is not None:
            async with context.transaction() as tx:
                await arrived(tx)


async def _as_it_is(context: JobContext) -> TenantRecord:
    """The tenant, not what this process may have kept of it for half a minute: the modules that are
    on are in the archive, and it may just have been imported."""
    catalogue: Database = context.services["catalogue"]
    now = catalogue.work(HOME, CATALOGUE_PRELUDE, writes=False)
    return await now.one(BY_NUMBER, number=context.tenant.number)


async def forget(context: JobContext, args: Forget) -> None:
    """Delete what somebody has done from the log, and from what was sent of it, as soon as it has
    been read by everything that follows the log."""
    async with context.transaction() as tx:
        await tx.execute(queries.FORGET_DELIVERIES, user_id=args.user_id)
        await tx.execute(queries.FORGET_EVENTS, user_id=args.user_id)
        left = await tx.one(queries.REMAINING_EVENTS, user_id=args.user_id)
    if left:
        raise TryAgain(f"{left} events are still to be delivered.", after=timedelta(minutes=10))


EXPORT = Job(
    name="exports.write",
    args=ExportArgs,
    run=export,
    summary="Write an archive of the tenant, or of one person.",
    attempts=3,
    timeout=_LONG,
)
EXPIRE = Job(
    name="exports.expire", args=Expire, run=expire, summary="Delete an archive that has expired."
)
ARRIVE = Job(
    name="imports.arrive",
    args=Arrive,
    run=arrive,
    summary="Take up what was planned in an imported tenant.",
)
FORGET = Job(
    name="erasures.forget",
    args=Forget,
    run=forget,
    summary="Delete from the log what an erased person has done.",
    attempts=10_000,
)
JOBS = (EXPORT, EXPIRE, ARRIVE, FORGET)
