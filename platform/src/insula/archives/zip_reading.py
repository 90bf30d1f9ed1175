"""The files of a zip archive, which may be made to harm: nothing in it is believed unchecked."""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import BinaryIO

from insula.archives.limits import ArchiveLimits, ArchiveRefused
from insula.archives.names import skip_reason

_UTF8_NAME = 0x800
_ENCRYPTED = 0x1 | 0x40
_MS_DOS = 0
_MEGABYTE = 1 << 20
_UNICODE_PATH = 0x7075
_TIMESTAMP = 0x5455
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OverflowError,
    RuntimeError,
    ValueError,
)


class ZipFileEntry:
    """A file in a zip archive."""

    def __init__(
        self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, limits: ArchiveLimits
    ) -> None:
        self._archive = archive
        self._info = info
        self.path = _path(info)
        self.not_a_file = _kind(info)
        self.refusal = _refusal(info, limits)

    def read(self) -> tuple[bytes, datetime | None]:
        """zipfile never unpacks more than the size that was declared, and checked, before."""
        try:
            content = self._archive.read(self._info)
        except _BROKEN as error:
            raise OSError(f"broken in the archive: {error}") from error
        return content, _modified(self._info)


@contextmanager
def zip_files(stream: BinaryIO, limits: ArchiveLimits) -> Iterator[list[ZipFileEntry]]:
    """The files of the archive in ``stream``, in its order.

    Raises:
        ArchiveRefused: it is no zip archive, or too much.
    """
    try:
        archive = zipfile.ZipFile(_Bounded(stream, limits.directory_bytes))
    except _BROKEN as error:
        raise ArchiveRefused(f"This is no zip archive that can be read: {error}") from error
    with archive:
        _check(archive.infolist(), limits)
        files = (ZipFileEntry(archive, info, limits) for info in archive.infolist())
        yield [file for file in files if not file.path.endswith("/")]


def _check(infos: list[zipfile.ZipInfo], limits: ArchiveLimits) -> None:
    if len(infos) > limits.entries:
        raise ArchiveRefused(f"The archive lists more than {limits.entries:,} files.")
    total = sum(info.file_size for info in infos if not skip_reason(info.filename))
    if total > limits.total_bytes:
        raise ArchiveRefused(f"The Markdown files have more than {limits.total_bytes:,} bytes.")


class _Bounded(io.RawIOBase):
    """A stream that refuses to be read whole: a hostile table of contents fills the memory."""

    def __init__(self, stream: BinaryIO, limit: int) -> None:
        self._stream = stream
        self._limit = limit

    def read(self, size: int = -1) -> bytes:
        content = self._stream.read(self._limit + 1 if size < 0 else min(size, self._limit + 1))
        if len(content) > self._limit:
            raise zipfile.BadZipFile(f"its table of contents is over {self._limit:,} bytes")
        return content

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def _refusal(info: zipfile.ZipInfo, limits: ArchiveLimits) -> str:
    if info.flag_bits & _ENCRYPTED:
        return "encrypted"
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        return "packed by another method than deflate"
    if info.file_size > limits.file_bytes:
        return f"larger than {limits.file_bytes:,} bytes"
    packed = max(info.compress_size, 1)
    if info.file_size > _MEGABYTE and info.file_size > packed * limits.ratio:
        return f"unpacks to more than {limits.ratio} times its size"
    return ""


def _kind(info: zipfile.ZipInfo) -> str:
    mode = stat.S_IFMT(info.external_attr >> 16)
    if mode == stat.S_IFLNK:
        return "a symbolic link"
    return "" if mode in {0, stat.S_IFREG} else "not a regular file"


def _path(info: zipfile.ZipInfo) -> str:
    """The name as it was meant.

    Without the flag for UTF-8 the standard says cp437, but macOS and many others write UTF-8
    without it; hardly any name in another encoding is valid UTF-8 by accident. Old Windows
    programs separate by backslash.
    """
    name = info.orig_filename
    if not info.flag_bits & _UTF8_NAME:
        raw = name.encode("cp437")
        try:
            name = raw.decode("utf-8")
        except UnicodeDecodeError:
            name = _unicode_path(info, raw) or name
    return name.replace("\\", "/") if info.create_system == _MS_DOS else name


def _unicode_path(info: zipfile.ZipInfo, raw: bytes) -> str:
    """Info-ZIP's extra field: version 1, the checksum of the name it belongs to, the name."""
    field = _extra(info, _UNICODE_PATH)
    if len(field) < 6 or field[0] != 1 or int.from_bytes(field[1:5], "little") != zlib.crc32(raw):
        return ""
    return field[5:].decode("utf-8", "replace")


def _modified(info: zipfile.ZipInfo) -> datetime | None:
    """The extended timestamp if there is one, else the date of MS-DOS, taken for UTC."""
    field = _extra(info, _TIMESTAMP)
    try:
        if len(field) >= 5 and field[0] & 1:
            return datetime.fromtimestamp(int.from_bytes(field[1:5], "little", signed=True), UTC)
        return datetime(*info.date_time, tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _extra(info: zipfile.ZipInfo, wanted: int) -> bytes:
    extra = info.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == wanted:
            return extra[4 : 4 + size]
        extra = extra[4 + size :]
    return b""
