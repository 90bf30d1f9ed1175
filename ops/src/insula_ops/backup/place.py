"""Where backups are kept, a folder or a bucket, behind the same few verbs.

A backup is a set of files below its name. It is one as soon as its manifest is there: in a folder
all is written to ``<name>.partial`` and renamed at the end; in a bucket, which cannot rename, the
manifest is written last.
"""

import hashlib
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from insula_ops.backup import folder, manifest, sealing
from insula_ops.backup.bucket import Bucket
from insula_ops.backup.errors import Damaged
from insula_ops.backup.manifest import File, Manifest


class Sink(Protocol):
    """A file that is being written."""

    def write(self, piece: bytes) -> None: ...
    def close(self) -> None:
        """Return once it is durable."""


class Place(Protocol):
    """Names of backups are those that :func:`Place.names` gives; ``Damaged`` is raised by whatever
    reads what is not there."""

    def begin(self, name: str) -> None:
        """Make room for a new backup."""

    def create(self, name: str, file: str) -> Sink:
        """A file of a backup that has begun."""

    def finish(self, name: str, manifest: bytes) -> None:
        """Make it a backup, all at once."""

    def read(self, name: str, file: str) -> Iterator[bytes]: ...

    def sizes(self, name: str) -> dict[str, int]:
        """The files that are there, and their bytes."""

    def names(self) -> list[str]:
        """The backups that are whole, as far as having a manifest goes."""

    def incomplete(self) -> dict[str, datetime]:
        """What was begun and not finished, and when it was last written to."""

    def remove(self, name: str) -> None:
        """Delete a backup or an incomplete one; whole at once, as far as readers see."""


def open_place(where: str, *, durable: bool = True) -> Place:
    """``s3://bucket/prefix?endpoint=…&region=…`` or a folder's path.

    Raises:
        BackupFailed: it is neither.
    """
    return Bucket.open(where) if where.startswith("s3://") else folder.Folder(where, durable)


class Writing:
    """One file on its way into a place: encrypted if there are recipients, counted and hashed."""

    def __init__(self, sink: Sink, name: str, recipients: list[str]) -> None:
        self._sink = sink
        self._name = name
        self._hash = hashlib.sha256()
        self._size = 0
        self._lock = threading.Lock()
        self._sealing = sealing.Sealing(recipients, self._store) if recipients else None

    def write(self, piece: bytes) -> None:
        """Append; several threads may, in the order in which they come."""
        with self._lock:
            if self._sealing is not None:
                self._sealing.feed(piece)
            else:
                self._store(piece)

    def close(self) -> File:
        if self._sealing is not None:
            self._sealing.close()
        self._sink.close()
        return File(self._name, self._size, self._hash.hexdigest())

    def _store(self, piece: bytes) -> None:
        self._hash.update(piece)
        self._size += len(piece)
        self._sink.write(piece)


def read_manifest(place: Place, name: str) -> Manifest:
    """
    Raises:
        Damaged: there is none that can be read, or it is another's. What it calls itself is where
            its files are looked for, and what is removed.
    """
    made = manifest.read_manifest(b"".join(place.read(name, manifest.MANIFEST)))
    if made.name != name:
        raise Damaged(f"{name} holds a backup that calls itself {made.name}: rename it back")
    return made


def all_manifests(place: Place) -> tuple[list[Manifest], list[str]]:
    """The backups, the newest first, and the names of those whose manifest cannot be read."""
    found: list[Manifest] = []
    broken: list[str] = []
    for name in place.names():
        try:
            found.append(read_manifest(place, name))
        except Damaged:
            broken.append(name)
    return sorted(found, key=lambda each: each.snapshot.taken_at, reverse=True), broken


def checked(place: Place, name: str, file: File) -> Iterator[bytes]:
    """A file as it lies there.

    Raises:
        Damaged: after its last piece: it is not what was written.
    """
    seen = hashlib.sha256()
    size = 0
    for piece in place.read(name, file.name):
        seen.update(piece)
        size += len(piece)
        yield piece
    if size != file.size:
        raise Damaged(f"{file.name} has {size} bytes, {file.size} were written")
    if seen.hexdigest() != file.sha256:
        raise Damaged(f"{file.name} has been changed: its checksum is not the one written down")
