"""Front matter: the YAML block between two ``---`` lines at the very start of a file.

A file's text is always ``front matter + body``, byte for byte: the front matter is kept as it was
written (byte order mark, fences, comments, line ends), and only read beside that.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from insula.markdown.front_matter_yaml import (
    Entry,
    FrontMatterError,
    NotProperties,
    read_entries,
)
from insula.markdown.tags import clean_tag, distinct

FRONT_MATTER_LIMIT = 65_536
"""Characters; a longer block is taken for a part of the body."""

_OPEN = re.compile("\ufeff?---[ \t]*(?:\r\n|\n|\r)")
_CLOSE = re.compile(r"(?:(?<=\n)|(?<=\r))---[ \t]*(?:\r\n|\n|\r|\Z)")


class Block(msgspec.Struct, frozen=True):
    """Where things stand in a front matter: ``text[start:end]`` lies between the fences."""

    text: str
    start: int
    end: int
    entries: tuple[Entry, ...] = ()
    problem: str = ""
    """Why there are no entries."""

    @property
    def yaml(self) -> str:
        return self.text[self.start : self.end]


class Properties(msgspec.Struct, frozen=True, kw_only=True):
    """What the front matter says about its note."""

    title: str = ""
    tags: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    created: datetime | None = None
    updated: datetime | None = None
    warning: str = ""
    """Why the block could not be read; nothing in it counts then."""


def split_text(text: str) -> tuple[str, str]:
    """The front matter (empty where there is none) and the body, which together are ``text``.

    Two rulers around plain words are no front matter: the block holds properties, or comments, or
    what was meant as properties and is broken.
    """
    block = find_block(text[: FRONT_MATTER_LIMIT + 1])
    if block is None or (block.text == text[: FRONT_MATTER_LIMIT + 1] != text):
        start = 1 if text.startswith("\ufeff") else 0
        return text[:start], text[start:]
    return block.text, text[len(block.text) :]


def find_block(text: str) -> Block | None:
    """The block that ``text`` starts with."""
    opened = _OPEN.match(text)
    closed = _CLOSE.search(text, opened.end()) if opened else None
    if opened is None or closed is None:
        return None
    entries: tuple[Entry, ...] = ()
    problem = ""
    try:
        entries = tuple(read_entries(text[opened.end() : closed.start()]))
    except NotProperties:
        return None
    except FrontMatterError as error:
        problem = str(error)
    return Block(text[: closed.end()], opened.end(), closed.start(), entries, problem)


def read_properties(front_matter: str) -> Properties:
    """Read what ``split_text`` split off. Never fails: ``warning`` says what is wrong."""
    block = find_block(front_matter)
    if block is None or block.problem:
        return Properties(warning=block.problem if block else "")
    entries = {entry.key: entry for entry in block.entries}
    title = _values(entries, "title")
    return Properties(
        title=title[0] if len(title) == 1 else "",
        tags=distinct(_tags(entries, "tags", "tag")),
        aliases=tuple(_values(entries, "aliases", "alias")),
        created=_time(entries, "created", "created_at"),
        updated=_time(entries, "updated", "modified", "updated_at"),
    )


def _values(entries: dict[str, Entry], *keys: str) -> list[str]:
    for key in keys:
        if key in entries:
            return [" ".join(value.split()) for value in entries[key].values if value.strip()]
    return []


def _tags(entries: dict[str, Entry], *keys: str) -> Iterator[str]:
    entry = next((entries[key] for key in keys if key in entries), None)
    if entry:
        written = entry.values if entry.is_list else re.split(r"[\s,]+", " ".join(entry.values))
        yield from (tag for tag in map(clean_tag, written) if tag)


def _time(entries: dict[str, Entry], *keys: str) -> datetime | None:
    for written in _values(entries, *keys):
        try:
            moment = datetime.fromisoformat(written)
            return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None
