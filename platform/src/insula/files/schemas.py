"""What the files API takes and gives."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

Name = Annotated[str, Meta(min_length=1, max_length=1000, examples=["roof garden.png"])]
Details = Annotated[
    dict[
        Annotated[str, Meta(min_length=1, max_length=64)],
        Annotated[str, Meta(max_length=1000)],
    ],
    Meta(max_length=32, examples=[{"project": "roof"}]),
]
"""What a tenant notes down of a file, for itself."""


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What comes in: unknown fields are refused."""


class File(msgspec.Struct):
    """A file. Its bytes are at ``content``."""

    id: UUID
    name: Annotated[str, Meta(examples=["roof garden.png"])]
    media_type: Annotated[str, Meta(examples=["image/png"])]
    """What the bytes are, which need not be what was declared."""
    size: Annotated[int, Meta(examples=[48213])]
    sha256: Annotated[str, Meta(examples=["9f86d081884c7d659a2feaa0c55ad015" * 2])]
    """In hexadecimal."""
    metadata: dict[str, str]
    version: int
    created_by: UUID | None
    """None where somebody uploaded it by a signed URL."""
    created_at: datetime
    updated_at: datetime


class TrashedFile(msgspec.Struct):
    """A file in the trash."""

    id: UUID
    name: str
    media_type: str
    size: int
    created_at: datetime
    deleted_at: datetime


class FileUpdate(Strict):
    name: Name | UnsetType = UNSET
    metadata: Details | UnsetType = UNSET


class Usage(msgspec.Struct):
    """What the tenant's files take of its quota."""

    bytes: Annotated[int, Meta(examples=[48213])]
    """Files, the trash and uploads under way."""
    quota: Annotated[int, Meta(examples=[10737418240])]


class BatchResult(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What became of one file: ``file`` or ``problem``."""

    name: str
    status: Annotated[int, Meta(examples=[201])]
    """The status that the file would have got by itself."""
    file: File | None = None
    problem: dict[str, Any] | None = None


class Batch(msgspec.Struct):
    """One result for each file, in the order in which they were sent."""

    results: list[BatchResult]


class LinkCreate(Strict):
    expires_in: Annotated[int, Meta(ge=1, le=7 * 86400, examples=[3600])] = 3600
    """Seconds."""
    download: bool = False
    """Have browsers save the file instead of showing it."""


class UploadLinkCreate(Strict):
    name: Name
    max_size: Annotated[int, Meta(ge=1, le=1 << 40, examples=[10485760])] = 10 << 20
    """Bytes."""
    expires_in: Annotated[int, Meta(ge=1, le=7 * 86400, examples=[3600])] = 3600
    """Seconds."""


class Link(msgspec.Struct, kw_only=True):
    """A URL that needs no login, for a while."""

    url: Annotated[str, Meta(examples=["/api/v1/files/links/AQ…"])]
    ticket: str
    """The part of it that is signed."""
    expires_at: datetime


class UploadLink(msgspec.Struct, kw_only=True):
    """A URL that takes one file without login, for a while."""

    url: Annotated[str, Meta(examples=["/api/v1/files/links/AQ…"])]
    ticket: str
    id: UUID
    """The file's, once it is there."""
    expires_at: datetime


class Upload(msgspec.Struct):
    """A resumable upload. When it is complete it is the file of the same id."""

    id: UUID
    name: str
    media_type: str
    size: int
    offset: int
    """How many bytes of it are safe."""
    metadata: dict[str, str]
    created_at: datetime
    expires_at: datetime


class Stored(msgspec.Struct, frozen=True):
    """A file as it is served."""

    id: UUID
    blob: str
    name: str
    media_type: str
    size: int
    sha256: bytes
    version: int
    created_at: datetime


class Removed(msgspec.Struct, frozen=True):
    """A file whose row is gone."""

    id: UUID
    size: int


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a file before its first byte."""

    id: UUID
    name: str
    declared_type: str
    length: int | None
    """Bytes, where the sender has said how many."""
    limit: int
    """The most bytes that it may have."""
    digests: tuple[str, ...] = ()
    """Values of ``Repr-Digest`` and ``Content-Digest``."""
    by: UUID | None
    metadata: dict[str, str] = {}
    is_given: bool = False
    """Whether the id comes from a link, and may have been used."""
