"""``/dev/mail``: captured mail, for the developer at this machine. Mounted only where mail is
captured, and answers only to a browser that is on the machine and knows it (so that no web site
reads it by rebinding its name)."""

import re
from collections.abc import Iterable
from html import escape
from typing import Annotated, Any, Final

from litestar import Request, Response, Router, get
from litestar.params import PathParameter

from insula.access import PUBLIC
from insula.http.problem import NotFound
from insula.mail.captured import Captured, CapturedMail

_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_MAIL_POLICY: Final = f"sandbox; {_POLICY}"
_LOCAL = re.compile(r"(([a-z0-9-]+\.)*localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?", re.IGNORECASE)
_LOOPBACK: Final = ("127.", "::1")
_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em }
iframe { width: 100%; height: 30em; border: 1px solid #999 } td, th { text-align: start;
padding: 0.2em 1em 0.2em 0 } pre { white-space: pre-wrap; background: #8881; padding: 1em }
"""
Name = Annotated[str, PathParameter(pattern=r"^[0-9a-f-]{36}$")]
Asking = Request[Any, Any, Any]


def dev_mail(captured: CapturedMail) -> Router:
    """The page's routes."""

    @get("/", right=PUBLIC, tenantless=True)
    async def messages(request: Asking) -> Response[str]:
        """The newest hundred."""
        _require_local(request)
        return _html("Captured mail", _table(await captured.list()))

    @get("/messages", right=PUBLIC, tenantless=True)
    async def messages_as_json(request: Asking) -> list[Captured]:
        """The same for a program: end-to-end tests read their mail here."""
        _require_local(request)
        return await captured.list()

    @get("/{name:str}", right=PUBLIC, tenantless=True)
    async def message(name: Name, request: Asking) -> Response[str]:
        """One message: HTML, plain text, source."""
        return _html("Captured mail", _message(await _one(captured, name, request)))

    @get("/{name:str}/html", right=PUBLIC, tenantless=True)
    async def message_html(name: Name, request: Asking) -> Response[str]:
        """Its HTML part, for the frame."""
        mail = await _one(captured, name, request)
        headers = {"content-security-policy": _MAIL_POLICY}
        return Response(mail.html, media_type="text/html", headers=headers)

    return Router(
        path="/dev/mail",
        route_handlers=[messages, messages_as_json, message, message_html],
        include_in_schema=False,
    )


async def _one(captured: CapturedMail, name: str, request: Asking) -> Captured:
    _require_local(request)
    found = await captured.find(name)
    if found is None:
        raise NotFound
    return found


def _require_local(request: Asking) -> None:
    peer = request.client.host if request.client else ""
    host = request.headers.get("host", "")
    forwarded = "x-forwarded-for" in request.headers
    if forwarded or not peer.startswith(_LOOPBACK) or not _LOCAL.fullmatch(host):
        raise NotFound


def _table(mails: Iterable[Captured]) -> str:
    rows = "".join(
        f'<tr><td>{escape(mail.date)}<td>{escape(mail.to)}<td><a href="/dev/mail/{mail.id}">'
        f"{escape(mail.subject) or '(no subject)'}</a>"
        for mail in mails
    )
    if not rows:
        return "<p>Nothing yet. What Insula would send is shown here instead.</p>"
    return f"<table><tr><th>Date<th>To<th>Subject{rows}</table>"


def _message(mail: Captured) -> str:
    return (
        '<p><a href="/dev/mail">All captured mail</a></p>'
        f"<h1>{escape(mail.subject)}</h1><p>To {escape(mail.to)}, {escape(mail.date)}</p>"
        f'<iframe sandbox src="/dev/mail/{mail.id}/html" title="HTML"></iframe>'
        f"<h2>Plain text</h2><pre>{escape(mail.text)}</pre>"
        f"<details><summary>Source</summary><pre>{escape(mail.source)}</pre></details>"
    )


def _html(title: str, body: str) -> Response[str]:
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style><body>{body}</body></html>"
    )
    headers = {"content-security-policy": _POLICY}
    return Response(page, media_type="text/html", headers=headers)
