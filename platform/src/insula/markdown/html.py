"""Markdown in, safe HTML out, for texts in which links are just links."""

from insula.markdown.dialect import render
from insula.markdown.safe_html import clean_html, plain_html, safe_html

__all__ = ["clean_html", "html_of"]


def html_of(body: str) -> str:
    """Safe HTML of a Markdown text. Never fails, whatever the text; what is too deep or too dense
    to be rendered is shown as it is written."""
    rendering = render(body, wikilinks=False)
    return plain_html(body) if rendering is None else safe_html(rendering, wikilinks=False)
