"""The answers that say no: which kinds of problem each operation can meet."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from insula.http.dialect import Dialect
from insula.http.idempotency import KeyInFlight, KeyReused
from insula.http.openapi.endpoints import Endpoint
from insula.http.openapi.schemas import Schema, Schemas, plain_text
from insula.http.problem import (
    KINDS,
    MEDIA_TYPE,
    TYPE_BASE,
    BadRequest,
    ContentTooLarge,
    Forbidden,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    Problem,
    RequestTimeout,
    TokenExpired,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
    WrongTenant,
)
from insula.http.upload_keys import KeyNotKept
from insula.tenancy.errors import (
    ModuleDisabled,
    TenantNotFound,
    TenantRequired,
    TenantSuspended,
)

SCHEMA: Final = {"$ref": "#/components/schemas/ProblemDocument"}

Kinds = tuple[type[Problem], ...]

# The usual sets have a name under components/responses; others are spelled out where they occur.
_SHARED: Final[dict[Kinds, str]] = {
    (BadRequest,): "Unreadable",
    (BadRequest, TenantRequired): "UnreadableOrTenantless",
    (BadRequest, InvalidInput): "BadInput",
    (BadRequest, TenantRequired, InvalidInput): "BadInputOrTenantless",
    (TokenExpired,): "TokenExpired",
    (TokenExpired, Unauthenticated): "Unauthenticated",
    (WrongTenant, TenantSuspended): "WrongTenant",
    (WrongTenant, TenantSuspended, Forbidden): "Forbidden",
    (TenantNotFound,): "TenantNotFound",
    (TenantNotFound, NotFound): "NotFound",
    (TenantNotFound, ModuleDisabled): "ModuleDisabled",
    (TenantNotFound, NotFound, ModuleDisabled): "NotFoundOrModuleDisabled",
    (KeyInFlight,): "InFlight",
    (PreconditionFailed,): "PreconditionFailed",
    (RequestTimeout,): "RequestTimeout",
    (ContentTooLarge,): "ContentTooLarge",
    (UnsupportedMediaType,): "UnsupportedMediaType",
    (KeyReused,): "KeyReused",
    (TooManyRequests,): "TooManyRequests",
    (Unavailable,): "Unavailable",
}
_HEADERS: Final[dict[int, tuple[str, ...]]] = {
    401: ("WWW-Authenticate",),
    409: ("Retry-After",),
    412: ("ETag",),
    428: ("ETag",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}


def problems_of(endpoint: Endpoint, schemas: Schemas) -> dict[int, Schema]:
    """The problem answers of an operation, by status."""
    dialect = endpoint.dialect
    by_status: dict[int, dict[type[Problem], None]] = defaultdict(dict)
    for kind in (*_expected(endpoint), *endpoint.problems):
        status = kind.status if dialect is None else dialect.status_of(kind.status)
        by_status[status][kind] = None
    if dialect is not None:
        schema = schemas.of(dialect.document)
        return {
            status: _in_dialect(dialect, tuple(kinds), schema)
            for status, kinds in sorted(by_status.items())
        }
    return {status: _response(tuple(kinds)) for status, kinds in sorted(by_status.items())}


def _in_dialect(dialect: Dialect, kinds: Kinds, schema: Schema) -> Schema:
    content = {"schema": schema, "example": msgspec.to_builtins(dialect.render(kinds[0]()))}
    return {
        "description": _description(kinds),
        "headers": _headers(kinds),
        "content": {dialect.media_type: content},
    }


def _expected(endpoint: Endpoint) -> Iterator[type[Problem]]:
    """What the edge says on the handler's behalf."""
    yield BadRequest
    if endpoint.is_behind_gate:
        yield from _of_gate(endpoint)
    if endpoint.body is not None or endpoint.listing is not None or any(endpoint.parameters()):
        yield InvalidInput
    if endpoint.route.path_parameters:
        yield NotFound
    if endpoint.module is not None:
        yield ModuleDisabled
    if endpoint.takes_header("If-Match"):
        yield PreconditionFailed


def _of_gate(endpoint: Endpoint) -> Iterator[type[Problem]]:
    if endpoint.is_public and not endpoint.is_tenantless:
        yield TenantRequired
    yield TokenExpired
    if not endpoint.is_public:
        yield Unauthenticated
    yield from (WrongTenant, TenantSuspended)
    if endpoint.scope is not None or endpoint.is_operators:
        yield Forbidden
    yield from (TenantNotFound, TooManyRequests, Unavailable)
    if not endpoint.is_safe:
        yield from (RequestTimeout, ContentTooLarge, UnsupportedMediaType)
    if endpoint.keeps_key:
        yield from (KeyInFlight, KeyReused)
    elif endpoint.method == "POST" and endpoint.reads_body_itself:
        yield KeyNotKept


def _response(kinds: Kinds) -> Schema:
    name = _SHARED.get(kinds)
    return _spelled_out(kinds) if name is None else {"$ref": f"#/components/responses/{name}"}


def shared_responses() -> dict[str, Schema]:
    """What goes under ``components/responses``."""
    return {name: _spelled_out(kinds) for kinds, name in _SHARED.items()}


def _spelled_out(kinds: Kinds) -> Schema:
    examples = {kind.slug: {"$ref": f"#/components/examples/{kind.slug}"} for kind in kinds}
    return {
        "description": _description(kinds),
        "headers": _headers(kinds),
        "content": {MEDIA_TYPE: {"schema": SCHEMA, "examples": examples}},
    }


def _description(kinds: Kinds) -> str:
    if len(kinds) > 1:
        return "\n".join(f"- `{kind.slug}`: {kind.title}." for kind in kinds)
    return f"{kinds[0].title} (`{kinds[0].slug}`)."


def _headers(kinds: Kinds) -> Schema:
    names = ("Insula-Trace-Id", *_HEADERS.get(kinds[0].status, ()))
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def examples() -> dict[str, Schema]:
    """An example of every kind of problem that there is."""
    return {
        slug: {
            "summary": kind.title,
            "description": plain_text(kind.__doc__ or ""),
            "value": document_of(kind),
        }
        for slug, kind in sorted(KINDS.items())
    }


def document_of(kind: type[Problem]) -> dict[str, Any]:
    """A problem document of this kind, as an example."""
    document: dict[str, Any] = {
        "type": TYPE_BASE + kind.slug,
        "title": kind.title,
        "status": kind.status,
        "instance": "/api/v1/users",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
    }
    if kind is InvalidInput:
        document["errors"] = [{"pointer": "/email", "detail": "Expected `str`, got `int`"}]
    return document
