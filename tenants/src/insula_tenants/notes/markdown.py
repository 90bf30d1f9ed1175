"""The body of a note, rendered and read: what is computed once, when a note is written."""

import msgspec
from insula.markdown.dialect import render
from insula.markdown.safe_html import plain_html, safe_html

from insula_tenants.notes.outline import Outline, outline

BODY_LIMIT = 1_000_000
"""Characters of a note's body; rendering one takes well under a second."""


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A body in the forms in which it is stored, searched and shown."""

    html: str
    """Safe to put into a page; see ``safe_html`` for what clients may rely on."""
    outline: Outline
    plain: bool = False
    """The markup was too deep or too dense to render: ``html`` shows the source as it is."""


def read_markdown(body: str) -> Document:
    """Render ``body`` and read its outline. Never fails, whatever the text.

    comrak keeps the interpreter lock: about 0.1 s for a megabyte of prose, 0.3 s at worst.
    """
    rendering = render(body)
    if rendering is None:
        return Document(html=plain_html(body), outline=Outline(), plain=True)
    return Document(html=safe_html(rendering), outline=outline(rendering.markup))
