"""Connections (Relay's cursor specification) over the lists that REST has."""

import re
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

import strawberry

from insula.graphql.context import Context, Info
from insula.graphql.fields import Guard
from insula.http.list_query import DEFAULT_LIMIT, MAX_LIMIT, Wanted
from insula.http.listing import Listing
from insula.http.problem import FieldError, InvalidInput

T = TypeVar("T")
_OPERATORS = ("eq", "ne", "gt", "gte", "lt", "lte")
_CAPITAL = re.compile(r"[A-Z]")


@strawberry.type(description="Where in the list a page lies.")
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type(description="An item of a list, and its place there.")
class Edge(Generic[T]):
    cursor: str
    node: T


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    page_info: PageInfo
    edges: list[Edge[T]]

    @strawberry.field(description="The items, for who needs no cursors.")  # type: ignore[untyped-decorator]
    def nodes(self) -> list[T]:
        return [edge.node for edge in self.edges]


@strawberry.input(description="Only items whose `field` compares so with `value`.")
class Filter:
    field: str
    value: str
    is_: str = strawberry.field(
        name="is", default="eq", description=f"One of {', '.join(_OPERATORS)}."
    )


def connection(
    listing: Listing[Any],
    node: Any,
    *,
    right: str,
    params: Callable[[Context, Any], dict[str, Any]] = lambda context, root: {},
    description: str = "",
) -> Any:
    """A field that pages through a :class:`~insula.http.listing.Listing`, whose rows are given out
    as nodes of a type. ``params`` fills the list's statement, from who asks and from the thing
    whose field this is."""

    async def resolve(
        root: strawberry.Parent[Any],
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        sort: str | None = None,
        q: str | None = None,
        filter: list[Filter] | None = None,
    ) -> Any:
        asked = _Asked(listing, first, after, last, before, sort or listing.default)
        wanted = asked.wanted(q, filter or [])
        return await asked.answer(info.context, wanted, params(info.context, root))

    resolve.__annotations__["return"] = Connection[node]

    hints = [f"`sort` is one of {', '.join(listing.sort)}, with `-` in front to reverse it."]
    if listing.filters:
        hints.append(f"`filter` knows {', '.join(listing.filters)}.")
    words = " ".join([description, *hints]).strip()
    return strawberry.field(resolver=resolve, extensions=[Guard(right)], description=words)


class _Asked:
    """A page as a client asks for it: ``first`` items ``after`` a cursor, or the ``last`` ones
    ``before`` it."""

    def __init__(
        self,
        listing: Listing[Any],
        first: int | None,
        after: str | None,
        last: int | None,
        before: str | None,
        sort: str,
    ) -> None:
        if (first is not None or after is not None) and (last is not None or before is not None):
            raise _fault("/first", "goes with after, last with before; not both")
        self._listing = listing
        self._backwards = last is not None or before is not None
        self._size = _size("/last", last) if self._backwards else _size("/first", first)
        self._cursor = before if self._backwards else after
        self._sort = _snake(sort)

    @property
    def _from_end(self) -> bool:
        return self._backwards and self._cursor is None

    def wanted(self, q: str | None, filters: list[Filter]) -> Wanted:
        return self._listing.read(urlencode(list(self._query(q, filters))))

    async def answer(self, context: Context, wanted: Wanted, params: dict[str, Any]) -> Any:
        page = await self._listing.fetch(context.tx, wanted, **params)
        items = page.items[::-1] if self._from_end else page.items
        edges = [
            Edge(cursor=self._listing.cursor(item, self._sort, backwards=False), node=item)
            for item in items
        ]
        more, less = page.next is not None, page.prev is not None
        if self._from_end:
            more, less = False, more
        return Connection(
            page_info=PageInfo(
                has_next_page=more,
                has_previous_page=less,
                start_cursor=edges[0].cursor if edges else None,
                end_cursor=edges[-1].cursor if edges else None,
            ),
            edges=edges,
        )

    def _query(self, q: str | None, filters: list[Filter]) -> Any:
        sort = self._sort
        if self._from_end:  # the first ones the other way round
            sort = sort[1:] if sort.startswith("-") else f"-{sort}"
        yield "limit", str(self._size)
        yield "sort", sort
        if self._cursor is not None:
            yield "cursor", self._listing.turned(self._cursor, backwards=self._backwards)
        if q:
            yield "q", q
        for each in filters:
            if each.is_ not in _OPERATORS:
                raise _fault("/filter/is", f"must be one of {', '.join(_OPERATORS)}")
            name = _snake(each.field)
            yield (name if each.is_ == "eq" else f"{name}[{each.is_}]"), each.value


def _size(pointer: str, asked: int | None) -> int:
    if asked is None:
        return DEFAULT_LIMIT
    if not 1 <= asked <= MAX_LIMIT:
        raise _fault(pointer, f"must be a number from 1 to {MAX_LIMIT}")
    return asked


def _fault(pointer: str, detail: str) -> InvalidInput:
    return InvalidInput(errors=(FieldError(pointer, detail),))


def _snake(name: str) -> str:
    """``createdAt`` as REST has it; what is written so already stays."""
    return _CAPITAL.sub(lambda found: f"_{found[0].lower()}", name)
