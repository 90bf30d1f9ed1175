"""Problem details (RFC 9457): the only shape in which Insula says no.

Every kind of problem is an exception class; its ``type`` is a stable URI that ``/docs`` explains.
Routes and services raise, the edge renders.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from insula.i18n import translate

MEDIA_TYPE = "application/problem+json"
TYPE_BASE = "/docs/problems/"

KINDS: dict[str, type["Problem"]] = {}


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one part of the input."""

    pointer: str
    """JSON pointer (RFC 6901) into the body, or ``?name`` for a query parameter."""
    detail: str


class Problem(Exception):
    """An answer that says what went wrong and what to do next.

    A subclass is one kind of problem: it sets ``status``, ``slug``, ``title`` and, in its
    docstring, the explanation that ``/docs`` prints.
    """

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init_subclass__(cls) -> None:
        known = KINDS.setdefault(cls.slug, cls)
        if known is not cls and known.__qualname__ != cls.__qualname__:
            raise TypeError(f"the problem type {cls.slug!r} is taken by {known.__qualname__}")

    def __init__(
        self,
        detail: str = "",
        *,
        errors: tuple[FieldError, ...] = (),
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail or self.title)
        self._said = (detail, errors)
        """What it is translated from; what is shown are plain strings."""
        self.detail = str(detail)
        self.errors = tuple(FieldError(error.pointer, str(error.detail)) for error in errors)
        self.headers = dict(headers or {})
        self.extra = extra

    def localise(self, locale: str) -> None:
        """Say it in another language; what nobody has translated stays English."""
        self.title = translate(self.title, locale)  # type: ignore[misc]  # of this one problem
        detail, errors = self._said
        self.detail = translate(detail, locale)
        self.errors = tuple(
            FieldError(error.pointer, translate(error.detail, locale)) for error in errors
        )

    def body(self, *, instance: str = "", trace_id: str = "") -> bytes:
        """The JSON document."""
        document: dict[str, Any] = {
            "type": TYPE_BASE + self.slug,
            "title": self.title,
            "status": self.status,
        }
        if self.detail:
            document["detail"] = self.detail
        if instance:
            document["instance"] = instance
        if self.errors:
            document["errors"] = self.errors
        if trace_id:
            document["trace_id"] = trace_id
        return msgspec.json.encode({**self.extra, **document})


KINDS[Problem.slug] = Problem


class ProblemDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """Problem details as RFC 9457 defines them, for the OpenAPI document."""

    type: str
    title: str
    status: int
    detail: str = ""
    instance: str = ""
    errors: tuple[FieldError, ...] = ()
    trace_id: str = ""


class BadRequest(Problem):
    """The request could not be read: malformed JSON, an impossible parameter, a bad header."""

    status, slug, title = 400, "bad-request", "The request cannot be read"


class InvalidInput(Problem):
    """The request was read but a value does not fit; ``errors`` names each by JSON pointer."""

    status, slug, title = 400, "invalid-input", "Some of the input is not valid"


class Unauthenticated(Problem):
    """Sign in at ``POST /api/v1/sessions`` and send ``Authorization: Bearer <access_token>``."""

    status, slug, title = 401, "unauthenticated", "Sign in first"

    def __init__(self, detail: str = "", **options: Any) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="insula"'}, **options)


class TokenExpired(Unauthenticated):
    """The access token has expired or was revoked: get another at ``POST /sessions/refresh``."""

    status, slug, title = 401, "token-expired", "The access token is no longer valid"


class Forbidden(Problem):
    """You are signed in, but your role does not carry the scope that this needs."""

    status, slug, title = 403, "forbidden", "You may not do this"


class WrongTenant(Problem):
    """The token belongs to another tenant than the host or the ``Insula-Tenant`` header names."""

    status, slug, title = 403, "wrong-tenant", "This token belongs to another tenant"


class NotFound(Problem):
    """There is nothing here, or nothing that you may see."""

    status, slug, title = 404, "not-found", "Not found"


class MethodNotAllowed(Problem):
    """The resource exists but not with this method; ``Allow`` lists those it has."""

    status, slug, title = 405, "method-not-allowed", "Method not allowed"


class NotAcceptable(Problem):
    """None of the media types in ``Accept`` can be produced."""

    status, slug, title = 406, "not-acceptable", "Not acceptable"


class RequestTimeout(Problem):
    """The body did not arrive in time; send it in one go, and not slower than 16 kB a second."""

    status, slug, title = 408, "request-timeout", "The body did not arrive in time"

    def __init__(self) -> None:
        super().__init__(headers={"Connection": "close"})


class Conflict(Problem):
    """The request contradicts the present state."""

    status, slug, title = 409, "conflict", "This contradicts the present state"


class PreconditionFailed(Problem):
    """``If-Match`` names a version that is no longer the current one: read, merge, try again."""

    status, slug, title = 412, "precondition-failed", "Somebody else changed this meanwhile"


class ContentTooLarge(Problem):
    """The body is larger than this route takes."""

    status, slug, title = 413, "content-too-large", "The body is too large"


class UnsupportedMediaType(Problem):
    """Send JSON with ``Content-Type: application/json``, or what the route documents."""

    status, slug, title = 415, "unsupported-media-type", "Unsupported media type"


class PreconditionRequired(Problem):
    """Send ``If-Match`` with the ``ETag`` of the version that you are changing."""

    status, slug, title = 428, "precondition-required", "If-Match is required"


class TooManyRequests(Problem):
    """Slow down; ``Retry-After`` says for how many seconds."""

    status, slug, title = 429, "too-many-requests", "Too many requests"


class Unavailable(Problem):
    """A part of the installation is down or busy; try again shortly."""

    status, slug, title = 503, "unavailable", "Temporarily unavailable"
