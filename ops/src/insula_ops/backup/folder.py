"""Backups in a folder."""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from insula_ops.backup.errors import BackupFailed, Damaged
from insula_ops.backup.manifest import MANIFEST

PARTIAL = ".partial"
_GOING = ".removing"
_PIECE = 1 << 20


class Folder:
    """``durable=False`` leaves it to the system when it writes to the disk."""

    def __init__(self, path: str, durable: bool) -> None:
        self._root = Path(path).absolute()
        self._durable = durable

    def begin(self, name: str) -> None:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            if (self._root / name).exists():
                raise BackupFailed(f"{self._root / name} exists already")
            (self._root / (name + PARTIAL)).mkdir(mode=0o700)
        except FileExistsError:
            raise BackupFailed(f"a backup {name} is being made, or was broken off") from None
        except OSError as error:
            raise BackupFailed(f"{error.filename}: {error.strerror}") from None

    def create(self, name: str, file: str) -> "FileSink":
        return FileSink(self._root / (name + PARTIAL) / file, self._durable)

    def finish(self, name: str, manifest: bytes) -> None:
        partial = self._root / (name + PARTIAL)
        sink = FileSink(partial / MANIFEST, self._durable)
        sink.write(manifest)
        sink.close()
        self._sync(partial)
        partial.rename(self._root / name)
        self._sync(self._root)

    def read(self, name: str, file: str) -> Iterator[bytes]:
        try:
            with open(self._root / name / file, "rb", buffering=0, opener=_not_waiting) as content:
                while piece := content.read(_PIECE):
                    yield piece
        except OSError as error:
            raise Damaged(f"{name}/{file} cannot be read: {error.strerror}") from None

    def sizes(self, name: str) -> dict[str, int]:
        try:
            return {entry.name: entry.stat().st_size for entry in os.scandir(self._root / name)}
        except OSError as error:
            raise Damaged(f"{name} cannot be read: {error.strerror}") from None

    def names(self) -> list[str]:
        return sorted(
            entry.name
            for entry in self._entries()
            if not entry.name.endswith((PARTIAL, _GOING)) and (entry / MANIFEST).exists()
        )

    def incomplete(self) -> dict[str, datetime]:
        left = [entry for entry in self._entries() if entry.name.endswith((PARTIAL, _GOING))]
        return {entry.name: _last_written(entry) for entry in left}

    def remove(self, name: str) -> None:
        going = self._root / name
        if not name.endswith((PARTIAL, _GOING)):
            going = self._root / (name + _GOING)
            (self._root / name).rename(going)
        shutil.rmtree(going)

    def _entries(self) -> list[Path]:
        if not self._root.is_dir():
            raise BackupFailed(f"there is no folder {self._root}")
        return [entry for entry in self._root.iterdir() if entry.is_dir()]

    def _sync(self, path: Path) -> None:
        if not self._durable:
            return
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class FileSink:
    def __init__(self, path: Path, durable: bool) -> None:
        try:
            self._file: BinaryIO = path.open("xb", buffering=0)  # closed by close()
        except OSError as error:
            raise BackupFailed(f"cannot write {path}: {error.strerror}") from None
        self._durable = durable

    def write(self, piece: bytes) -> None:
        """
        Raises:
            BackupFailed: the disk is full, or worse.
        """
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise BackupFailed(f"cannot write {self._file.name}: {error.strerror}") from None

    def close(self) -> None:
        with self._file:
            if self._durable:
                os.fsync(self._file.fileno())


def _last_written(folder: Path) -> datetime:
    times = [folder.stat().st_mtime, *(entry.stat().st_mtime for entry in folder.iterdir())]
    return datetime.fromtimestamp(max(times), UTC)


def _not_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe that somebody put there would have us wait for its writer for ever."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is no regular file", path)
