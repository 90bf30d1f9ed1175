"""An article on its way in or out, whatever the format."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from insula_tenants.blog.schemas import BODY_LIMIT, Format, Status, Verdict

TITLE_LIMIT = 300
COMMENT_LIMIT = 20_000


class FormatError(Exception):
    """The source as a whole cannot be read; the message says why."""


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    """A comment of an item."""

    source: str
    parent: str = ""
    """The ``source`` of the comment that it answers."""
    own_id: str = ""
    """Its id, where it comes from an Insula."""
    name: str = ""
    email: str = ""
    body: str
    status: Verdict = "approved"
    created: datetime | None = None


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An article."""

    source: str
    """What identifies it where it comes from: importing it again changes the same article."""
    own_id: str = ""
    """Its id, where it comes from an Insula."""
    title: str
    body: str
    format: Format = "markdown"
    summary: str = ""
    slug: str = ""
    old_slugs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    status: Status = "draft"
    published_at: datetime | None = None
    unpublish_at: datetime | None = None
    created: datetime | None = None
    updated: datetime | None = None
    email: str = ""
    """Its author's."""
    author: str = ""
    comments_open: bool = True
    cover_url: str | None = None
    meta_title: str | None = None
    meta_description: str | None = None
    canonical_url: str | None = None
    custom: dict[str, Any] = {}
    comments: tuple[Comment, ...] = ()
    warnings: tuple[str, ...] = ()


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is no article."""

    source: str
    title: str = ""
    reason: str


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Something that should have been an article and cannot be; the others go on."""

    source: str
    title: str = ""
    reason: str


Entry = Item | Skipped | Refused


def checked(item: Item) -> Entry:
    """The item within the bounds that an article has."""
    if len(item.body) > BODY_LIMIT:
        reason = f"its text has more than {BODY_LIMIT:,} characters"
        return Refused(source=item.source, title=item.title[:TITLE_LIMIT], reason=reason)
    warnings = list(item.warnings)
    title = " ".join(clean(item.title).split())[:TITLE_LIMIT] or "Untitled"
    if len(clean(item.title)) > TITLE_LIMIT:
        warnings.append(f"the title was cut after {TITLE_LIMIT} characters")
    custom = {name[:100]: clean(str(value))[:5000] for name, value in item.custom.items()}
    return msgspec.structs.replace(
        item,
        title=title,
        body=clean(item.body),
        summary=clean(item.summary)[:2000],
        cover_url=address(item.cover_url),
        canonical_url=address(item.canonical_url),
        meta_title=_short(item.meta_title),
        meta_description=_short(item.meta_description),
        custom=dict(list(custom.items())[:50]),
        tags=tuple(clean(tag) for tag in item.tags[:100]),
        comments=tuple(_comment(comment) for comment in item.comments if comment.body.strip()),
        warnings=tuple(warnings),
    )


def _comment(comment: Comment) -> Comment:
    return msgspec.structs.replace(
        comment, body=clean(comment.body)[:COMMENT_LIMIT], name=clean(comment.name)[:200]
    )


def _short(text: str | None) -> str | None:
    return clean(text)[:300] if text else None


def clean(text: str) -> str:
    """What PostgreSQL can store of a text."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def address(url: str | None) -> str | None:
    """A web address, or nothing."""
    if not url or not url.startswith(("http://", "https://")) or len(url) > 2000:
        return None
    return None if any(sign in url for sign in ' \t\r\n<>"\0') else url


def moment(text: str) -> datetime | None:
    """A time in ISO 8601 or as databases write it; in UTC where it has no zone."""
    text = text.strip()
    if not text or text.startswith("0000"):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        return None


def iso(time: datetime | None) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if time else ""
