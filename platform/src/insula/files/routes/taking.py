"""What upload routes have in common: which headers describe the body."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Request
from litestar.params import HeaderParameter, QueryParameter

from insula.db.ids import new_id
from insula.files.names import name_in
from insula.files.receiving import declared_length
from insula.files.schemas import Incoming
from insula.files.sniffing import BINARY
from insula.http.exchange import exchange_of

BODY_LIMIT = 1 << 40
"""What the routes are declared with; what is taken is a setting (``file_limit``)."""

FileName = Annotated[
    str | None,
    QueryParameter(
        name="name",
        required=False,
        max_length=1000,
        description="The file's name; else that in `Content-Disposition`.",
    ),
]
Disposition = Annotated[
    str | None,
    HeaderParameter(
        name="Content-Disposition",
        required=False,
        max_length=4000,
        description='`attachment; filename="…"` (RFC 6266).',
    ),
]
ReprDigest = Annotated[
    str | None,
    HeaderParameter(
        name="Repr-Digest",
        required=False,
        max_length=500,
        description="`sha-256=:…:` or `sha-512=:…:` (RFC 9530), held against what arrives.",
    ),
]
ContentDigest = Annotated[
    str | None,
    HeaderParameter(name="Content-Digest", required=False, max_length=500, description="Likewise."),
]


def incoming(
    request: Request[Any, Any, Any],
    *,
    name: str | None,
    disposition: str | None = None,
    digests: tuple[str | None, ...] = (),
    limit: int,
    by: UUID | None,
    given_id: UUID | None = None,
) -> Incoming:
    """A file whose bytes are the request's body."""
    kind = exchange_of(request.scope).header(b"content-type")
    return Incoming(
        id=given_id or new_id(),
        name=name or name_in(disposition or "") or "",
        declared_type=plain_type(kind),
        length=declared_length(request),
        limit=limit,
        digests=tuple(digest for digest in digests if digest),
        by=by,
        is_given=given_id is not None,
    )


def plain_type(media_type: str) -> str:
    """A media type without parameters, in lower case."""
    plain = media_type.partition(";")[0].strip().lower()
    is_sound = plain.isascii() and plain.isprintable() and 3 <= len(plain) <= 127
    return plain if is_sound and "/" in plain and " " not in plain else BINARY
