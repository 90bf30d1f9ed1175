"""The query string of a list: read, checked, every fault told at once."""

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec
from sqlalchemy import Boolean, ColumnElement, any_, func, literal
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute

from insula.http.problem import FieldError, InvalidInput
from insula.i18n import say

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
_OPERATORS: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "eq": lambda column, value: column == value,
    "ne": lambda column, value: column != value,
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
}
_RESERVED = frozenset({"limit", "cursor", "sort", "q", "fields"})


class Filter(msgspec.Struct, frozen=True):
    """What ``?name=value`` compares with, and by which operators."""

    column: Any
    operators: tuple[str, ...] = tuple(_OPERATORS)

    def condition(self, operator: str, value: Any) -> ColumnElement[bool]:
        if isinstance(self.column.type, ARRAY):
            return value == any_(self.column)  # type: ignore[no-any-return]
        return _OPERATORS[operator](self.column, value)

    @property
    def kind(self) -> Any:
        """The SQL type of one value."""
        kind = self.column.type
        return kind.item_type if isinstance(kind, ARRAY) else kind


class NullsLast(msgspec.Struct, frozen=True):
    """A sort column that may be NULL: ``standin`` takes its place, a value behind all others. (In
    the reverse order, NULL comes first.)"""

    column: Any
    standin: Any

    @property
    def type(self) -> Any:
        return self.column.type

    @property
    def expression(self) -> ColumnElement[Any]:
        return func.coalesce(self.column, literal(self.standin, self.column.type))


class Cursor(msgspec.Struct, array_like=True, frozen=True):
    sort: str
    backwards: bool
    value: Any
    key: UUID


class Wanted(msgspec.Struct, frozen=True):
    """A list request, read and checked."""

    limit: int
    sort: str
    cursor: Cursor | None
    filters: tuple[tuple[str, str], ...]
    """(name, operator), sorted: the shape."""
    values: tuple[Any, ...]
    query: str
    fields: tuple[str, ...]

    @property
    def descending(self) -> bool:
        return self.sort.startswith("-")

    @property
    def column(self) -> str:
        return self.sort.removeprefix("-")


class ListQuery:
    """Reads query strings for one list: what it can be sorted by, filtered by and cut down to."""

    def __init__(
        self,
        *,
        sort: Mapping[str, InstrumentedAttribute[Any] | NullsLast],
        default: str,
        filters: Mapping[str, Filter],
        fields: tuple[str, ...],
        has_search: bool,
    ) -> None:
        self.sort = sort
        self.default = default
        self.filters = filters
        self.fields = fields
        self.has_search = has_search

    def read(self, query_string: str) -> Wanted:
        errors: list[FieldError] = []
        pairs = parse_qsl(query_string, keep_blank_values=True)
        plain: dict[str, str] = {}
        filters: dict[tuple[str, str], str] = {}
        for name, value in pairs:
            if name in _RESERVED:
                if name in plain:
                    errors.append(FieldError(f"?{name}", "is given twice"))
                plain[name] = value
                continue
            field, operator = _split_operator(name)
            known = self.filters.get(field)
            if known is None or operator not in known.operators:
                errors.append(FieldError(f"?{name}", self._hint()))
            elif (field, operator) in filters:
                errors.append(FieldError(f"?{name}", "is given twice"))
            else:
                filters[field, operator] = value
        wanted = self._wanted(plain, filters, errors)
        if errors:
            raise InvalidInput(errors=tuple(errors))
        return wanted

    def _wanted(
        self,
        plain: dict[str, str],
        filters: dict[tuple[str, str], str],
        errors: list[FieldError],
    ) -> Wanted:
        shape = tuple(sorted(filters))
        values = tuple(
            self._value(name, operator, filters[name, operator], errors) for name, operator in shape
        )
        sort = plain.get("sort", self.default)
        if sort.removeprefix("-") not in self.sort:
            errors.append(
                FieldError("?sort", say("must be one of {sort}", sort=", ".join(self.sort)))
            )
            sort = self.default
        if (query := plain.get("q", "")) and not self.has_search:
            errors.append(FieldError("?q", "this list has no full-text search"))
        return Wanted(
            limit=_read_limit(plain.get("limit"), errors),
            sort=sort,
            cursor=self._read_cursor(plain.get("cursor"), sort, errors),
            filters=shape,
            values=values,
            query=query[:500],
            fields=self._read_fields(plain.get("fields"), errors),
        )

    def _hint(self) -> str:
        known = ", ".join(self.filters) or "none"
        return f"no such filter; there are {known}, with [gt], [gte], [lt], [lte], [ne]"

    def _value(self, name: str, operator: str, text: str, errors: list[FieldError]) -> Any:
        try:
            return _convert(text, self.filters[name].kind.python_type)
        except (ValueError, msgspec.ValidationError):
            label = name if operator == "eq" else f"{name}[{operator}]"
            errors.append(FieldError(f"?{label}", _expected(self.filters[name].kind.python_type)))
            return None

    def _read_fields(self, text: str | None, errors: list[FieldError]) -> tuple[str, ...]:
        if text is None:
            return ()
        names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
        if unknown := [name for name in names if name not in self.fields]:
            known = ", ".join(self.fields)
            errors.append(
                FieldError(
                    "?fields",
                    say("no {unknown}; there are {known}", unknown=", ".join(unknown), known=known),
                )
            )
        return names

    def _read_cursor(self, text: str | None, sort: str, errors: list[FieldError]) -> Cursor | None:
        if text is None:
            return None
        kind = self.sort[sort.removeprefix("-")].type.python_type
        try:
            cursor = msgspec.msgpack.decode(unpack(text), type=Cursor)
            if cursor.sort != sort:
                errors.append(
                    FieldError("?cursor", say("was made with sort={sort}", sort=cursor.sort))
                )
                return None
            value = msgspec.convert(cursor.value, kind, strict=False)
            if isinstance(value, str) and "\0" in value:
                raise ValueError(value)
        except (ValueError, msgspec.MsgspecError, binascii.Error):
            errors.append(FieldError("?cursor", "is not a cursor that this list has given out"))
            return None
        return msgspec.structs.replace(cursor, value=value)


def filter_on(column: InstrumentedAttribute[Any]) -> Filter:
    equal_only = isinstance(column.type, ARRAY | Boolean)
    return Filter(column, ("eq",) if equal_only else tuple(_OPERATORS))


def _split_operator(name: str) -> tuple[str, str]:
    if name.endswith("]") and "[" in name:
        field, _, operator = name[:-1].partition("[")
        return field, operator
    return name, "eq"


def _read_limit(text: str | None, errors: list[FieldError]) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_LIMIT:
        return int(text)
    errors.append(
        FieldError("?limit", say("must be a number from 1 to {max_limit}", max_limit=MAX_LIMIT))
    )
    return DEFAULT_LIMIT


def _convert(text: str, kind: type) -> Any:
    if "\0" in text:
        raise ValueError(text)
    if kind is datetime and text.endswith((" 00:00", " 00")):  # an unescaped + in a query
        text = text.replace(" ", "+")
    value: Any = msgspec.convert(text, kind, strict=False)
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError("a time needs a zone")
    if isinstance(value, int) and abs(value) >= 1 << 31:
        raise ValueError("out of range")
    return value


def _expected(kind: type) -> str:
    names = {datetime: "a time such as 2026-01-31T12:00:00Z", int: "a whole number",
             UUID: "a UUID", bool: "true or false"}  # fmt: skip
    return f"must be {names.get(kind, 'text')}"


def unpack(text: str) -> bytes:
    """The bytes of a cursor.

    Raises:
        ValueError: it is none (:class:`binascii.Error` is one).
    """
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_",
                            validate=True)  # fmt: skip
