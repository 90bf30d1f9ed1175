"""The rules of keeping files.

Bytes and rows lie in two places that no transaction spans, so everything goes in one order: a row
in ``uploads``, committed; the bytes; then, in one transaction, the file's row in place of the
upload's. Whatever dies in between leaves an upload that :mod:`insula.files.jobs` sweeps away, with
its bytes and its share of the quota. Deleting goes the other way: the row, then, by a job of the
same transaction, the bytes.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, suppress
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

import asyncpg

from insula.db import Database, Work
from insula.db.ids import new_id
from insula.files import queries, upload_queries
from insula.files.blobs import Blobs, key_of
from insula.files.digests import Hashes
from insula.files.errors import FileTooLarge, LinkUsed, UploadExpired
from insula.files.jobs import schedule_sweep
from insula.files.names import safe_name
from insula.files.quota import Quota
from insula.files.receiving import Received
from insula.files.schemas import File, Incoming, Stored
from insula.files.sniffing import BINARY, media_type_of
from insula.i18n import say
from insula.settings import Settings
from insula.tenancy.tenant import Tenant

T = TypeVar("T")

_STEP = 16 << 20
"""Bytes that are reserved at a time for a body of unknown length."""
_GRACE = timedelta(hours=1)
_SLOWEST = 16_384
"""Bytes a second at which the gate gives up on a body."""


class Files:
    """The service: what routes and modules store files with, and read them."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.blobs = Blobs.open(settings)
        self.quota = Quota(settings.files_quota)
        self._database = database

    def transaction(self, tenant: Tenant) -> AbstractAsyncContextManager[Work]:
        """One of its own, apart from the request's."""
        return self._database.transaction(tenant.bucket, tenant.prelude)

    # For modules

    async def store(
        self,
        tx: Work,
        tenant: Tenant,
        *,
        name: str,
        content: bytes | AsyncIterator[bytes],
        media_type: str = BINARY,
        by: UUID | None = None,
    ) -> File:
        """Keep bytes as a file, which is there once the transaction is committed.

        Raises:
            QuotaExceeded, FileTooLarge, FileRefused: see there.
        """
        length = len(content) if isinstance(content, bytes) else None
        chunks = _single(content) if isinstance(content, bytes) else content
        incoming = Incoming(
            id=new_id(),
            name=name,
            declared_type=media_type,
            length=length,
            limit=self.settings.file_limit,
            by=by,
        )
        return await self.take(tx, tenant, incoming, chunks)

    async def read(self, tx: Work, tenant: Tenant, file_id: UUID) -> bytes:
        """A file's bytes, all at once: for files that are known to be small.

        Raises:
            RowNotFound: there is no such file.
        """
        stored = await tx.one(queries.GET_ANY, id=file_id)
        return b"".join([chunk async for chunk in self.stream(tenant, stored)])

    def stream(
        self, tenant: Tenant, stored: Stored, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """A file's bytes, a megabyte at a time."""
        key = key_of(tenant.number, stored.id, stored.blob)
        return self.blobs.read(key, start, stored.size if end is None else end)

    # Taking in

    async def begin(
        self, tx: Work, incoming: Incoming, expires: datetime, *, resumable: bool
    ) -> None:
        """Reserve what an upload will take, and note it down.

        Raises:
            QuotaExceeded: there is no room for it.
        """
        size = incoming.length or 0
        await self.quota.reserve(tx, size)
        await tx.execute(
            upload_queries.INSERT,
            id=incoming.id,
            resumable=resumable,
            name=incoming.name,
            media_type=incoming.declared_type,
            size=size,
            metadata=incoming.metadata,
            created_by=incoming.by,
            expires_at=expires,
        )
        await schedule_sweep(tx, expires)

    async def take(
        self, tx: Work, tenant: Tenant, incoming: Incoming, chunks: AsyncIterator[bytes]
    ) -> File:
        """Store what comes and write the file's row into ``tx``.

        Raises:
            QuotaExceeded, FileTooLarge, FileRefused, DigestMismatch, BodyIncomplete: see there.
        """
        if incoming.length is not None and incoming.length > incoming.limit:
            raise FileTooLarge(say("A file may have {limit} bytes here.", limit=incoming.limit))
        reservation = _Reservation(self, tenant, incoming)
        blob = f"content-{new_id()}"
        hashes = Hashes(*incoming.digests)  # refuses what cannot be read, so before all else
        received = Received(chunks, hashes, incoming.limit, reservation.grow_to)
        await reservation.make()
        try:
            key = key_of(tenant.number, incoming.id, blob)
            await self.blobs.write(key, aiter(received))
            sha256 = received.hashes.check()
            await reservation.shrink_to(received.size)
        except BaseException:
            await asyncio.shield(self.drop(tenant, incoming.id))
            raise
        # Not dropped if this fails: the row may be locked by `tx`, and it will be swept away.
        return await self._keep(tx, incoming, blob, received, sha256)

    async def _keep(
        self,
        tx: Work,
        incoming: Incoming,
        blob: str,
        received: Received,
        sha256: bytes,
    ) -> File:
        """Turn the upload into a file. Touches the quota not at all: whoever did, and then took in
        another file in the same transaction, would wait for himself."""
        if await tx.find(upload_queries.DELETE, upload_id=incoming.id) is None:
            raise UploadExpired
        return await tx.one(
            queries.INSERT,
            id=incoming.id,
            blob=blob,
            name=safe_name(incoming.name),
            media_type=media_type_of(received.head, incoming.declared_type),
            size=received.size,
            sha256=sha256,
            metadata=incoming.metadata,
            created_by=incoming.by,
        )

    async def drop(self, tenant: Tenant, upload_id: UUID) -> None:
        """Give up an upload: its row, its share of the quota, its bytes."""
        async with self.transaction(tenant) as tx:
            await self.quota.lock(tx)
            given_up = await tx.find(upload_queries.DELETE, upload_id=upload_id)
            if given_up is None:  # it has become a file, or was swept away
                return
            await self.quota.release(tx, given_up.size)
        with suppress(OSError):  # else it stays until the tenant goes, and counts for nothing
            await self.blobs.delete_file(tenant.number, upload_id)


class _Reservation:
    """The row in ``uploads`` that stands for bytes on their way, and their share of the quota."""

    def __init__(self, files: Files, tenant: Tenant, incoming: Incoming) -> None:
        self.size = incoming.length or 0
        self._files = files
        self._tenant = tenant
        self._incoming = incoming

    async def make(self) -> None:
        incoming, expires = self._incoming, self._expires()
        async with self._files.transaction(self._tenant) as tx:
            try:
                await self._files.begin(tx, incoming, expires, resumable=False)
            except asyncpg.UniqueViolationError as error:
                raise LinkUsed from error
            # After the row is in: who was faster has committed by then.
            if incoming.is_given and await tx.one(queries.IS_TAKEN, id=incoming.id):
                raise LinkUsed

    async def grow_to(self, size: int) -> None:
        """Reserve more for a body that said nothing of its length, or said too little."""
        if size <= self.size:
            return
        more = min(_STEP, self._incoming.limit - self.size)
        async with self._files.transaction(self._tenant) as tx:
            await self._files.quota.reserve(tx, more)
            self.size += more
            grown = await tx.execute(
                upload_queries.GROW,
                upload_id=self._incoming.id,
                more=more,
                expires=self._expires(),
            )
            if not grown:
                raise UploadExpired

    async def shrink_to(self, size: int) -> None:
        """Give back what was reserved and did not come."""
        if size == self.size:
            return
        async with self._files.transaction(self._tenant) as tx:
            await self._files.quota.release(tx, self.size - size)
            await tx.execute(upload_queries.SHRINK, upload_id=self._incoming.id, actual=size)
            self.size = size

    def _expires(self) -> datetime:
        """When it is certain that nobody sends any more."""
        return datetime.now(UTC) + _GRACE + timedelta(seconds=2 * self.size / _SLOWEST)


async def _single(content: bytes) -> AsyncIterator[bytes]:
    yield content
