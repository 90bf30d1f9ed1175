"""Putting the document together."""

from collections.abc import Iterable
from typing import Final

import msgspec
from litestar import Litestar

from insula import __version__
from insula.access import Scope
from insula.http.openapi import problems
from insula.http.openapi.endpoints import Endpoint, endpoints, operation_ids
from insula.http.openapi.examples import example_of
from insula.http.openapi.operations import JSON, Operations
from insula.http.openapi.parameters import SHARED
from insula.http.openapi.schemas import Schema, Schemas
from insula.http.problem import ProblemDocument

OPENAPI: Final = "3.1.1"

_DESCRIPTION: Final = (
    "Insula is one backend for many tenants: an organisation signs up, switches on the modules it "
    "needs and works with them through this API. Sign in at `POST /api/v1/sessions` and send "
    "`Authorization: Bearer <access_token>`; the token names the tenant, and so may the host or "
    "the header `Insula-Tenant`. Every error is a problem document (RFC 9457) whose `type` is an "
    "address under `/docs/problems` that explains it."
)


class Tag(msgspec.Struct, frozen=True):
    """A group of operations."""

    name: str
    description: str


_CORE_TAGS: Final = (
    Tag("Tenancy", "Signing up, and switching modules on and off."),
    Tag("Domains", "A tenant's own host names."),
    Tag("Operator", "All tenants of the installation, for whoever runs it."),
    Tag("Identity", "Signing in and out, and the users of a tenant."),
    Tag("Search", "One box over everything that a tenant has."),
    Tag("Files", "Uploads, downloads, previews, signed URLs and the trash."),
    Tag("GraphQL", "The same by GraphQL: one request for what takes many here."),
    Tag("Health", "Whether this process lives and can serve."),
    Tag("Documentation", "What this installation offers, for programs."),
)

_HEADERS: Final[dict[str, Schema]] = {
    "ETag": {
        "description": "The version of what was answered, for `If-None-Match` and, where it is a "
        "strong one, `If-Match`.",
        "schema": {"type": "string", "examples": ['"3"']},
    },
    "Location": {
        "description": "The address of what was made.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Link": {
        "description": "The pages beside this one (RFC 8288), `next` and `prev`.",
        "schema": {
            "type": "string",
            "examples": ['</api/v1/users?cursor=lKpjcmVhdGVk>; rel="next"'],
        },
    },
    "RateLimit": {
        "description": "What is left of the limit: `r` requests, all of it again in `t` seconds.",
        "schema": {"type": "string", "examples": ['"user";r=999;t=1']},
    },
    "RateLimit-Policy": {
        "description": "The limit: `q` requests in `w` seconds.",
        "schema": {"type": "string", "examples": ['"user";q=1000;w=10']},
    },
    "Retry-After": {
        "description": "Seconds to wait before trying again.",
        "schema": {"type": "string", "pattern": "^[0-9]+$", "examples": ["1"]},
    },
    "Idempotency-Replayed": {
        "description": "Present when this is the answer to an earlier request with the same key.",
        "schema": {"type": "string", "const": "true"},
    },
    "Insula-Trace-Id": {
        "description": "Names this request in logs and traces (W3C Trace Context).",
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    },
    "WWW-Authenticate": {
        "description": "How to sign in (RFC 6750).",
        "schema": {"type": "string", "examples": ['Bearer realm="insula"']},
    },
}


def document(app: Litestar, module_tags: Iterable[Tag], scopes: Iterable[Scope]) -> Schema:
    """The OpenAPI document of an application as plain data, ready to be encoded."""
    found = endpoints(app)
    schemas = Schemas()
    known = frozenset((each.method, each.path) for each in found)
    operations = Operations(schemas, {scope.name: scope for scope in scopes}, known)
    schemas.of(ProblemDocument)
    paths = _paths(found, operations)
    components = schemas.components()
    _add_examples(paths, components)
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "Insula",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "externalDocs": {"url": "/docs", "description": "The same, for people"},
        "servers": [{"url": "/", "description": "This installation"}],
        "tags": _tags(found, [*_CORE_TAGS, *module_tags]),
        "paths": paths,
        "components": {
            "schemas": components,
            "parameters": SHARED,
            "headers": _HEADERS,
            "responses": {**problems.shared_responses(), "NotModified": _NOT_MODIFIED},
            "examples": problems.examples(),
            "securitySchemes": {"bearer": _BEARER, "operator": _OPERATOR},
        },
    }


_NOT_MODIFIED: Final[Schema] = {
    "description": "You have the current version.",
    "headers": {"ETag": {"$ref": "#/components/headers/ETag"}},
}
_BEARER: Final[Schema] = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "The `access_token` of `POST /api/v1/sessions` or of a sign-up.",
}
_OPERATOR: Final[Schema] = {
    "type": "http",
    "scheme": "bearer",
    "description": "What `insula operator token` prints, where the installation runs.",
}


def _paths(found: list[Endpoint], operations: Operations) -> dict[str, Schema]:
    paths: dict[str, Schema] = {}
    for endpoint, operation_id in operation_ids(found).items():
        item = paths.setdefault(endpoint.path, {})
        item[endpoint.method.lower()] = operations.of(endpoint, operation_id)
    return paths


def _tags(found: list[Endpoint], described: list[Tag]) -> list[Schema]:
    """The tags in use, those with a description first."""
    used = {tag for endpoint in found for tag in endpoint.handler.resolve_tags()}
    listed = [msgspec.to_builtins(tag) for tag in described if tag.name in used]
    strangers = sorted(used - {tag.name for tag in described})
    return [*listed, *({"name": name} for name in strangers)]


def _add_examples(paths: dict[str, Schema], components: dict[str, Schema]) -> None:
    """Give each JSON body and answer an example."""
    for item in paths.values():
        for operation in item.values():
            for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
                content = holder.get("content", {}).get(JSON)
                if content and "schema" in content:
                    content.setdefault("example", example_of(content["schema"], components))
