"""What a backup says of itself: ``manifest.json``, ``contents.json`` and ``SHA256SUMS``.

The manifest is written last and makes a backup one. It names no table, so that it may stay readable
where the rest is encrypted. ``SHA256SUMS`` is what ``sha256sum -c`` takes.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from insula_ops.backup.errors import Damaged

FORMAT = 1
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
CONTENTS = "contents.json"
TOC = "toc.dat"
ROLES = "roles.sql"
SEALED = ".age"


Moment = Annotated[datetime, Meta(tz=True)]


class File(msgspec.Struct, frozen=True):
    """A file as it lies in the store, encrypted if the backup is."""

    name: Annotated[str, Meta(pattern=r"^[^/\x00]+$")]
    """In the backup's own folder, and nowhere else."""
    size: int
    sha256: str


class Snapshot(msgspec.Struct, frozen=True):
    """The moment that a backup holds."""

    taken_at: Moment
    lsn: str | None
    """Where the write-ahead log stood, or None on servers that do not tell this login."""
    id: str


class Manifest(msgspec.Struct, frozen=True):
    name: str
    database: str
    server_version: str
    tool: str
    pg_dump: str
    snapshot: Snapshot
    finished_at: Moment
    seconds: float
    schemas: list[str] | None
    """None: the whole database."""
    compression: Annotated[str, Meta(pattern="^(zstd|gzip|none)$")]
    recipients: list[str]
    """Public keys of those who can read it; empty: everybody."""
    tables: int
    rows: int
    raw_bytes: int
    """Of the tables, as COPY writes them."""
    files: list[File]
    format: int = FORMAT

    @property
    def size(self) -> int:
        """Bytes in the store."""
        return sum(file.size for file in self.files)

    @property
    def age(self) -> timedelta:
        return datetime.now(UTC) - self.snapshot.taken_at

    def stored_name(self, name: str) -> str:
        return name + SEALED if self.recipients else name


class TableData(msgspec.Struct, frozen=True):
    """One table's rows. ``checksum`` is the sum, modulo 2^64, of the XXH3 of every row's COPY text:
    the same for the same rows in any order."""

    schema: str
    name: str
    columns: list[str]
    file: str
    rows: int
    raw_bytes: int
    checksum: int


class LargeObject(msgspec.Struct, frozen=True):
    oid: int
    size: int
    file: str


class Contents(msgspec.Struct, frozen=True):
    tables: list[TableData]
    sequences: int
    large_objects: list[LargeObject]


def read_manifest(text: bytes) -> Manifest:
    """
    Raises:
        Damaged: it is none, or of a newer release.
    """
    manifest: Manifest = _decoded(text, Manifest, MANIFEST)
    if manifest.format > FORMAT:
        raise Damaged(f"the backup has format {manifest.format}, this release knows {FORMAT}")
    return manifest


def read_contents(text: bytes) -> Contents:
    """
    Raises:
        Damaged: it is none.
    """
    contents: Contents = _decoded(text, Contents, CONTENTS)
    return contents


def _decoded(text: bytes, kind: type[Any], name: str) -> Any:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Damaged(f"{name} cannot be read: {error}") from None


def as_json(value: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def sums(files: list[File]) -> bytes:
    return "".join(f"{file.sha256}  {file.name}\n" for file in files).encode()


def read_sums(text: bytes) -> dict[str, str]:
    """Checksum by file name.

    Raises:
        Damaged: a line is not one of ours.
    """
    found: dict[str, str] = {}
    for line in text.decode("utf-8", "replace").splitlines():
        checksum, separator, name = line.partition("  ")
        if not separator or len(checksum) != 64 or "/" in name:
            raise Damaged(f"{SUMS} cannot be read: {line[:100]!r}")
        found[name] = checksum
    return found
