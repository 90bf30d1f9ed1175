"""Reading an archive that anybody may have made.

Nothing of it is opened, linked or written to a disk by its name; how much memory and how many
bytes it may cost is known before the first of them is read.
"""

import asyncio
import hashlib
import tarfile
from collections.abc import AsyncIterator

from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

from insula.portability.errors import ArchiveRefused
from insula.portability.members import BLOCK, END, SUMS, Sums

_STEP = 1 << 20
_WINDOW_LOG = 27
"""Memory that decompressing may take: 128 MiB, zstd's own default."""
_TRUNCATED = "The archive ends in the middle: it was not written or not copied to its end."


class Unpacker:
    """The bytes inside of the compression.

    Raises:
        ArchiveRefused: from everything; it is no Zstandard, ends too early, or unfolds to more
            than ``limit`` bytes.
    """

    def __init__(self, source: AsyncIterator[bytes], limit: int) -> None:
        self._source = source
        self._zstd = ZstdDecompressor(options={DecompressionParameter.window_log_max: _WINDOW_LOG})
        self._room = self._limit = limit
        self._buffer = b""

    async def read(self, size: int) -> bytes:
        """Exactly so many bytes."""
        while len(self._buffer) < size:
            more = await self._more()
            if not more:
                raise ArchiveRefused(_TRUNCATED)
            self._buffer += more
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    async def expect_end(self) -> None:
        """That nothing follows."""
        if self._buffer or await self._more() or self._zstd.unused_data:
            raise ArchiveRefused("Something follows after the archive's end.")
        async for _ in self._source:
            raise ArchiveRefused("Something follows after the archive's end.")

    async def _more(self) -> bytes:
        """Some bytes; none at the end."""
        while not self._zstd.eof:
            compressed = b""
            if self._zstd.needs_input:
                compressed = await anext(self._source, b"")
                if not compressed:
                    raise ArchiveRefused(_TRUNCATED)
            if data := await self._decompress(compressed):
                return data
        return b""

    async def _decompress(self, compressed: bytes) -> bytes:
        try:
            data = await asyncio.to_thread(self._zstd.decompress, compressed, _STEP)
        except ZstdError as error:
            raise ArchiveRefused(f"This is no archive compressed with zstd ({error}).") from error
        self._room -= len(data)
        if self._room < 0:
            raise ArchiveRefused(f"The archive unfolds to more than {self._limit} bytes.")
        return data


class Member:
    """One file in the archive, to be read to its end before the next."""

    def __init__(self, name: str, size: int, bytes_: Unpacker) -> None:
        self.name = name
        self.size = size
        self._bytes = bytes_
        self._left = size
        self._hash = hashlib.sha256()

    async def content(self, most: int) -> bytes:
        """All of it, if that is not more than ``most``."""
        if self.size > most:
            raise ArchiveRefused(f"{self.name} is larger than {most} bytes.")
        return b"".join([chunk async for chunk in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        while self._left:
            chunk = await self._bytes.read(min(_STEP, self._left))
            self._left -= len(chunk)
            self._hash.update(chunk)
            yield chunk

    def digest(self) -> str:
        """The SHA-256 of what has been read."""
        return self._hash.hexdigest()

    async def end(self) -> str:
        """Go past it, once it has been read; its SHA-256."""
        assert not self._left, f"{self.name} has not been read"
        if any(await self._bytes.read(-self.size % BLOCK)):
            raise ArchiveRefused(f"{self.name} is not padded with zeros.")
        return self.digest()


class Reader:
    """Members in their order, each held against SHA256SUMS, which is the last."""

    def __init__(self, source: AsyncIterator[bytes], *, limit: int) -> None:
        """``limit``: bytes that it may unfold to."""
        self._bytes = Unpacker(source, limit)
        self._sums = Sums()
        self._open: Member | None = None

    async def next(self) -> Member | None:
        """The next member; None when the archive has ended, and is whole."""
        if self._open is not None:
            self._sums.add(self._open.name, await self._open.end())
        name, size = _read_header(await self._bytes.read(BLOCK))
        self._open = Member(name, size, self._bytes)
        if name != SUMS:
            return self._open
        await self._check_sums(self._open)
        return None

    async def _check_sums(self, member: Member) -> None:
        if member.size == self._sums.size:
            async for _ in member.chunks():
                pass
            if await member.end() == self._sums.digest:
                if await self._bytes.read(len(END)) != END:
                    raise ArchiveRefused(f"Something follows after {SUMS}.")
                await self._bytes.expect_end()
                return
        raise ArchiveRefused(
            f"What is in the archive is not what {SUMS} says: it was damaged or changed. "
            "`sha256sum -c` on the unpacked archive shows where."
        )


def _read_header(block: bytes) -> tuple[str, int]:
    try:
        entry = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, ValueError) as error:
        raise ArchiveRefused(f"This is not a tar file as Insula writes it ({error}).") from error
    if entry.type != tarfile.REGTYPE or entry.size < 0:
        raise ArchiveRefused(
            f"{entry.name[:200]!r} is not a plain file: nothing else belongs here."
        )
    return entry.name, entry.size
