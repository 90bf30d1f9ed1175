"""Ghost's JSON export and import (``db[0].data``: posts, tags, users and what joins them)."""

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

import msgspec

from insula_tenants.blog.formats.items import (
    Entry,
    FormatError,
    Item,
    Refused,
    Skipped,
    checked,
    iso,
    moment,
)
from insula_tenants.blog.schemas import Status

SIZE_LIMIT = 64 << 20
"""Bytes: JSON is read whole."""
_HERE = "__GHOST_URL__"
_Row = dict[str, Any]


def read(file: BinaryIO) -> Iterator[Entry]:
    """The posts of an export.

    Raises:
        FormatError: it is none, or too large.
    """
    content = file.read(SIZE_LIMIT + 1)
    if len(content) > SIZE_LIMIT:
        raise FormatError(f"It has more than {SIZE_LIMIT:,} bytes.")
    try:
        tables = _tables(msgspec.json.decode(content))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise FormatError(f"It is no JSON that can be read: {error}") from error
    joined = _Joined(tables)
    for post in _rows(tables, "posts"):
        yield _entry(post, joined)


def _tables(document: Any) -> _Row:
    root = document["db"][0] if _is_list(document, "db") else document
    data = root.get("data") if isinstance(root, dict) else None
    if not isinstance(data, dict) or not isinstance(data.get("posts"), list):
        raise FormatError("There are no posts in `db[0].data`: this is no export of Ghost.")
    return cast(_Row, data)


def _is_list(document: Any, key: str) -> bool:
    found = document.get(key) if isinstance(document, dict) else None
    return isinstance(found, list) and bool(found)


def _rows(tables: _Row, name: str) -> list[_Row]:
    found = tables.get(name)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


class _Joined:
    """What belongs to a post, by its id."""

    def __init__(self, tables: _Row) -> None:
        tags = {str(tag.get("id")): tag for tag in _rows(tables, "tags")}
        users = {str(user.get("id")): user for user in _rows(tables, "users")}
        self.users = users
        self.meta = {str(row.get("post_id")): row for row in _rows(tables, "posts_meta")}
        self.tags: dict[str, list[str]] = defaultdict(list)
        for row in sorted(_rows(tables, "posts_tags"), key=_order):
            name = _string(tags.get(str(row.get("tag_id")), {}), "name")
            if name and not name.startswith("#"):  # those are Ghost's internal ones
                self.tags[str(row.get("post_id"))].append(name)
        self.authors: dict[str, _Row] = {}
        for row in sorted(_rows(tables, "posts_authors"), key=_order):
            user = users.get(str(row.get("author_id")))
            if user is not None:
                self.authors.setdefault(str(row.get("post_id")), user)


def _order(row: _Row) -> int:
    order = row.get("sort_order")
    return order if isinstance(order, int) else 0


def _string(row: _Row, name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""


def _time(row: _Row, name: str) -> datetime | None:
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool):  # Ghost before 1.0: milliseconds
        try:
            return datetime.fromtimestamp(value / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            return None
    return moment(value) if isinstance(value, str) else None


def _entry(post: _Row, joined: _Joined) -> Entry:
    key = str(post.get("id") or "")
    source = f"ghost:{_string(post, 'uuid') or key}"[:1000]
    title = _string(post, "title")
    if source == "ghost:":
        return Refused(source=source, title=title, reason="has no id")
    if _string(post, "type") == "page" or post.get("page") in (1, True):
        return Skipped(source=source, title=title, reason="is a page, no post")
    written = _body(post)
    if written is None:
        return Refused(source=source, title=title, reason="has neither HTML nor Markdown nor text")
    return checked(_item(post, joined, key, source, title, written))


def _item(
    post: _Row, joined: _Joined, key: str, source: str, title: str, written: tuple[str, Any, str]
) -> Item:
    body, format, warning = written
    meta = joined.meta.get(key, post)
    user = joined.authors.get(key) or joined.users.get(str(post.get("author_id"))) or {}
    warnings = [warning] if warning else []
    image = _string(post, "feature_image")
    if image.startswith(_HERE):
        warnings.append("its cover lies on the old server and was left out")
    status: Status = "draft"
    published = _time(post, "published_at")
    if _string(post, "status") in ("published", "scheduled", "sent") and published is not None:
        status = "scheduled" if _string(post, "status") == "scheduled" else "published"
    return Item(
        source=source,
        own_id=source.removeprefix("ghost:"),
        title=title,
        body=body,
        format=format,
        summary=_string(post, "custom_excerpt"),
        slug=_string(post, "slug"),
        tags=tuple(joined.tags.get(key, ())),
        status=status,
        published_at=published if status != "draft" else None,
        created=_time(post, "created_at"),
        updated=_time(post, "updated_at"),
        email=_string(user, "email"),
        author=_string(user, "name"),
        cover_url=image,
        meta_title=_string(meta, "meta_title"),
        meta_description=_string(meta, "meta_description"),
        canonical_url=_string(post, "canonical_url"),
        warnings=tuple(warnings),
    )


def _body(post: _Row) -> tuple[str, str, str] | None:
    """Text, its format, and what was lost."""
    if markdown := _markdown_card(_string(post, "mobiledoc")):
        return markdown, "markdown", ""
    if html := _string(post, "html"):
        return re.sub(_HERE, "", html), "html", ""
    if markdown := _string(post, "markdown"):  # Ghost before 1.0
        return markdown, "markdown", ""
    if text := _string(post, "plaintext"):
        return text, "markdown", "there was no HTML: its plain text was taken"
    is_empty = not _string(post, "lexical") and not _string(post, "mobiledoc")
    return ("", "markdown", "") if is_empty else None


def _markdown_card(mobiledoc: str) -> str:
    """The Markdown of a post that is nothing else."""
    if not mobiledoc:
        return ""
    try:
        document = msgspec.json.decode(mobiledoc)
        [[name, payload]] = document["cards"]
        [[kind, card]] = document["sections"]
    except (msgspec.DecodeError, RecursionError, TypeError, KeyError, ValueError):
        return ""
    if (kind, card) != (10, 0) or name not in ("markdown", "card-markdown"):
        return ""
    text = payload.get("markdown") if isinstance(payload, dict) else None
    return text if isinstance(text, str) else ""


# Writing


class Writer:
    """Collects what an export needs beside its posts, which are given out one by one."""

    def __init__(self) -> None:
        self._tags: dict[str, str] = {}
        self._users: dict[str, str] = {}
        self._names: list[tuple[str, str, str]] = []
        self._joins: list[_Row] = []
        self._authors: list[_Row] = []
        self._meta: list[_Row] = []
        self._count = 0

    def head(self) -> str:
        now = int(datetime.now(UTC).timestamp() * 1000)
        meta = msgspec.json.encode({"exported_on": now, "version": "5.0.0"}).decode()
        return f'{{"db":[{{"meta":{meta},"data":{{"posts":['

    def write(self, item: Item, html: str, number: int) -> str:
        """One post, and the comma that it may need before it."""
        key = f"{number:024x}"
        for order, tag in enumerate(item.tags):
            tag_id = self._tags.setdefault(tag, f"{len(self._tags) + 1:024x}")
            self._joins.append({"post_id": key, "tag_id": tag_id, "sort_order": order})
        if item.author not in self._users:
            self._users[item.author] = f"{len(self._users) + 1:024x}"
            self._names.append((self._users[item.author], item.author, item.email))
        self._authors.append(
            {"post_id": key, "author_id": self._users[item.author], "sort_order": 0}
        )
        if item.meta_title or item.meta_description:
            self._meta.append(
                {
                    "post_id": key,
                    "meta_title": item.meta_title,
                    "meta_description": item.meta_description,
                }
            )
        self._count += 1
        comma = "," if self._count > 1 else ""
        return comma + msgspec.json.encode(_post(item, html, key)).decode()

    def tail(self) -> str:
        rest = {
            "tags": [{"id": key, "name": name} for name, key in self._tags.items()],
            "posts_tags": self._joins,
            "users": [{"id": key, "name": n, "email": email} for key, n, email in self._names],
            "posts_authors": self._authors,
            "posts_meta": self._meta,
        }
        return "]," + msgspec.json.encode(rest).decode()[1:] + "}]}"


def _post(item: Item, html: str, key: str) -> _Row:
    mobiledoc = None
    if item.format == "markdown":
        card = ["markdown", {"markdown": item.body}]
        document = {"version": "0.3.1", "markups": [], "atoms": [], "cards": [card],
                    "sections": [[10, 0]]}  # fmt: skip
        mobiledoc = msgspec.json.encode(document).decode()
    return {
        "id": key,
        "uuid": item.source or item.own_id,
        "title": item.title,
        "slug": item.slug,
        "html": item.body if item.format == "html" else html,
        "mobiledoc": mobiledoc,
        "feature_image": item.cover_url,
        "type": "post",
        "status": item.status,
        "visibility": "public",
        "custom_excerpt": item.summary or None,
        "canonical_url": item.canonical_url,
        "created_at": iso(item.created),
        "updated_at": iso(item.updated),
        "published_at": iso(item.published_at) or None,
    }
