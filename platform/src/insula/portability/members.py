"""Writing an archive: members of a tar file (POSIX.1-1988, with GNU's long sizes), one after the
other, compressed with Zstandard (RFC 8878). No more than a few megabytes are held, whatever the
archive's size.
"""

import asyncio
import hashlib
import tarfile
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import IO, Literal

from backports.zstd import ZstdCompressor

Sink = Callable[[bytes], Awaitable[None]]

SUMS = "SHA256SUMS"
BLOCK = 512
END = bytes(2 * BLOCK)
_FLUSH = 256 << 10
_IN_MEMORY = 4 << 20
_LEVEL = 3


class Sums:
    """The lines of SHA256SUMS as sha256sum writes them, of which only size and digest are kept."""

    def __init__(self) -> None:
        self._all = hashlib.sha256()
        self.size = 0

    def add(self, name: str, digest: str) -> bytes:
        line = f"{digest}  {name}\n".encode()
        self._all.update(line)
        self.size += len(line)
        return line

    @property
    def digest(self) -> str:
        return self._all.hexdigest()


class Writer:
    """``async with Writer(sink) as archive``; the archive is whole when the block ends well."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._zstd = ZstdCompressor(level=_LEVEL)
        self._pending: list[bytes] = []
        self._size = 0
        self._sums = Sums()
        self._lines: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115

    async def __aenter__(self) -> "Writer":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        with self._lines:
            if kind is None:
                await self._finish()

    async def add(self, name: str, content: bytes) -> None:
        await self.add_stream(name, len(content), _once(content))

    async def add_stream(self, name: str, size: int, chunks: AsyncIterator[bytes]) -> str:
        """The SHA-256 of what was added.

        Raises:
            OSError: what came is not of that size.
        """
        digest, seen = hashlib.sha256(), 0
        await self._put(_header(name, size))
        async for chunk in chunks:
            digest.update(chunk)
            seen += len(chunk)
            await self._put(chunk)
        if seen != size:
            raise OSError(f"{name} has {seen} bytes instead of {size}")
        await self._put(bytes(-size % BLOCK))
        self._lines.write(self._sums.add(name, digest.hexdigest()))
        return digest.hexdigest()

    async def _finish(self) -> None:
        size = self._sums.size
        await self._put(_header(SUMS, size))
        self._lines.seek(0)
        while chunk := self._lines.read(_FLUSH):
            await self._put(chunk)
        await self._put(bytes(-size % BLOCK) + END)
        await self._flush(ZstdCompressor.FLUSH_FRAME)

    async def _put(self, data: bytes) -> None:
        self._pending.append(data)
        self._size += len(data)
        if self._size >= _FLUSH:
            await self._flush(ZstdCompressor.CONTINUE)

    async def _flush(self, mode: Literal[0, 2]) -> None:
        data = b"".join(self._pending)
        self._pending, self._size = [], 0
        if compressed := await asyncio.to_thread(self._zstd.compress, data, mode):
            await self._sink(compressed)


def _header(name: str, size: int) -> bytes:
    """Of a plain file without owner and time, so that equal contents make equal archives."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def piped(produce: Callable[[Sink], Awaitable[None]]) -> AsyncIterator[bytes]:
    """What ``produce`` writes, for who wants to pull it; what it raises comes out here."""
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=4)

    async def run() -> None:
        try:
            await produce(queue.put)
        finally:
            await queue.put(None)

    task = asyncio.create_task(run())
    try:
        while (chunk := await queue.get()) is not None:
            yield chunk
        await task
    finally:
        task.cancel()
        await asyncio.wait([task])
