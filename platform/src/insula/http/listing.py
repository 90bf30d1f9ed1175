"""Lists: keyset pages, sorting, allow-listed filters, full text and sparse fields.

A module declares a :class:`Listing` once::

    NOTES = Listing(
        select(Note.id, Note.title, Note.created_at),
        NoteLine,
        key=Note.id,
        sort={"created_at": Note.created_at, "title": Note.title},
        default="-created_at",
        filters={"created_at": Note.created_at, "tag": Note.tags},
        search=Note.search,
    )

    @get("/", right=READ, listing=NOTES)
    async def list_notes(request: Request, tx: Work) -> Page[NoteLine]:
        return await NOTES.page(tx, request)

Each combination of filters and order is compiled once and kept.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar, cast
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

import msgspec
from litestar import Request
from msgspec import Meta
from sqlalchemy import Boolean, ColumnElement, Integer, bindparam, func, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute

from insula.db import Statement, Work
from insula.http.exchange import exchange_of
from insula.http.problem import FieldError, InvalidInput

T = TypeVar("T")

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
_MAX_SHAPES = 512
_OPERATORS: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "eq": lambda column, value: column == value,
    "ne": lambda column, value: column != value,
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
}
_RESERVED = frozenset({"limit", "cursor", "sort", "q", "fields"})


class Page(msgspec.Struct, Generic[T]):
    """Some of the items of a list, and the cursors of the pages beside it."""

    items: list[T]
    next: Annotated[str, Meta(examples=["lKpjcmVhdGVkX2F0wg"])] | None = None
    """The `cursor` of the following page; null on the last one."""
    prev: Annotated[str, Meta(examples=["lKpjcmVhdGVkX2F0ww"])] | None = None
    """The `cursor` of the page before; null on the first one."""


class Filter(msgspec.Struct, frozen=True):
    """What ``?name=value`` compares with, and by which operators."""

    column: Any
    operators: tuple[str, ...] = tuple(_OPERATORS)

    def condition(self, operator: str, value: Any) -> ColumnElement[bool]:
        if isinstance(self.column.type, ARRAY):
            return self.column.any(value)  # type: ignore[no-any-return]
        return _OPERATORS[operator](self.column, value)

    @property
    def kind(self) -> Any:
        """The SQL type of one value."""
        kind = self.column.type
        return kind.item_type if isinstance(kind, ARRAY) else kind


class _Cursor(msgspec.Struct, array_like=True, frozen=True):
    sort: str
    backwards: bool
    value: Any
    key: UUID


class _Wanted(msgspec.Struct, frozen=True):
    """A list request, read and checked."""

    limit: int
    sort: str
    cursor: _Cursor | None
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


class Listing(Generic[T]):
    """A list that can be paged through. The selected columns are the fields of ``into``; sort
    columns are among them and never NULL; ``key`` is unique."""

    def __init__(
        self,
        base: Any,
        into: type[T],
        *,
        key: InstrumentedAttribute[UUID],
        sort: Mapping[str, InstrumentedAttribute[Any]],
        default: str,
        filters: Mapping[str, Any] | None = None,
        search: InstrumentedAttribute[Any] | None = None,
    ) -> None:
        self._base = base
        self._into = into
        self._key = key
        self.sort = dict(sort)
        self.default = default
        self.filters = {
            name: item if isinstance(item, Filter) else _filter_on(item)
            for name, item in (filters or {}).items()
        }
        self.search = search
        self.fields = tuple(field.name for field in msgspec.structs.fields(cast(Any, into)))
        self._shapes: dict[Any, Statement[T]] = {}
        self._statement((default.startswith("-"), default.removeprefix("-"), False, (), False))

    async def page(self, tx: Work, request: Request[Any, Any, Any], **params: Any) -> Page[T]:
        """The page that the request's query asks for; ``params`` fill the base statement.

        Raises:
            InvalidInput: a parameter is unknown or does not fit.
        """
        wanted = self._read(request.scope["query_string"].decode("latin-1"))
        cursor = wanted.cursor
        backwards = cursor is not None and cursor.backwards
        shape = (
            wanted.descending != backwards,
            wanted.column,
            cursor is not None,
            wanted.filters,
            bool(wanted.query),
        )
        values = {f"filter_{index}": value for index, value in enumerate(wanted.values)}
        if cursor is not None:
            values |= {"after_value": cursor.value, "after_key": cursor.key}
        if wanted.query:
            values["query"] = wanted.query
        statement = self._statement(shape)
        rows = await tx.many(statement, **params, **values, page_limit=wanted.limit + 1)
        page = self._assemble(rows, wanted, backwards)
        if link := link_header(_target(request), page):
            exchange_of(request.scope).extra.append((b"link", link.encode("latin-1")))
        return page

    # Reading the query

    def _read(self, query_string: str) -> _Wanted:
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
    ) -> _Wanted:
        shape = tuple(sorted(filters))
        values = tuple(
            self._value(name, operator, filters[name, operator], errors) for name, operator in shape
        )
        sort = plain.get("sort", self.default)
        if sort.removeprefix("-") not in self.sort:
            errors.append(FieldError("?sort", f"must be one of {', '.join(self.sort)}"))
            sort = self.default
        if (query := plain.get("q", "")) and self.search is None:
            errors.append(FieldError("?q", "this list has no full-text search"))
        return _Wanted(
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
            errors.append(FieldError("?fields", f"no {', '.join(unknown)}; there are {known}"))
        return names

    def _read_cursor(self, text: str | None, sort: str, errors: list[FieldError]) -> _Cursor | None:
        if text is None:
            return None
        kind = self.sort[sort.removeprefix("-")].type.python_type
        try:
            cursor = msgspec.msgpack.decode(_unpack(text), type=_Cursor)
            if cursor.sort != sort:
                errors.append(FieldError("?cursor", f"was made with sort={cursor.sort}"))
                return None
            value = msgspec.convert(cursor.value, kind, strict=False)
            if isinstance(value, str) and "\0" in value:
                raise ValueError(value)
        except (ValueError, msgspec.MsgspecError, binascii.Error):
            errors.append(FieldError("?cursor", "is not a cursor that this list has given out"))
            return None
        return msgspec.structs.replace(cursor, value=value)

    # Building the statement

    def _statement(self, shape: Any) -> Statement[T]:
        statement = self._shapes.get(shape)
        if statement is None:
            if len(self._shapes) >= _MAX_SHAPES:
                self._shapes.clear()
            statement = self._shapes[shape] = Statement(self._compose(*shape), self._into)
        return statement

    def _compose(
        self,
        descending: bool,
        sort: str,
        after: bool,
        filters: tuple[tuple[str, str], ...],
        query: bool,
    ) -> Any:
        column, select = self.sort[sort], self._base
        for index, (name, operator) in enumerate(filters):
            known = self.filters[name]
            value = bindparam(f"filter_{index}", type_=known.kind)
            select = select.where(known.condition(operator, value))
        if query:
            match = func.websearch_to_tsquery("english", bindparam("query"))
            select = select.where(self.search.op("@@")(match))  # type: ignore[union-attr]
        if after:
            here = tuple_(column, self._key)
            there = tuple_(
                bindparam("after_value", type_=column.type),
                bindparam("after_key", type_=self._key.type),
            )
            select = select.where(here < there if descending else here > there)
        order = (column.desc(), self._key.desc()) if descending else (column, self._key)
        return select.order_by(*order).limit(bindparam("page_limit", type_=Integer))

    # Putting the page together

    def _assemble(self, rows: list[T], wanted: _Wanted, backwards: bool) -> Page[T]:
        more = len(rows) > wanted.limit
        rows = rows[: wanted.limit]
        if backwards:
            rows.reverse()
        first_page = wanted.cursor is None
        page: Page[Any] = Page(items=rows)
        if rows:
            if more or backwards:
                page.next = self._cursor(rows[-1], wanted.sort, backwards=False)
            if (more and backwards) or (not backwards and not first_page):
                page.prev = self._cursor(rows[0], wanted.sort, backwards=True)
        if wanted.fields:
            page.items = [{name: getattr(row, name) for name in wanted.fields} for row in rows]
        return page

    def _cursor(self, row: Any, sort: str, *, backwards: bool) -> str:
        value = getattr(row, sort.removeprefix("-"))
        packed = msgspec.msgpack.encode(
            _Cursor(sort, backwards, value, getattr(row, self._key.key))
        )
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _filter_on(column: InstrumentedAttribute[Any]) -> Filter:
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
    errors.append(FieldError("?limit", f"must be a number from 1 to {MAX_LIMIT}"))
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


def _unpack(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_",
                            validate=True)  # fmt: skip


def _target(request: Request[Any, Any, Any]) -> str:
    query: str = request.scope["query_string"].decode("latin-1")
    return f"{request.scope['path']}?{query}"


def link_header(url: str, page: Page[Any]) -> str:
    """``Link`` (RFC 8288) to the pages beside this one."""
    path, _, query = url.partition("?")
    others = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "cursor"]
    links = []
    for relation, cursor in (("next", page.next), ("prev", page.prev)):
        if cursor is not None:
            links.append(f'<{path}?{urlencode([*others, ("cursor", cursor)])}>; rel="{relation}"')
    return ", ".join(links)
