"""``/openapi.json``, ``/docs`` and ``/docs/problems``."""

from collections.abc import Iterable
from importlib.resources import files
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, Router, get

from insula.access import PUBLIC, Scope
from insula.http.docs.page import DocsPage
from insula.http.docs.problems import index_page, problem_page
from insula.http.openapi import Tag, document
from insula.http.problem import KINDS, NotFound
from insula.i18n import say

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ASSETS = files("insula.http.docs")
_STYLE = (_ASSETS / "style.css").read_bytes()
_SCRIPT = (_ASSETS / "page.js").read_bytes()


class _Documentation:
    """The document and its page, made when the first reader asks."""

    def __init__(self, tags: Iterable[Tag], scopes: Iterable[Scope]) -> None:
        self._tags, self._scopes = tuple(tags), tuple(scopes)
        self._json = b""
        self._page = ""

    def json(self, app: Litestar) -> bytes:
        self._make(app)
        return self._json

    def page(self, app: Litestar) -> str:
        self._make(app)
        return self._page

    def _make(self, app: Litestar) -> None:
        if not self._json:
            made = document(app, self._tags, self._scopes)
            self._json = msgspec.json.encode(made)
            self._page = DocsPage(made).render()


def _html(page: str) -> Response[str]:
    headers = {"content-security-policy": _POLICY}
    return Response(page, media_type="text/html", headers=headers)


def documentation(tags: Iterable[Tag], scopes: Iterable[Scope]) -> Router:
    """The routes that document everything that is mounted beside them."""
    made = _Documentation(tags, scopes)

    @get("/openapi.json", right=PUBLIC, tenantless=True)
    async def openapi_json(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The OpenAPI 3.1 document."""
        return Response(made.json(request.app), media_type="application/json")

    @get("/docs", right=PUBLIC, tenantless=True)
    async def docs(request: Request[Any, Any, Any]) -> Response[str]:
        """The document as a page."""
        return _html(made.page(request.app))

    return Router(
        path="/",
        route_handlers=[openapi_json, docs, problem_types, problem_type, style, script],
        include_in_schema=False,
    )


@get("/docs/problems", right=PUBLIC, tenantless=True, sync_to_thread=False)
def problem_types() -> Response[str]:
    """Every kind of problem."""
    return _html(index_page())


@get("/docs/problems/{slug:str}", right=PUBLIC, tenantless=True, sync_to_thread=False)
def problem_type(slug: str) -> Response[str]:
    """One kind of problem."""
    if slug not in KINDS:
        raise NotFound(say("There is no problem type '{slug}'.", slug=slug))
    return _html(problem_page(KINDS[slug]))


@get("/docs/style.css", right=PUBLIC, tenantless=True, sync_to_thread=False)
def style() -> Response[bytes]:
    """How the pages look."""
    return Response(_STYLE, media_type="text/css")


@get("/docs/page.js", right=PUBLIC, tenantless=True, sync_to_thread=False)
def script() -> Response[bytes]:
    """Filtering as one types."""
    return Response(_SCRIPT, media_type="text/javascript")
