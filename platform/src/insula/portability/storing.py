"""Filling the store of files from an archive."""

from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import msgspec

from insula.files.blobs import Blobs, key_of
from insula.portability.errors import ArchiveRefused
from insula.portability.exporting import Progress
from insula.portability.loading import id_in
from insula.portability.naming import GONE
from insula.portability.unpacking import Member, Reader

_GONE = 64 << 20


class Store(msgspec.Struct):
    """Where bytes go."""

    blobs: Blobs
    number: int
    """The tenant's."""
    written: list[UUID]
    """What has been begun."""


class FileLoader:
    """Stores the bytes of the files whose rows are loaded, in the order of their ids, and holds
    them against size and SHA-256 in the row."""

    def __init__(
        self,
        connection: asyncpg.Connection,
        store: Store,
        total: int,
        progress: Progress,
    ) -> None:
        self._connection = connection
        self._store = store
        self._total = total
        self.bytes = 0
        self._progress = progress
        self.stored = 0

    async def check_quota(self, default: int) -> None:
        """
        Raises:
            ArchiveRefused: the files are more than the tenant may keep.
        """
        size, quota = await self._connection.fetchrow(
            "SELECT (SELECT coalesce(sum(size), 0) FROM files), quota FROM file_usage"
        )
        allowed = default if quota is None else quota
        if size > allowed:
            raise ArchiveRefused(f"Its files have {size} bytes, and {allowed} are allowed here.")

    async def load(self, reader: Reader, member: Member | None) -> None:
        """From ``member``, the first after the rows, to the archive's end.

        Raises:
            ArchiveRefused: bytes are missing, too many, or others than the rows say.
        """
        last = UUID(int=0)
        self._progress("bytes of files", 0, self._total)
        while member is not None and (file_id := id_in(member.name)) is not None:
            if file_id <= last:
                raise ArchiveRefused(f"{member.name} comes twice, or not in the order of the ids.")
            last = file_id
            await self._keep(file_id, member)
            member = await reader.next()
        if member is not None and member.name == GONE:
            await self._forget(await member.content(_GONE))
            member = await reader.next()
        if member is not None:
            raise ArchiveRefused(f"{member.name[:200]!r} does not belong here.")
        rows = await self._connection.fetchval("SELECT count(*) FROM files")
        if rows != self.stored:
            raise ArchiveRefused(f"The archive has {self.stored} files instead of {rows}.")

    async def _keep(self, file_id: UUID, member: Member) -> None:
        row = await self._connection.fetchrow(
            "SELECT blob, size, encode(sha256, 'hex') FROM files WHERE id = $1", file_id
        )
        if row is None or row[1] != member.size:
            raise ArchiveRefused(
                f"{member.name} is not in the table files with {member.size} bytes."
            )
        store = self._store
        key = key_of(store.number, file_id, row[0])
        store.written.append(file_id)
        await store.blobs.write(key, self._counted(member))
        if member.digest() != row[2]:
            await store.blobs.delete(key)
            raise ArchiveRefused(f"{member.name} has other bytes than the table files says.")
        self.stored += 1

    async def _counted(self, member: Member) -> AsyncIterator[bytes]:
        async for chunk in member.chunks():
            self.bytes += len(chunk)
            self._progress("bytes of files", self.bytes, self._total)
            yield chunk

    async def _forget(self, content: bytes) -> None:
        """Files that were deleted while the archive was being written."""
        try:
            ids = [UUID(line) for line in content.decode("ascii").splitlines()]
        except ValueError as error:
            raise ArchiveRefused(f"{GONE}: {error}.") from error
        await self._connection.execute("DELETE FROM files WHERE id = ANY($1::uuid[])", ids)
