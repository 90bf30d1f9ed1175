"""What a module says of the things that it lets people search for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute

CALLER = "caller_id"
"""Conditions may compare with ``bindparam(CALLER)``: the caller's user id, NULL for a visitor."""


@dataclass(frozen=True, kw_only=True)
class Only:
    """Callers without ``unless`` find only the rows where ``where`` holds."""

    where: ColumnElement[bool]
    unless: str
    """A scope of the module."""


@dataclass(frozen=True, kw_only=True)
class SearchSource:
    """One kind of thing that ``GET /api/v1/search`` finds, in rows of one table.

    The table has a column ``search``, made by :func:`insula.search.searchable`::

        SearchSource(
            kind="blog.article",
            key=Article.id,
            title=Article.title,
            text=Article.body,
            right=PUBLIC,
            url="/api/v1/blog/articles/{slug}",
            slug=Article.slug,
            where=Article.deleted_at.is_(None),
            only=(Only(where=Article.status == "published", unless="blog:write"),),
        )
    """

    kind: str
    """``<module>.<thing>``, as in the names of events."""
    key: InstrumentedAttribute[UUID]
    title: Any
    """A text expression on the row; shown whole."""
    text: Any
    """A text expression on the row; results show the piece of it that matches."""
    right: str
    """Who may find any at all: a scope of the module, ``SIGNED_IN`` or ``PUBLIC``."""
    url: str
    """Where the thing is read, with ``{id}`` and ``{slug}`` to be filled in."""
    slug: Any = None
    """A text expression on the row, for ``{slug}``."""
    where: ColumnElement[bool] | None = None
    """Which rows there are to be found: not deleted ones, for instance."""
    only: Sequence[Only] = ()
    boost: float = 1.0
    """How much a match here counts against other kinds."""
    languages: Sequence[str] = ("en",)
    """In which languages the rows are indexed, as tags that ``searchable`` was given or that its
    language column can hold."""

    @property
    def vector(self) -> Any:
        """The column that is searched."""
        return self.key.class_.search

    @property
    def table(self) -> Any:
        return self.key.class_.__table__
