"""Folders and zips of Markdown with front matter, as Hugo, Jekyll and Obsidian keep them."""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from insula.archives.folder import folder_files
from insula.archives.limits import ArchiveLimits, ArchiveRefused
from insula.archives.names import skip_reason, unsafe_reason
from insula.archives.zip_reading import zip_files
from insula.markdown.front_matter import find_block, split_text

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
from insula_tenants.blog.schemas import Format, Status

_HEADING = re.compile(r"\A\s*# +(.+?)[ #]*$", re.MULTILINE)
_DATED = re.compile(r"(\d{4}-\d\d-\d\d)-(.+)")


@contextmanager
def open_folder(source: Path | BinaryIO) -> Iterator[Iterator[Entry]]:
    """The Markdown files of a folder, a zip, or a seekable stream of one.

    Raises:
        FormatError: it is neither, or holds too much.
    """
    limits = ArchiveLimits()
    with ExitStack() as stack:
        try:
            files: Sequence[Any]
            if isinstance(source, Path) and source.is_dir():
                files = folder_files(source, limits)
            else:
                if isinstance(source, Path):
                    source = stack.enter_context(source.open("rb"))
                files = stack.enter_context(zip_files(source, limits))
        except ArchiveRefused as error:
            raise FormatError(str(error)) from error
        except OSError as error:
            raise FormatError(f"It cannot be opened: {error.strerror or error}") from error
        yield _entries(files)


def _entries(files: Sequence[Any]) -> Iterator[Entry]:
    known: set[str] = set()
    for file in files:
        source = f"markdown:{file.path}"[:1000]
        if reason := file.not_a_file or skip_reason(file.path):
            yield Skipped(source=source, reason=reason)
        elif reason := unsafe_reason(file.path) or file.refusal:
            yield Refused(source=source, reason=reason)
        elif source in known:
            yield Refused(source=source, reason="there are two files of this path")
        else:
            known.add(source)
            yield _read(file, source)


def _read(file: Any, source: str) -> Entry:
    try:
        content, modified = file.read()
        text = content.decode("utf-8-sig")
    except OSError as error:
        return Refused(source=source, reason=error.strerror or str(error))
    except UnicodeDecodeError as error:
        return Refused(source=source, reason=f"is not UTF-8 (byte {error.start})")
    front_matter, body = split_text(text.replace("\r\n", "\n"))
    return checked(_item(source, file.path, _Properties(front_matter), body, modified))


class _Properties:
    """Front matter by the names that blogs use."""

    def __init__(self, front_matter: str) -> None:
        block = find_block(front_matter) if front_matter else None
        self.problem = block.problem if block is not None else ""
        entries = block.entries if block is not None else ()
        self.values = {entry.key: entry.values for entry in entries}

    def one(self, *names: str) -> str:
        return next((self.values[name][0] for name in names if self.values.get(name)), "")

    def all(self, *names: str) -> list[str]:
        return [value for name in names for value in self.values.get(name, ())]

    def is_true(self, name: str, otherwise: bool) -> bool:
        said = self.one(name).lower()
        return said in ("true", "yes", "on") if said else otherwise


_KNOWN = frozenset(
    "title slug date created created_at publishdate published_at updated updated_at lastmod "
    "modified expirydate unpublish_at description summary excerpt tags tag categories draft "
    "published status author author_email image cover cover_image featured_image aliases "
    "canonical_url canonicalurl comments format meta_title meta_description layout id".split()
)


def _item(source: str, path: str, said: _Properties, body: str, modified: datetime | None) -> Item:
    stem = PurePosixPath(path).stem
    if stem == "index":  # a page bundle of Hugo's
        stem = PurePosixPath(path).parent.name or stem
    dated = _DATED.fullmatch(stem)  # Jekyll's
    published = moment(said.one("publishdate", "published_at", "date")) or (
        moment(dated[1]) if dated else None
    )
    heading = _HEADING.search(body)
    title = said.one("title") or (heading[1] if heading else "") or stem
    format: Format = "html" if said.one("format") == "html" else "markdown"
    return Item(
        source=source,
        own_id=said.one("id"),
        title=title,
        body=body.lstrip("\n"),
        format=format,
        summary=said.one("summary", "description", "excerpt"),
        slug=said.one("slug") or (dated[2] if dated else stem),
        old_slugs=tuple(alias.strip("/").rpartition("/")[2] for alias in said.all("aliases")),
        tags=tuple(said.all("tags", "tag", "categories")),
        status=_status(said, published),
        published_at=published,
        unpublish_at=moment(said.one("expirydate", "unpublish_at")),
        created=moment(said.one("created", "created_at")) or published or modified,
        updated=moment(said.one("updated", "updated_at", "lastmod", "modified")) or modified,
        email=said.one("author_email"),
        author=said.one("author"),
        comments_open=said.is_true("comments", True),
        cover_url=said.one("cover", "cover_image", "image", "featured_image"),
        meta_title=said.one("meta_title"),
        meta_description=said.one("meta_description"),
        canonical_url=said.one("canonical_url", "canonicalurl"),
        custom={n: v[0] for n, v in said.values.items() if n not in _KNOWN and len(v) == 1},
        warnings=(f"front matter not understood: {said.problem}",) if said.problem else (),
    )


def _status(said: _Properties, published: datetime | None) -> Status:
    draft = said.is_true("draft", False) or not said.is_true("published", True)
    if draft or published is None or said.one("status") == "draft":
        return "draft"
    return "scheduled" if published > datetime.now(UTC) else "published"


# Writing


def path_of(item: Item) -> str:
    """Where the article goes: to where it came from, else to a file named after its slug."""
    return item.source or f"{item.slug}.md"


def write(item: Item) -> str:
    """The file: front matter and text."""
    lines: list[tuple[str, Any]] = [
        ("id", item.own_id), ("title", item.title), ("slug", item.slug),
        ("date", iso(item.published_at)),
        ("created", iso(item.created)), ("updated", iso(item.updated)),
        ("unpublish_at", iso(item.unpublish_at)), ("draft", item.status == "draft"),
        ("author", item.author), ("author_email", item.email), ("summary", item.summary),
        ("tags", list(item.tags)), ("aliases", [f"/{slug}" for slug in item.old_slugs]),
        ("cover", item.cover_url), ("meta_title", item.meta_title),
        ("meta_description", item.meta_description), ("canonical_url", item.canonical_url),
        ("format", "html" if item.format == "html" else ""),
        ("comments", "" if item.comments_open else "false"),
    ]  # fmt: skip
    lines += [(_key(n), v) for n, v in item.custom.items() if n.lower() not in _KNOWN]
    worth = [(name, value) for name, value in lines if value not in ("", None, [])]
    said = "".join(f"{name}: {_yaml(value)}\n" for name, value in worth)
    return f"---\n{said}---\n\n{item.body}"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][\w-]*", name, re.ASCII) else _quoted(name)


def _yaml(value: Any) -> str:
    """A flow scalar or list: JSON's strings are YAML's."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(_yaml(each) for each in value) + "]"
    text = str(value)
    return text if re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]+Z|true|false", text) else _quoted(text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    signs = (sign if sign.isprintable() else f"\\U{ord(sign):08x}" for sign in escaped)
    return '"' + "".join(signs) + '"'
