"""The properties in a block of YAML: what is written, and where.

The block is read as a stream of YAML events of which properties are taken. Nothing is constructed,
so aliases can't multiply and types can't surprise: ``title: 007`` is "007".
"""

from collections.abc import Iterator
from typing import Protocol

import msgspec
import yaml

_DEPTH = 32
_VALUES_LIMIT = 1_000
_NOTHING = {"", "~", "null", "Null", "NULL"}


class FrontMatterError(ValueError):
    """The block can't be read as properties; the message says where and why."""


class NotProperties(FrontMatterError):
    """Sound YAML, but not a mapping."""


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
    """libyaml's events, without those that could cost or surprise."""

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
        raise NotProperties("not a list of properties")
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
