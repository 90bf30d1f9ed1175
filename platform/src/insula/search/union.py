"""The statements of one box over all modules: a branch for each kind, ranked together."""

from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import (
    Double,
    Integer,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY

from insula.db import Statement
from insula.search.marking import BEFORE, WINDOW
from insula.search.types import SearchSource

_LONGEST: Final = 200_000
"""Further on, nobody looks for the place of a match."""
_LENGTH: Final = 1  # ts_rank: divided by 1 + log(length), so that long texts do not always win


class Count(msgspec.Struct, frozen=True):
    kind: str
    count: int


class Found(msgspec.Struct, frozen=True):
    """A row that matches."""

    kind: str
    id: UUID
    title: str
    slug: str | None
    score: float
    at: int
    """Where the window begins in the text, from 1."""
    length: int
    """Of the text."""
    window: str


class Branch(msgspec.Struct, frozen=True):
    """A source as somebody sees it: under which of its restrictions."""

    source: SearchSource
    restricted: tuple[bool, ...]

    @property
    def shape(self) -> tuple[Any, ...]:
        return (self.source.kind, self.restricted)

    def conditions(self, query: Any = bindparam("query", type_=TSQUERY)) -> list[Any]:  # noqa: B008
        """What a row must fulfil to be found by a ``query`` and be seen."""
        found = [self.source.vector.op("@@")(query)]
        if self.source.where is not None:
            found.append(self.source.where)
        found += [
            only.where
            for only, applies in zip(self.source.only, self.restricted, strict=True)
            if applies
        ]
        return found


def count(branches: list[Branch]) -> Statement[Count]:
    """How many rows of each kind match."""
    parts = [
        select(literal(each.source.kind, Text).label("kind"), func.count().label("count"))
        .select_from(each.source.table)
        .where(and_(*each.conditions()))
        for each in branches
    ]
    return Statement(_union(parts), Count)


def known(branches: list[Branch]) -> Statement[str]:
    """Those of some ``words`` that are in a row of one of the kinds."""
    words = func.unnest(bindparam("words", type_=ARRAY(Text))).column_valued("word")
    lexeme = cast(func.quote_literal(words), TSQUERY)
    parts = [
        exists().select_from(each.source.table).where(*each.conditions(lexeme)) for each in branches
    ]
    return Statement(select(words).where(or_(*parts)), str)


def page(branches: list[Branch], *, after: bool) -> Statement[Found]:
    """The best matches, from the start or after a row."""
    parts = [_hits(each) for each in branches]
    hits = _union(parts).subquery("hits")
    best = select(*hits.c)
    if after:
        last = tuple_(bindparam("after_score", type_=Double), bindparam("after_id", type_=Uuid))
        best = best.where(tuple_(hits.c.score, hits.c.id) < last)
    order = (hits.c.score.desc(), hits.c.id.desc())
    limited = best.order_by(*order).limit(bindparam("page_limit", type_=Integer))
    shown: Any = limited.subquery("shown")
    text = func.left(func.coalesce(shown.c.text, ""), _LONGEST)
    place = func.regexp_instr(text, bindparam("pattern", type_=Text), 1, 1, 0, "i")
    placed = select(*shown.c, func.greatest(1, place - BEFORE).label("at")).subquery("placed")
    columns = (
        placed.c.kind, placed.c.id, placed.c.title, placed.c.slug, placed.c.score, placed.c.at,
        func.coalesce(func.length(placed.c.text), 0).label("length"),
        func.coalesce(func.substr(placed.c.text, placed.c.at, WINDOW), "").label("window"),
    )  # fmt: skip
    return Statement(select(*columns).order_by(placed.c.score.desc(), placed.c.id.desc()), Found)


def _union(parts: list[Any]) -> Any:
    return union_all(*parts) if len(parts) > 1 else parts[0]


def _hits(branch: Branch) -> Any:
    source = branch.source
    rank = func.ts_rank(source.vector, bindparam("query", type_=TSQUERY), _LENGTH)
    named = func.search_fold(source.title)
    typed = bindparam("typed", type_=Text)
    # A title that is just what was typed, or begins with it, is what people mean by it.
    bonus = case(
        (named == typed, literal_column("1.0")),
        (func.starts_with(named, typed), literal_column("0.3")),
        else_=literal_column("0.0"),
    )
    return select(
        literal(source.kind, Text).label("kind"),
        source.key.label("id"),
        func.coalesce(cast(source.title, Text), "").label("title"),
        (null() if source.slug is None else source.slug).cast(Text).label("slug"),
        cast((rank + bonus) * literal(source.boost, Double), Double).label("score"),
        source.text.label("text"),  # as it is stored, unread: cut for those that are shown only
    ).where(and_(*branch.conditions()))
