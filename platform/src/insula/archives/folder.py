"""The files of a folder, without following links out of it."""

import errno
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

from insula.archives.limits import ArchiveLimits, ArchiveRefused
from insula.archives.names import skip_reason


class FolderFile:
    """A file, or what else a folder may hold, under the root."""

    def __init__(self, root: Path, name: str, mode: int, limit: int) -> None:
        self._location = root / name
        self._limit = limit
        self.path = os.fsencode(name).decode("utf-8", "replace")
        self.not_a_file = _kind(mode)
        self.refusal = "" if self.path == name else "its name is not UTF-8"

    def read(self) -> tuple[bytes, datetime | None]:
        descriptor = os.open(self._location, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "is no longer a regular file")
            content = file.read(self._limit + 1)
        if len(content) > self._limit:
            raise OSError(errno.EFBIG, f"larger than {self._limit:,} bytes")
        return content, _moment(status.st_mtime)


def folder_files(root: Path, limits: ArchiveLimits) -> list[FolderFile]:
    """What lies in ``root`` and below, by path. Of a hidden folder only the name is reported.

    Raises:
        ArchiveRefused: it is too much.
    """
    files: list[FolderFile] = []
    folders, total = [""], 0
    while folders:
        folder = folders.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                name = f"{folder}{entry.name}"
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode) and not entry.name.startswith("."):
                    folders.append(f"{name}/")
                    continue
                total += 0 if skip_reason(name) else status.st_size
                files.append(FolderFile(root, name, status.st_mode, limits.file_bytes))
                _check(len(files) + len(folders), total, limits)
    return sorted(files, key=lambda file: file.path)


def _check(entries: int, total: int, limits: ArchiveLimits) -> None:
    if entries > limits.entries:
        raise ArchiveRefused(f"There are more than {limits.entries:,} files.")
    if total > limits.total_bytes:
        raise ArchiveRefused(f"The Markdown files have more than {limits.total_bytes:,} bytes.")


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return ""
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    return "a hidden folder" if stat.S_ISDIR(mode) else "not a regular file"


def _moment(timestamp: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(timestamp, UTC)
    except (ValueError, OverflowError, OSError):
        return None
