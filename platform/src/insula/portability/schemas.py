"""Exports, imports and erasures as the API shows them."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from insula.identity.schemas import Strict
from insula.portability.erasing import Content, Erased

_Kind = Literal["tenant", "person"]


class Export(msgspec.Struct):
    """An archive that is being written, or is there to be downloaded."""

    id: UUID
    kind: Annotated[str, Meta(description="`tenant`, or `person`: one user's data")]
    person_id: UUID | None
    requested_by: UUID | None
    job_id: UUID
    """`/api/v1/jobs/{id}` says how far it is."""
    status: Annotated[
        str,
        Meta(
            description="`queued`, `running`, `ready`, `failed`, `cancelled`, or `withdrawn`, "
            "because somebody who was in it has been erased",
            examples=["ready"],
        ),
    ]
    error: str | None
    size: int | None
    """Bytes of the archive."""
    sha256: str | None
    created_at: datetime
    expires_at: datetime | None
    """When the archive is deleted."""


class Archive(msgspec.Struct, frozen=True):
    """Where an export's bytes are."""

    blob: str | None
    size: int | None
    sha256: bytes | None
    kind: str
    person_id: UUID | None
    created_at: datetime


class TheirFile(msgspec.Struct, frozen=True):
    """A file that an erased person had uploaded."""

    id: UUID
    size: int


class ImportRequest(Strict):
    file_id: UUID
    """An archive among the tenant's files: upload it with `POST /api/v1/files`, or resumably with
    tus."""


class EraseRequest(Strict):
    content: Content = "keep"
    """What the person has written stays, under the name of an erased user (`keep`), or goes
    (`remove`)."""


class Erasure(msgspec.Struct):
    """The receipt of an erasure. It does not say who it was."""

    id: UUID
    user_id: UUID
    content: Annotated[str, Meta(examples=["keep"])]
    requested_by: UUID
    erased_at: datetime
    tables: dict[str, Erased]
    """What became of the rows of each table that had to do with the person."""
    receipt: Annotated[str, Meta(examples=["eyJhbGciOiJFZDI1NTE5In0.…"])]
    """All of this as a JWS (RFC 7515), signed by the installation with Ed25519."""


class SignedReceipt(Erasure):
    """A receipt, checked."""

    is_valid: bool = False
    """Whether this installation has signed it, and nothing was changed since."""
    key: dict[str, Any] = {}
    """The public key (RFC 7517) that it can be checked with elsewhere."""
