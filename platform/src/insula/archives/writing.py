"""Writing folders and zip archives: what was imported comes out as it was, to the same paths."""

import io
import os
import struct
import zipfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from insula.archives.names import unsafe_reason

_EPOCH = datetime(1980, 1, 1, tzinfo=UTC)
_LAST = datetime(2107, 12, 31, 23, 59, 58, tzinfo=UTC)
_REGULAR_FILE = 0o100644 << 16
_UNIX = 3


class PathRefused(Exception):
    """A file can't go to this path: it leads out of the folder, or is taken."""


class ZipWriter:
    """A zip archive that is sent while it is made: every step returns the bytes it adds.

    The same files give the same bytes. Names are UTF-8 and flagged so; dates are written in UTC,
    and again as an extended timestamp that says so.
    """

    def __init__(self) -> None:
        self._sink = _Sink()
        self._archive = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED)
        self._paths: set[str] = set()

    def add(self, path: str, text: str, modified: datetime) -> bytes:
        """One file's part of the archive.

        Raises:
            PathRefused: the path is unsafe, or has been written.
        """
        reason = unsafe_reason(path) or ("the path is taken" if path in self._paths else "")
        if reason:
            raise PathRefused(f"{path}: {reason}")
        self._paths.add(path)
        self._archive.writestr(_info(path, modified), text.encode())
        return self._sink.drain()

    def finish(self) -> bytes:
        """The table of contents, without which the archive is broken."""
        self._archive.close()
        return self._sink.drain()


def _info(path: str, modified: datetime) -> zipfile.ZipInfo:
    moment = min(max(modified.astimezone(UTC), _EPOCH), _LAST)
    info = zipfile.ZipInfo(path, moment.timetuple()[:6])
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = _UNIX
    info.external_attr = _REGULAR_FILE
    seconds = min(int(moment.timestamp()), 2**31 - 1)
    info.extra = struct.pack("<HHBi", 0x5455, 5, 1, seconds)
    return info


class _Sink(io.RawIOBase):
    """Where zipfile writes to: not seekable, so that it never goes back to what was sent."""

    def __init__(self) -> None:
        self._pending = io.BytesIO()

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def write(self, content: object) -> int:
        return self._pending.write(content)  # type: ignore[arg-type]

    def drain(self) -> bytes:
        drained = self._pending.getvalue()
        self._pending = io.BytesIO()
        return drained


class FolderWriter:
    """A folder that files are written into; existing ones are never replaced."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)

    def add(self, path: str, text: str, modified: datetime) -> None:
        """Write one file with its date.

        Raises:
            PathRefused: the path is unsafe or taken (on some systems by another spelling).
            OSError: the disk says no.
        """
        if reason := unsafe_reason(path):
            raise PathRefused(f"{path}: {reason}")
        folder, _, name = path.rpartition("/")
        directory = _open_folder(self._root, folder.split("/") if folder else [])
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            descriptor = os.open(name, flags, 0o644, dir_fd=directory)
        except FileExistsError as error:
            raise PathRefused(f"{path}: the path is taken") from error
        finally:
            os.close(directory)
        with open(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            seconds = modified.timestamp()
            os.utime(descriptor, (seconds, seconds))


def _open_folder(root: Path, parts: list[str]) -> int:
    """Open a folder below ``root`` step by step, making what is missing and following no link."""
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for part in parts:
        above = directory
        try:
            with suppress(FileExistsError):
                os.mkdir(part, dir_fd=above)
            directory = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
        except NotADirectoryError as error:
            raise PathRefused(f"{part}: not a folder") from error
        finally:
            os.close(above)
    return directory
