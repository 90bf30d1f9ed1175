"""Resumable uploads: stretches of bytes, each safe in the store before the offset moves past it.

Whoever sends the next bytes takes the upload over, so that nobody waits for a connection that is
dead and doesn't know it; the one before finds, when it next wants to move the offset, that it
isn't the writer any more. The offset moves by comparing and setting: of two that write at once one
is told that it came second, and whatever it has stored is thrown away.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from insula.db import RowNotFound, Work
from insula.db.ids import new_id
from insula.files import queries, upload_queries
from insula.files.blobs import PART, key_of
from insula.files.digests import Hashes
from insula.files.errors import (
    BodyIncomplete,
    ChecksumMismatch,
    FileTooLarge,
    OffsetConflict,
    UploadExpired,
)
from insula.files.jobs import schedule_tidy
from insula.files.names import safe_name
from insula.files.receiving import Received
from insula.files.schemas import Incoming, Upload
from insula.files.service import Files
from insula.files.sniffing import media_type_of
from insula.files.upload_queries import Part, Standing
from insula.i18n import say
from insula.tenancy.tenant import Tenant


class Checksum:
    """What ``Upload-Checksum`` says; holds all bytes of a request back until it has been seen to
    be true."""

    def __init__(self, hasher: Any, expected: bytes) -> None:
        self.update = hasher.update
        self._hasher = hasher
        self._expected = expected

    def check(self) -> None:
        if self._hasher.digest() != self._expected:
            raise ChecksumMismatch


async def begin(files: Files, tenant: Tenant, incoming: Incoming) -> None:
    """Make an upload that bytes can be sent to.

    Raises:
        FileTooLarge, QuotaExceeded: see there.
    """
    if (incoming.length or 0) > incoming.limit:
        raise FileTooLarge(say("A file may have {limit} bytes here.", limit=incoming.limit))
    async with files.transaction(tenant) as tx:
        await files.begin(tx, incoming, expiry(files), resumable=True)


async def find(tx: Work, upload_id: UUID) -> Upload:
    """Where an upload stands; for a complete one the end of its file.

    Raises:
        RowNotFound: there is none.
        UploadExpired: there was.
    """
    upload = await tx.find(upload_queries.GET, upload_id=upload_id)
    if upload is None:
        return _complete(await tx.one(queries.GET_STORED, id=upload_id))
    if upload.expires_at <= datetime.now(UTC):
        raise UploadExpired
    return upload


def _complete(stored: Any) -> Upload:
    return Upload(
        id=stored.id,
        name=stored.name,
        media_type=stored.media_type,
        size=stored.size,
        offset=stored.size,
        metadata={},
        created_at=stored.created_at,
        expires_at=stored.created_at,
    )


def expiry(files: Files) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=files.settings.upload_seconds)


class Appending:
    """One request's turn at an upload."""

    def __init__(self, files: Files, tenant: Tenant, standing: Standing, writer: UUID) -> None:
        self.offset = standing.received
        self.expires_at = standing.expires_at
        self._files = files
        self._tenant = tenant
        self._standing = standing
        self._writer = writer
        self._held: list[Part] = []
        """Parts in the store that the upload does not know of yet."""

    @property
    def is_complete(self) -> bool:
        return self.offset == self._standing.size

    async def append(self, chunks: AsyncIterator[bytes], checksum: Checksum | None) -> None:
        """Store what comes, and make a file of the upload when that is all of it.

        Raises:
            OffsetConflict: another request has taken over.
            FileTooLarge: more comes than the upload was to have; nothing more is kept.
            ChecksumMismatch: nothing of this request is kept.
            BodyIncomplete: the connection broke; what arrived is kept.
        """
        broken: BodyIncomplete | None = None
        waiting = bytearray()
        try:
            try:
                async for chunk in chunks:
                    if checksum is not None:
                        checksum.update(chunk)
                    waiting += chunk
                    if len(waiting) >= PART:
                        await self._store(bytes(waiting), hold=checksum is not None)
                        waiting.clear()
            except BodyIncomplete as error:
                broken = error
            if checksum is not None:
                if broken is not None:
                    raise broken
                checksum.check()
            await self._store(bytes(waiting), hold=False)
        except BaseException as error:
            await asyncio.shield(self._discard())
            if isinstance(error, FileNotFoundError) and await self._is_over():
                # Whoever completed the upload has had all parts tidied away, this one's too.
                raise OffsetConflict("Another request goes on with this upload.") from error
            raise
        if broken is not None:
            raise broken

    async def _store(self, content: bytes, *, hold: bool) -> None:
        """Put bytes into the store, and unless they are on hold move the offset past them."""
        start = self._held[-1].start + self._held[-1].size if self._held else self.offset
        end = start + len(content)
        if end > self._standing.size:
            raise FileTooLarge(
                say("The upload was to have {size} bytes.", size=self._standing.size)
            )
        if content:
            part = Part(start, len(content), f"part-{start}-{self._writer}")
            await self._files.blobs.write_bytes(self._key(part.blob), content)
            self._held.append(part)
        if hold:
            return
        if end == self._standing.size:
            await self._finish()
        elif self._held:
            await self._advance(end)

    async def _advance(self, end: int) -> None:
        expires = expiry(self._files)
        async with self._files.transaction(self._tenant) as tx:
            moved = await tx.execute(
                upload_queries.ADVANCE, **self._turn(), until=end, expires=expires
            )
            if not moved:
                raise OffsetConflict("Another request goes on with this upload.")
            rows = [
                {"upload_id": self._standing.id, "start": p.start, "size": p.size, "blob": p.blob}
                for p in self._held
            ]
            await tx.execute_many(upload_queries.ADD_PART, rows)
        self._held.clear()
        self.offset, self.expires_at = end, expires

    async def _finish(self) -> None:
        """Put the parts together. The offset reaches the end in the moment in which the file is
        there: until then a client that asks is told to send the last part again."""
        standing, files = self._standing, self._files
        async with files.transaction(self._tenant) as tx:
            known = await tx.many(upload_queries.PARTS, upload_id=standing.id)
        received = Received(self._joined([*known, *self._held]), Hashes(), standing.size)
        blob = f"content-{new_id()}"
        try:
            await files.blobs.write(self._key(blob), aiter(received))
            async with files.transaction(self._tenant) as tx:
                if not await tx.execute(upload_queries.FINISH, **self._turn()):
                    raise OffsetConflict("Another request goes on with this upload.")
                await tx.one(
                    queries.INSERT,
                    id=standing.id,
                    blob=blob,
                    name=safe_name(standing.name),
                    media_type=media_type_of(received.head, standing.media_type),
                    size=received.size,
                    sha256=received.hashes.check(),
                    metadata=standing.metadata,
                    created_by=standing.created_by,
                )
                await schedule_tidy(tx, standing.id, blob)
        except BaseException:
            await asyncio.shield(files.blobs.delete(self._key(blob)))
            raise
        self._held.clear()
        self.offset = standing.size

    async def _joined(self, parts: list[Part]) -> AsyncIterator[bytes]:
        for part in parts:
            async for chunk in self._files.blobs.read(self._key(part.blob), 0, part.size):
                yield chunk

    async def _is_over(self) -> bool:
        async with self._files.transaction(self._tenant) as tx:
            return await tx.find(upload_queries.GET, upload_id=self._standing.id) is None

    async def _discard(self) -> None:
        with suppress(OSError):
            await self._files.blobs.delete(*(self._key(part.blob) for part in self._held))

    def _turn(self) -> dict[str, Any]:
        return {"upload_id": self._standing.id, "by": self._writer, "offset": self.offset}

    def _key(self, blob: str) -> str:
        return key_of(self._tenant.number, self._standing.id, blob)


async def take_over(files: Files, tenant: Tenant, upload_id: UUID, offset: int) -> Appending:
    """Become the one who writes.

    Raises:
        RowNotFound, UploadExpired: there is no such upload (any more).
        OffsetConflict: it stands somewhere else.
    """
    writer = new_id()
    async with files.transaction(tenant) as tx:
        standing = await tx.find(
            upload_queries.TAKE_OVER,
            upload_id=upload_id,
            offset=offset,
            by=writer,
            expires=expiry(files),
        )
        if standing is None:
            upload = await find(tx, upload_id)
            raise OffsetConflict(
                say("The upload stands at {offset}.", offset=upload.offset),
                headers={"Upload-Offset": str(upload.offset)},
            )
    return Appending(files, tenant, standing, writer)


async def terminate(files: Files, tenant: Tenant, upload_id: UUID) -> None:
    """Drop an upload, with what it has stored.

    Raises:
        RowNotFound: there is none that is not complete.
    """
    async with files.transaction(tenant) as tx:
        if await tx.find(upload_queries.GET, upload_id=upload_id) is None:
            raise RowNotFound
    await files.drop(tenant, upload_id)
