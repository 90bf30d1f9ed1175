"""Front matter: the YAML block between two ``---`` lines at the very start of a file.

A file's text is always ``front matter + body``, byte for byte: the front matter is kept as it was
written (byte order mark, fences, comments, line ends), and only read beside that.

The block is read as a stream of YAML events of which the few known properties are taken. Nothing
is constructed, so aliases can't multiply and types can't surprise: ``title: 007`` is "007".
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Protocol

import msgspec
import yaml

from insula_tenants.notes.tags import clean_tag, distinct

FRONT_MATTER_LIMIT = 65_536
"""Characters; a longer block is taken for a part of the body."""
_DEPTH = 32
_VALUES_LIMIT = 1_000

_OPEN = re.compile("\ufeff?---[ \t]*(?:\r\n|\n|\r)")
_CLOSE = re.compile(r"(?:(?<=\n)|(?<=\r))---[ \t]*(?:\r\n|\n|\r|\Z)")
_NOTHING = {"", "~", "null", "Null", "NULL"}


class FrontMatterError(ValueError):
    """The block can't be read as properties; the message says where and why."""


class Block(msgspec.Struct, frozen=True):
    """Where things stand in a front matter: ``text[start:end]`` lies between the fences."""

    text: str
    start: int
    end: int
    entries: "tuple[Entry, ...]" = ()
    problem: str = ""
    """Why there are no entries."""

    @property
    def yaml(self) -> str:
        return self.text[self.start : self.end]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A property of the block; positions count from the block's start."""

    key: str
    values: tuple[str, ...]
    """The scalars in it: one for ``title: x``, none for a null or for what nests deeper."""
    is_list: bool
    start: int
    end: int
    column: int
    """Of the value."""
    multiline: bool
    """The value is a block list or a block scalar instead of a part of its key's line."""


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
    except _NotProperties:
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


class _NotProperties(FrontMatterError):
    """Sound YAML, but not a mapping."""


def read_entries(block: str) -> Iterator[Entry]:
    """The properties of a block in order, keys in lower case.

    Raises:
        FrontMatterError: it is no YAML mapping, or one that uses aliases or nests absurdly.
    """
    try:
        yield from _mapping(_Events(block))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        raise FrontMatterError(f"line {line}: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise FrontMatterError(" ".join(str(error).split())) from error


class _Events:
    """libyaml's events with a look at the next one; refuses what could cost or surprise."""

    def __init__(self, block: str) -> None:
        self._events: Iterator[yaml.Event] = yaml.parse(block, Loader=yaml.CBaseLoader)
        self._depth = 0

    def take(self) -> yaml.Event:
        event = next(self._events)
        if isinstance(event, yaml.AliasEvent):
            raise FrontMatterError(f"{_place(event)}: aliases are not supported")
        self._depth += isinstance(event, yaml.CollectionStartEvent)
        self._depth -= isinstance(event, yaml.CollectionEndEvent)
        if self._depth > _DEPTH:
            raise FrontMatterError(f"nested more than {_DEPTH} deep")
        return event


def _mapping(events: _Events) -> Iterator[Entry]:
    events.take()  # start of the stream
    event = events.take()
    if isinstance(event, yaml.StreamEndEvent):
        return
    top = events.take()
    if not isinstance(top, yaml.MappingStartEvent):
        raise _NotProperties("not a list of properties")
    while not isinstance(key := events.take(), yaml.MappingEndEvent):
        if not isinstance(key, yaml.ScalarEvent):
            raise FrontMatterError(f"{_place(key)}: a key that is not a word")
        yield _entry(key.value.strip().lower(), events)
    events.take()  # end of the document
    if not isinstance(events.take(), yaml.StreamEndEvent):
        raise FrontMatterError("more than one YAML document")


def _entry(key: str, events: _Events) -> Entry:
    value = events.take()
    start, end = _span(value)
    if isinstance(value, yaml.ScalarEvent):
        values, stop = _scalar(value), end.index
        multiline = value.style in ("|", ">")
    else:
        values, stop = _collection(events)
        multiline = not (isinstance(value, yaml.CollectionStartEvent) and value.flow_style)
    return Entry(
        key=key,
        values=tuple(values) if not isinstance(value, yaml.MappingStartEvent) else (),
        is_list=isinstance(value, yaml.SequenceStartEvent),
        start=start.index,
        end=stop,
        column=start.column,
        multiline=multiline,
    )


def _collection(events: _Events) -> tuple[list[str], int]:
    """The scalars directly in a collection, and where its last sign stands.

    A block's end has no width and lies behind the comments and blank lines that follow it.
    """
    values: list[str] = []
    depth, stop = 1, 0
    while depth:
        event = events.take()
        start, end = _span(event)
        if isinstance(event, yaml.ScalarEvent):
            stop = end.index
            if depth == 1 and len(values) < _VALUES_LIMIT:
                values += _scalar(event)
        elif end.index > start.index:
            stop = end.index
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
    return values, stop


class _Mark(Protocol):
    index: int
    line: int
    column: int


def _span(event: yaml.Event) -> tuple[_Mark, _Mark]:
    if event.start_mark is None or event.end_mark is None:
        raise FrontMatterError("the parser gives no positions")
    return event.start_mark, event.end_mark


def _place(event: yaml.Event) -> str:
    return f"line {_span(event)[0].line + 2}"


def _scalar(event: yaml.ScalarEvent) -> list[str]:
    nothing = not event.style and event.value in _NOTHING
    return [] if nothing else [event.value]
