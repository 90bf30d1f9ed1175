"""A backup opened for reading: its parts found, checked, decrypted, expanded."""

from collections.abc import Iterator
from typing import Any

from insula_ops.backup import archive, blocks, manifest, sealing
from insula_ops.backup import place as places
from insula_ops.backup.archive import Archive
from insula_ops.backup.errors import BackupFailed, Damaged
from insula_ops.backup.manifest import Contents, File, Manifest
from insula_ops.backup.place import Place


class Backup:
    """``identities`` are age's secret keys."""

    def __init__(self, place: Place, made: Manifest, identities: list[Any]) -> None:
        self.manifest = made
        self._place = place
        self._identities = identities
        self._files = {file.name: file for file in made.files}

    @classmethod
    def open(cls, place: Place, name: str | None, identities: list[Any]) -> "Backup":
        """The backup of this name, or the newest.

        Raises:
            BackupFailed: there is none, or it is encrypted and nobody has a key.
        """
        if name is None:
            found, _ = places.all_manifests(place)
            if not found:
                raise BackupFailed("there is no backup that is whole")
            made = found[0]
        elif name in place.names():
            made = places.read_manifest(place, name)
        else:
            raise BackupFailed(f"there is no backup {name} that is whole; `list` shows what is")
        if made.recipients and not identities:
            raise BackupFailed(f"{made.name} is encrypted: give --identity FILE with a secret key")
        return cls(place, made, identities)

    def contents(self) -> Contents:
        return manifest.read_contents(self._whole(manifest.CONTENTS))

    def archive(self) -> Archive:
        return archive.read_directory(self._whole(manifest.TOC))

    def roles(self) -> str:
        """
        Raises:
            Damaged: they are no text.
        """
        try:
            return self._whole(manifest.ROLES).decode()
        except UnicodeDecodeError as error:
            raise Damaged(f"{manifest.ROLES} cannot be read: {error}") from None

    def rows(self, file: str) -> Iterator[bytes]:
        """A table's rows as COPY text, without what ends them; checked as they come, so that what
        is wrong is said at the end at the latest.

        Raises:
            Damaged: they are not what was written.
        """
        return blocks.rows_of(self.data(file))

    def data(self, file: str) -> Iterator[bytes]:
        """The content of a table's or a large object's file."""
        method = self.manifest.compression
        return blocks.expanded(self._opened(file + blocks.SUFFIXES[method]), method)

    def _whole(self, name: str) -> bytes:
        return b"".join(self._opened(name))

    def _opened(self, name: str) -> Iterator[bytes]:
        file = self._file(self.manifest.stored_name(name))
        pieces = places.checked(self._place, self.manifest.name, file)
        return sealing.opened(pieces, self._identities) if self.manifest.recipients else pieces

    def _file(self, name: str) -> File:
        if name not in self._files:
            raise Damaged(f"{self.manifest.name} has no {name}")
        return self._files[name]
