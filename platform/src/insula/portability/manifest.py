"""``manifest.json``, the first member of an archive: what is in it and what it needs.

docs/guides/archive-format.md is the specification; a change that an old reader would stumble over
raises :data:`VERSION`.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from insula.portability.errors import ArchiveRefused

FORMAT = "insula-archive"
VERSION = 1

Word = Annotated[str, Meta(max_length=100)]
Count = Annotated[int, Meta(ge=0, le=1 << 62)]


class Source(msgspec.Struct, frozen=True):
    """Where it was written."""

    slug: Word
    tenant_id: UUID
    insula: Word
    """The version of the program."""


class Settings(msgspec.Struct, frozen=True):
    """The tenant's own settings."""

    name: Annotated[str, Meta(max_length=200)]
    locale: Word | None = None
    time_zone: Word | None = None


class Step(msgspec.Struct, frozen=True):
    """A migration that the tables have seen."""

    version: Annotated[int, Meta(ge=0, le=99_999)]
    checksum: Word


class Component(msgspec.Struct, frozen=True):
    """A module, or ``core``."""

    name: Word
    enabled: bool
    migrations: Annotated[list[Step], Meta(max_length=10_000)]


class Column(msgspec.Struct, frozen=True):
    name: Word
    type: Word
    """As PostgreSQL calls it."""


class Table(msgspec.Struct, frozen=True):
    module: Word
    name: Word
    columns: Annotated[list[Column], Meta(max_length=1600)]
    rows: Count


class Manifest(msgspec.Struct, frozen=True):
    """``exported_at`` and ``source`` differ between archives of the same tenant, nothing else."""

    format: Literal["insula-archive"]
    version: int
    kind: Literal["tenant", "person"]
    exported_at: datetime
    source: Source
    tenant: Settings
    person: UUID | None
    """Whose data it is, where it is a person's."""
    passwords: bool
    """Whether ``users`` has password hashes."""
    modules: Annotated[list[Component], Meta(max_length=1000)]
    tables: Annotated[list[Table], Meta(max_length=20_000)]
    """In the order in which they follow."""
    files: Count
    file_bytes: Count


def read_manifest(raw: bytes) -> Manifest:
    """
    Raises:
        ArchiveRefused: it is none, or of a later version.
    """
    try:
        head = msgspec.json.decode(raw, type=_Head)
        if head.format == FORMAT and head.version > VERSION:
            raise ArchiveRefused(
                f"The archive has format version {head.version}, and this installation reads "
                f"version {VERSION}: upgrade Insula first."
            )
        return msgspec.json.decode(raw, type=Manifest)
    except msgspec.DecodeError as error:
        raise ArchiveRefused(f"manifest.json: {error}.") from error


class _Head(msgspec.Struct):
    format: str
    version: int
