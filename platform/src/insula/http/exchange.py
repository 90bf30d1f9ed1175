"""One request as the gate knows it; what handlers may ask for by type."""

import time
from typing import Any
from uuid import UUID

import msgspec
from litestar.types import HTTPScope
from litestar.utils import normalize_path

from insula.db import Work
from insula.http.admission import Verdict
from insula.http.dialect import Dialect
from insula.http.problem import MEDIA_TYPE, Problem
from insula.i18n.catalogues import SOURCE
from insula.i18n.negotiation import negotiate
from insula.identity.tokens import Claims
from insula.tenancy.tenant import Tenant

KEY = "insula"
"""Where the exchange lies in the ASGI scope."""


class Caller(msgspec.Struct, frozen=True):
    """Who asks: a user in a session. Keys and clients join here with a ``kind`` of their own."""

    user_id: UUID
    session_id: UUID
    role: str
    scopes: frozenset[str]
    kind: str = "session"


class Exchange:
    """Everything the gate has found out about a request."""

    __slots__ = (
        "address", "answer_bytes", "body", "caller", "claims", "dialect", "extra", "headers",
        "is_operator", "method", "path", "policy", "retry", "sampled", "scope", "span_id",
        "started", "status", "tenant", "ticket", "trace_id", "user", "verdict", "work",
    )  # fmt: skip

    def __init__(self, scope: Any) -> None:
        self.scope: HTTPScope = scope
        self.method: str = scope.get("method", "GET")  # a WebSocket has none
        self.path: str = normalize_path(scope["path"])
        """As the router reads it: were ``//api`` another path here, it would pass the gate by."""
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.started = time.perf_counter()
        self.tenant: Tenant | None = None
        self.caller: Caller | None = None
        self.claims: Claims | None = None
        self.is_operator = False
        """Whether the installation's operator asks, who is nobody's user."""
        self.ticket = ""
        """What a browser sends instead of a token where it cannot send headers."""
        self.work: Work | None = None
        self.verdict: Verdict | None = None
        self.policy: Any = None
        self.address = ""
        self.user = ""
        """The caller's id as text."""
        self.trace_id = ""
        self.span_id = ""
        self.sampled = False
        self.body = b""
        self.extra: list[tuple[bytes, bytes]] = []
        """Headers that the answer gets besides its own."""
        self.status = 0
        self.answer_bytes = 0
        self.retry = False
        self.dialect: Dialect | None = None
        """How to say no, where it isn't Insula's own API that is spoken."""

    @property
    def locale(self) -> str:
        """The language of the answer: what the user has chosen, else what the client asks for,
        else the tenant's."""
        if self.claims is not None and self.claims.locale:
            return self.claims.locale
        fallback = self.tenant.locale if self.tenant is not None else SOURCE
        asked = self.header(b"accept-language")
        return negotiate(asked, fallback) if asked else fallback

    def header(self, name: bytes) -> str:
        """A request header as text; empty when it is absent. Names are lower case."""
        return self.headers.get(name, b"").decode("latin-1")


def refusal(exchange: Exchange, problem: Problem) -> tuple[int, str, bytes]:
    """Status, media type and body that tell this client about a problem."""
    dialect = exchange.dialect
    if dialect is not None:  # in English: its clients may compare what is said
        return dialect.status_of(problem.status), dialect.media_type, dialect.body(problem)
    locale = exchange.locale
    problem.localise(locale)
    problem.headers["Content-Language"] = locale
    body = problem.body(instance=exchange.path, trace_id=exchange.trace_id)
    return problem.status, MEDIA_TYPE, body


def exchange_of(scope: Any) -> Exchange:
    """The exchange of an ASGI scope that has passed the gate."""
    exchange: Exchange = scope[KEY]
    return exchange
