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
from collections.abc import Mapping
from typing import Annotated, Any, Generic, Self, TypeVar, cast
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

import msgspec
from litestar import Request
from msgspec import Meta
from sqlalchemy import Integer, bindparam, tuple_
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import InstrumentedAttribute

from insula.db import Statement, Work
from insula.http.exchange import exchange_of
from insula.http.list_query import (
    Cursor,
    Filter,
    ListQuery,
    NullsLast,
    Wanted,
    filter_on,
    unpack,
)
from insula.search.question import tsquery_of

T = TypeVar("T")

_MAX_SHAPES = 512


class Page(msgspec.Struct, Generic[T]):
    """Some of the items of a list, and the cursors of the pages beside it."""

    items: list[T]
    next: Annotated[str, Meta(examples=["lKpjcmVhdGVkX2F0wg"])] | None = None
    """The `cursor` of the following page; null on the last one."""
    prev: Annotated[str, Meta(examples=["lKpjcmVhdGVkX2F0ww"])] | None = None
    """The `cursor` of the page before; null on the first one."""


class Listing(Generic[T]):
    """A list that can be paged through. The selected columns are the fields of ``into``; sort
    columns are among them, and where one can be NULL it is a :class:`NullsLast`; ``key`` is
    unique."""

    def __init__(
        self,
        base: Any,
        into: type[T],
        *,
        key: InstrumentedAttribute[UUID],
        sort: Mapping[str, InstrumentedAttribute[Any] | NullsLast],
        default: str,
        filters: Mapping[str, Any] | None = None,
        search: InstrumentedAttribute[Any] | None = None,
        languages: tuple[str, ...] = ("en",),
    ) -> None:
        """``languages`` are those that the column ``search`` was made with."""
        self._base = base
        self._into = into
        self._key = key
        self.sort = dict(sort)
        self.default = default
        self.filters = {
            name: item if isinstance(item, Filter) else filter_on(item)
            for name, item in (filters or {}).items()
        }
        self.search = search
        self._languages = languages
        self.fields = tuple(field.name for field in msgspec.structs.fields(cast(Any, into)))
        self._reader = ListQuery(
            sort=self.sort,
            default=default,
            filters=self.filters,
            fields=self.fields,
            has_search=search is not None,
        )
        self._shapes: dict[Any, Statement[T]] = {}
        self._statement((default.startswith("-"), default.removeprefix("-"), False, (), False))

    def __deepcopy__(self, memo: object) -> Self:
        """Litestar copies whatever a route names, twice, and a list names the tables that it reads:
        copying those took half of the time that a server needs to start."""
        return self

    async def page(self, tx: Work, request: Request[Any, Any, Any], **params: Any) -> Page[T]:
        """The page that the request's query asks for; ``params`` fill the base statement.

        Raises:
            InvalidInput: a parameter is unknown or does not fit.
        """
        wanted = self.read(request.scope["query_string"].decode("latin-1"))
        page = await self.fetch(tx, wanted, **params)
        if link := link_header(_target(request), page):
            exchange_of(request.scope).extra.append((b"link", link.encode("latin-1")))
        return page

    def read(self, query_string: str) -> Wanted:
        """What a query string asks for.

        Raises:
            InvalidInput: a parameter is unknown or does not fit.
        """
        return self._reader.read(query_string)

    async def fetch(self, tx: Work, wanted: Wanted, **params: Any) -> Page[T]:
        """The page that is wanted; ``params`` fill the base statement."""
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
            values["query"] = await tsquery_of(tx, wanted.query, self._languages)
        statement = self._statement(shape)
        rows = await tx.many(statement, **params, **values, page_limit=wanted.limit + 1)
        return self._assemble(rows, wanted, backwards)

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
        sorted_by, select = self.sort[sort], self._base
        column = sorted_by.expression if isinstance(sorted_by, NullsLast) else sorted_by
        for index, (name, operator) in enumerate(filters):
            known = self.filters[name]
            value = bindparam(f"filter_{index}", type_=known.kind)
            select = select.where(known.condition(operator, value))
        if query:
            match = bindparam("query", type_=TSQUERY)
            select = select.where(self.search.op("@@")(match))  # type: ignore[union-attr]
        if after:
            here = tuple_(column, self._key)
            there = tuple_(
                bindparam("after_value", type_=sorted_by.type),
                bindparam("after_key", type_=self._key.type),
            )
            select = select.where(here < there if descending else here > there)
        order = (column.desc(), self._key.desc()) if descending else (column, self._key)
        return select.order_by(*order).limit(bindparam("page_limit", type_=Integer))

    # Putting the page together

    def _assemble(self, rows: list[T], wanted: Wanted, backwards: bool) -> Page[T]:
        more = len(rows) > wanted.limit
        rows = rows[: wanted.limit]
        if backwards:
            rows.reverse()
        first_page = wanted.cursor is None
        page: Page[Any] = Page(items=rows)
        if rows:
            if more or backwards:
                page.next = self.cursor(rows[-1], wanted.sort, backwards=False)
            if (more and backwards) or (not backwards and not first_page):
                page.prev = self.cursor(rows[0], wanted.sort, backwards=True)
        if wanted.fields:
            page.items = [{name: getattr(row, name) for name in wanted.fields} for row in rows]
        return page

    def cursor(self, row: Any, sort: str, *, backwards: bool) -> str:
        """The place of a row in the list: what follows it, or what lies before."""
        name = sort.removeprefix("-")
        value, sorted_by = getattr(row, name), self.sort[name]
        if value is None and isinstance(sorted_by, NullsLast):
            value = sorted_by.standin
        packed = msgspec.msgpack.encode(Cursor(sort, backwards, value, getattr(row, self._key.key)))
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @staticmethod
    def turned(cursor: str, *, backwards: bool) -> str:
        """The same place, read in this direction; what is no cursor stays what it is."""
        try:
            place = msgspec.msgpack.decode(unpack(cursor), type=Cursor)
        except (ValueError, msgspec.MsgspecError):
            return cursor
        packed = msgspec.msgpack.encode(msgspec.structs.replace(place, backwards=backwards))
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")


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
