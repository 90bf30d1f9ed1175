"""The pages that the ``type`` of a problem leads to."""

import json
from html import escape

from insula.http.docs.page import frame, text
from insula.http.openapi.problems import document_of
from insula.http.openapi.schemas import plain_text
from insula.http.problem import KINDS, TYPE_BASE, Problem


def index_page() -> str:
    """Every kind of problem, by status."""
    kinds = sorted(KINDS.values(), key=lambda kind: (kind.status, kind.slug))
    rows = "".join(
        f'<tr><td class="status">{kind.status}</td>'
        f'<td><a href="{TYPE_BASE}{kind.slug}">{escape(kind.slug)}</a></td>'
        f"<td>{escape(kind.title)}</td></tr>"
        for kind in kinds
    )
    lead = (
        '<p class="lead">Insula says no in one shape: a problem document (RFC 9457) of media type '
        "<code>application/problem+json</code>. Its <code>type</code> leads to one of these.</p>"
    )
    return frame("Problem types", _NAVIGATION, f"<h2>Problem types</h2>{lead}<table>{rows}</table>")


def problem_page(kind: type[Problem]) -> str:
    """What this problem means and what to do about it."""
    example = escape(json.dumps(document_of(kind), indent=2, ensure_ascii=False))
    body = (
        f'<h2>{escape(kind.title)}</h2><p class="lead"><code>{escape(kind.slug)}</code>, '
        f"status {kind.status}</p>{text(plain_text(kind.__doc__ or ''))}"
        f"<h3>Example</h3><pre><code>{example}</code></pre>"
    )
    return frame(kind.title, _NAVIGATION, body)


_NAVIGATION = (
    '<ul><li><a href="/docs">The API</a></li>'
    '<li><a href="/docs/problems">Problem types</a></li>'
    '<li><a href="/openapi.json">openapi.json</a></li></ul>'
)
