"""Validators and preconditions (RFC 9110, section 13)."""

import hashlib
from typing import Annotated, TypeVar

from litestar import Response
from litestar.params import HeaderParameter

from insula.http.problem import PreconditionFailed, PreconditionRequired
from insula.http.reply import Reply
from insula.i18n import say

T = TypeVar("T")

IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match", required=False, max_length=200, description="The ETag that was read."
    ),
]


def weak_etag(body: bytes) -> bytes:
    """A validator for an answer that has no version of its own."""
    return b'W/"' + hashlib.blake2b(body, digest_size=12).hexdigest().encode() + b'"'


def matches(header: bytes, etag: bytes) -> bool:
    """Weak comparison of ``If-None-Match`` (RFC 9110, section 8.8.3.2)."""
    if header.strip() == b"*":
        return True
    opaque = etag.removeprefix(b"W/")
    return any(part.strip().removeprefix(b"W/") == opaque for part in header.split(b","))


def etag_of(version: int) -> str:
    """The strong validator of a resource that counts its versions."""
    return f'"{version}"'


def require_match(header: str | None, version: int, *, required: bool = False) -> None:
    """Hold ``If-Match`` against the version that is about to be changed.

    Raises:
        PreconditionRequired: the header is absent where it is required.
        PreconditionFailed: somebody else changed the resource meanwhile.
    """
    if not header:
        if required:
            raise PreconditionRequired(headers={"ETag": etag_of(version)})
        return
    wanted = [part.strip() for part in header.split(",")]
    if "*" not in wanted and etag_of(version) not in wanted:
        raise PreconditionFailed(
            say("The current version is {version}.", version=etag_of(version)),
            headers={"ETag": etag_of(version)},
        )


def versioned(content: T, version: int, status_code: int | None = None) -> Response[T]:
    """An answer that carries its version as a strong ``ETag``."""
    return Reply(content, status_code=status_code, headers={"etag": etag_of(version)})
