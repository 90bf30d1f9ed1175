"""WordPress eXtended RSS (WXR 1.2), as WordPress exports and imports it.

Read in two passes, since what is attached to a post comes anywhere in the file. XML is not
believed: a document type, and with it entities and everything that they can do, is refused.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape, quoteattr

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from insula_tenants.blog.feeds import xml_text
from insula_tenants.blog.formats.items import (
    Comment,
    Entry,
    FormatError,
    Item,
    Skipped,
    checked,
    moment,
)
from insula_tenants.blog.schemas import Status, Verdict

_DEPTH = 50
_META = "_insula_markdown"
"""The field in which an article's Markdown travels beside its HTML."""
_ID = "_insula_id"
"""The field in which a comment's id travels: those of WXR are numbers."""
_STATUS: dict[str, Status] = {"publish": "published", "future": "scheduled"}
_WRITTEN = {"published": "publish", "scheduled": "future"}
_VERDICT: dict[str, Verdict] = {"1": "approved", "0": "pending", "spam": "spam"}


class _Blog:
    """What posts refer to."""

    def __init__(self) -> None:
        self.emails: dict[str, str] = {}
        """Of authors, by login."""
        self.attachments: dict[str, str] = {}
        """Addresses of attached files, by number."""


def read(file: BinaryIO) -> Iterator[Entry]:
    """The posts of an export, and why what else is in it is left out.

    Raises:
        FormatError: it is no WXR, or it is made to harm.
    """
    blog = _Blog()
    seen = False
    for name, element in _elements(file, ("author", "item")):
        seen = True
        if name == "author":
            blog.emails[_text(element, "author_login")] = _text(element, "author_email")
        elif _text(element, "post_type") == "attachment":
            blog.attachments[_text(element, "post_id")] = _text(element, "attachment_url")
    if not seen:
        raise FormatError("There is neither an author nor a post in it: this is no WXR.")
    file.seek(0)
    for _, element in _elements(file, ("item",)):
        yield _entry(element, blog)


def _elements(file: BinaryIO, wanted: tuple[str, ...]) -> Iterator[tuple[str, Element]]:
    """The elements of these names, complete; they are forgotten afterwards."""
    depth = 0
    ancestors: list[Element] = []
    try:
        for event, element in iterparse(file, events=("start", "end"), forbid_dtd=True):
            if event == "start":
                depth += 1
                ancestors.append(element)
                if depth > _DEPTH:
                    raise FormatError(f"Its elements are nested deeper than {_DEPTH}.")
                continue
            depth -= 1
            ancestors.pop()
            if depth == 2:
                if (name := _local(element)) in wanted:
                    yield name, element
                ancestors[-1].remove(element)
    except DefusedXmlException as error:
        raise FormatError("It declares a document type or entities, which are not read.") from error
    except ParseError as error:
        raise FormatError(f"It is no XML that can be read: {error}") from error
    except (LookupError, ValueError) as error:  # an encoding that nobody knows
        raise FormatError(f"It is no XML that can be read: {error}") from error


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: Element, name: str, space: str = "") -> str:
    for child in element:
        if _local(child) == name and space in child.tag:
            return child.text or ""
    return ""


def _entry(element: Element, blog: _Blog) -> Entry:
    guid = _text(element, "guid") or _text(element, "link") or _text(element, "post_id")
    source, title = f"wordpress:{guid}"[:1000], _text(element, "title")
    kind, status = _text(element, "post_type"), _text(element, "status")
    if kind not in ("post", ""):
        return Skipped(source=source, title=title, reason=f"is a {kind}, no post")
    if status in ("trash", "auto-draft"):
        return Skipped(source=source, title=title, reason=f"has the status {status!r}")
    return checked(_item(element, blog, source, title, status))


def _item(element: Element, blog: _Blog, source: str, title: str, status: str) -> Item:
    meta = dict(_meta(element, "postmeta"))
    login = _text(element, "creator")
    published = moment(_text(element, "post_date_gmt")) or moment(_text(element, "post_date"))
    markdown = meta.pop(_META, None)
    hidden = status == "private" or bool(_text(element, "post_password"))
    article_status: Status = "draft" if hidden else _STATUS.get(status, "draft")
    return Item(
        source=source,
        own_id=source.removeprefix("wordpress:"),
        title=title,
        body=_text(element, "encoded", "content/") if markdown is None else markdown,
        format="html" if markdown is None else "markdown",
        summary=_text(element, "encoded", "excerpt/"),
        slug=_text(element, "post_name"),
        old_slugs=tuple(v for n, v in _meta(element, "postmeta") if n == "_wp_old_slug"),
        tags=tuple(_tags(element)),
        status=article_status if published else "draft",
        published_at=published if article_status != "draft" else None,
        created=published,
        updated=moment(_text(element, "post_modified_gmt")),
        email=blog.emails.get(login, ""),
        author=login,
        comments_open=_text(element, "comment_status") != "closed",
        cover_url=blog.attachments.get(meta.get("_thumbnail_id", "")) or meta.get("_insula_cover"),
        custom={name: value for name, value in meta.items() if not name.startswith("_")},
        comments=tuple(_comments(element, source)),
        warnings=("it was not public, and is a draft now",) if hidden else (),
    )


def _meta(element: Element, name: str) -> Iterator[tuple[str, str]]:
    for child in element:
        if _local(child) == name:
            yield _text(child, "meta_key"), _text(child, "meta_value")


def _tags(element: Element) -> Iterator[str]:
    for child in element:
        if _local(child) == "category" and child.get("nicename") != "uncategorized" and child.text:
            yield child.text


def _comments(element: Element, source: str) -> Iterator[Comment]:
    for child in element:
        if _local(child) != "comment" or _text(child, "comment_type") not in ("", "comment"):
            continue
        status = _VERDICT.get(_text(child, "comment_approved"))
        if status is None:  # in the trash
            continue
        parent = _text(child, "comment_parent")
        yield Comment(
            source=f"{source}#comment-{_text(child, 'comment_id')}",
            parent=f"{source}#comment-{parent}" if parent not in ("", "0") else "",
            own_id=dict(_meta(child, "commentmeta")).get(_ID, ""),
            name=_text(child, "comment_author"),
            email=_text(child, "comment_author_email"),
            body=_text(child, "comment_content"),
            status=status,
            created=moment(_text(child, "comment_date_gmt")),
        )


# Writing

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:excerpt="http://wordpress.org/export/1.2/excerpt/"
 xmlns:content="http://purl.org/rss/1.0/modules/content/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:wp="http://wordpress.org/export/1.2/">
<channel>
"""
_TAIL = "</channel>\n</rss>\n"


def _tag(name: str, text: object, attributes: str = "") -> str:
    return f"<{name}{attributes}>{escape(xml_text(str(text)))}</{name}>\n"


def head(title: str, url: str, authors: Iterable[tuple[str, str, str]]) -> str:
    """The beginning of an export; authors are login, e-mail address and name."""
    parts = [
        _HEAD, _tag("title", title), _tag("link", url), _tag("wp:wxr_version", "1.2"),
        _tag("generator", "Insula"),
    ]  # fmt: skip
    for login, email, name in authors:
        inner = (
            _tag("wp:author_login", login)
            + _tag("wp:author_email", email)
            + _tag("wp:author_display_name", name)
        )
        parts.append(f"<wp:author>\n{inner}</wp:author>\n")
    return "".join(parts)


def tail() -> str:
    return _TAIL


def write(item: Item, html: str, number: int) -> str:
    """One post; ``html`` is what WordPress shows, and the Markdown it was made of goes beside."""
    published = item.published_at or item.created or datetime.now(UTC)
    parts = [
        "<item>\n",
        _tag("title", item.title),
        _tag("pubDate", format_datetime(published)),
        _tag("dc:creator", item.author),
        _tag("guid", item.source or item.own_id, ' isPermaLink="false"'),
        _tag("content:encoded", item.body if item.format == "html" else html),
        _tag("excerpt:encoded", item.summary),
        _tag("wp:post_id", number),
        _tag("wp:post_date_gmt", _stamp(published)),
        _tag("wp:post_modified_gmt", _stamp(item.updated or published)),
        _tag("wp:comment_status", "open" if item.comments_open else "closed"),
        _tag("wp:post_name", item.slug),
        _tag("wp:status", _WRITTEN.get(item.status, "draft")),
        _tag("wp:post_parent", 0),
        _tag("wp:post_type", "post"),
        _tag("wp:post_password", ""),
        *(
            _tag("category", tag, f' domain="post_tag" nicename={quoteattr(xml_text(tag))}')
            for tag in item.tags
        ),
        *_written_meta(item),
        *(_written_comment(comment) for comment in item.comments),
        "</item>\n",
    ]
    return "".join(parts)


def _written_meta(item: Item) -> Iterator[str]:
    meta: list[tuple[str, Any]] = list(item.custom.items())
    meta += [("_wp_old_slug", slug) for slug in item.old_slugs]
    if item.format == "markdown":
        meta.append((_META, item.body))
    if item.cover_url:
        meta.append(("_insula_cover", item.cover_url))
    for key, value in meta:
        inner = _tag("wp:meta_key", key) + _tag("wp:meta_value", value)
        yield f"<wp:postmeta>\n{inner}</wp:postmeta>\n"


def _written_comment(comment: Comment) -> str:
    approved = {"approved": "1", "pending": "0", "rejected": "0"}.get(comment.status, "spam")
    inner = (
        _tag("wp:comment_id", comment.source)
        + _tag("wp:comment_author", comment.name)
        + _tag("wp:comment_author_email", comment.email)
        + _tag("wp:comment_date_gmt", _stamp(comment.created or datetime.now(UTC)))
        + _tag("wp:comment_content", comment.body)
        + _tag("wp:comment_approved", approved)
        + _tag("wp:comment_type", "comment")
        + _tag("wp:comment_parent", comment.parent or "0")
        + "<wp:commentmeta>\n"
        + _tag("wp:meta_key", _ID)
        + _tag("wp:meta_value", comment.own_id)
        + "</wp:commentmeta>\n"
    )
    return f"<wp:comment>\n{inner}</wp:comment>\n"


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
