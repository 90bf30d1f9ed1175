"""Rows on their way: counted, summed and compressed a block at a time, so that several threads work
on one table. A file is a sequence of compressed frames, which every reader takes as one."""

import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import xxhash
import zstandard

from insula_ops.backup.errors import BackupFailed, Damaged

BLOCK = 1 << 20
"""Bytes of COPY text that are compressed together."""
TERMINATOR = b"\\.\n\n\n"
"""How pg_dump ends a table's rows."""
SUFFIXES = {"zstd": ".zst", "gzip": ".gz", "none": ""}
_SUM = 1 << 64


class Block(NamedTuple):
    frame: bytes
    rows: int
    raw_bytes: int
    checksum: int


def checksum(rows: bytes) -> tuple[int, int]:
    """The number of whole rows of COPY text, and the sum of their XXH3 modulo 2^64.

    COPY writes a line break inside a value as ``\\n`` or ``\\r``, so a line is a row.
    """
    lines = rows.splitlines()
    return len(lines), sum(map(xxhash.xxh3_64_intdigest, lines)) % _SUM


class Compressor:
    """Compresses blocks, in as many threads as call it.

    Raises:
        BackupFailed: from the constructor: there is no such method or level.
    """

    def __init__(self, method: str, level: int | None) -> None:
        self.method = method
        self._level = level
        self._threads = threading.local()
        if method not in SUFFIXES:
            raise BackupFailed(f"compression is one of {', '.join(SUFFIXES)}, not {method}")
        try:
            self.frame(b"")
        except (ValueError, zlib.error):
            raise BackupFailed(f"{method} has no level {level}") from None

    def frame(self, raw: bytes) -> bytes:
        if self.method == "zstd":
            if not hasattr(self._threads, "zstd"):
                level = 1 if self._level is None else self._level
                self._threads.zstd = zstandard.ZstdCompressor(level, write_checksum=True)
            compressed: bytes = self._threads.zstd.compress(raw)
            return compressed
        if self.method == "gzip":
            level = 1 if self._level is None else self._level
            packer = zlib.compressobj(level, wbits=31)
            return packer.compress(raw) + packer.flush()
        return raw

    def block(self, pieces: Iterable[bytes]) -> Block:
        """Whole rows into a frame."""
        raw = b"".join(pieces)
        rows, total = checksum(raw)
        return Block(self.frame(raw), rows, len(raw), total)


def expanded(pieces: Iterator[bytes], method: str) -> Iterator[bytes]:
    """The content of a file's frames.

    Raises:
        Damaged: they are not what was written, or the last one is cut.
    """
    if method == "none":
        yield from pieces
        return
    make: Callable[[], zstandard.ZstdDecompressionObj | zlib._Decompress] = (
        zstandard.ZstdDecompressor().decompressobj
        if method == "zstd"
        else lambda: zlib.decompressobj(wbits=31)
    )
    frame = make()
    begun = False
    try:
        for piece in pieces:
            rest = piece
            while rest:
                begun = True
                if content := frame.decompress(rest):
                    yield content
                rest = frame.unused_data if frame.eof else b""
                if frame.eof:
                    frame, begun = make(), False
    except (zstandard.ZstdError, zlib.error) as error:
        raise Damaged(f"what is compressed has been changed: {error}") from None
    if begun:
        raise Damaged("a compressed file ends too early")


def rows_of(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """A table file's content in pieces of whole rows, without the terminator.

    Raises:
        Damaged: the terminator is missing.
    """
    rest = b""
    for piece in pieces:
        whole, newline, rest = (rest + piece).rpartition(b"\n")
        # The last five bytes may be the terminator, or a part of it.
        if (at := _ending(whole + newline)) is not None:
            whole, rest = whole[:at], (whole + newline)[at:] + rest
            newline = b""
        if whole + newline:
            yield whole + newline
    if rest != TERMINATOR:
        raise Damaged("a table's file does not end as it should")


def _ending(text: bytes) -> int | None:
    """Where a terminator begins at a line of ``text``: no row is ``\\.``."""
    if text.startswith(b"\\.\n"):
        return 0
    at = text.rfind(b"\n\\.\n")
    return None if at < 0 else at + 1
