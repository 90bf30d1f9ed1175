"""What is computed when something is written: safe HTML, and slugs."""

import re
import secrets
from collections.abc import Iterator
from unicodedata import normalize

from insula.markdown.html import clean_html, html_of
from insula.markdown.tags import clean_tag, distinct

SLUG_LIMIT = 100
_RESERVED = frozenset({"feed"})
"""What the RealWorld API calls by the same path as an article."""
_BLOCK = re.compile(
    r"</?(?:address|article|aside|blockquote|details|div|dl|dd|dt|figure|figcaption|footer|form|"
    r"h[1-6]|header|hr|li|ol|p|pre|section|table|tbody|td|tfoot|th|thead|tr|ul|!--)\b|<!--",
    re.IGNORECASE,
)


def render(body: str, format: str) -> str:
    """Safe HTML of a body, whatever is in it."""
    if format == "html":
        return clean_html(body if _has_blocks(body) else _paragraphs(body))
    return html_of(body)


def _has_blocks(body: str) -> bool:
    return re.search(r"<(?:p\b|!-- wp:)", body, re.IGNORECASE) is not None


def _paragraphs(body: str) -> str:
    """Blank lines as paragraphs and line breaks as such, as WordPress shows its classic posts."""
    parts = (part.strip() for part in re.split(r"\n[ \t]*\n", body.replace("\r\n", "\n")))
    return "\n".join(
        part if _BLOCK.match(part) else "<p>" + part.replace("\n", "<br>\n") + "</p>"
        for part in parts
        if part
    )


def tags_of(written: list[str]) -> list[str]:
    """Every tag once, as it was first written."""
    return list(distinct(tag for tag in map(clean_tag, written) if tag))


def slug_of(title: str) -> str:
    """A title as a part of an address: ASCII letters and digits, in lower case."""
    plain = normalize("NFKD", title.casefold().replace("ß", "ss")).encode("ascii", "ignore")
    slug = re.sub(r"[^a-z0-9]+", "-", plain.decode().replace("'", "")).strip("-")
    if len(slug) > SLUG_LIMIT:
        slug = slug[: SLUG_LIMIT + 1].rpartition("-")[0] or slug[:SLUG_LIMIT]
    return slug or "article"


def candidates(slug: str) -> Iterator[str]:
    """The slug and what may stand for it, if it is taken; the last ones are surely free."""
    if slug not in _RESERVED:
        yield slug
    yield from (f"{slug}-{number}" for number in range(2, 6))
    yield from (f"{slug}-{secrets.token_hex(5)}" for _ in range(3))


def excerpt(html: str, limit: int = 280) -> str:
    """The beginning of a text, without markup, cut at a word."""
    text = " ".join(re.sub(r"<[^>]*>", " ", html[: limit * 20]).split())
    text = re.sub(r"&(?:amp|lt|gt|quot|#39|nbsp);", _unescape, text)
    if len(text) <= limit:
        return text
    return (text[: limit - 1].rpartition(" ")[0] or text[: limit - 1]) + "…"


_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&nbsp;": " "}


def _unescape(found: re.Match[str]) -> str:
    return _ENTITIES[found[0]]
