"""One box over all modules."""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from insula.access import PUBLIC, SIGNED_IN
from insula.db import Statement, Work
from insula.http.exchange import Caller
from insula.http.problem import FieldError, InvalidInput
from insula.i18n import say
from insula.module import Module
from insula.search import question, union
from insula.search.folding import fold
from insula.search.marking import WINDOW, Marker
from insula.search.mending import mend
from insula.search.question import Clause
from insula.search.schemas import Hit, SearchPage
from insula.search.types import CALLER, SearchSource
from insula.search.union import Branch, Count, Found
from insula.tenancy.tenant import Tenant

_WAYS: Final = ("all", "similar", "some")
_MOST_SHAPES: Final = 256


class Cursor(msgspec.Struct, array_like=True, frozen=True):
    """The last item of a page, and of what."""

    digest: bytes
    way: str
    score: float
    id: UUID


class SearchBox:
    """Searches what modules declare, for somebody who sees some of it."""

    def __init__(self, modules: Mapping[str, Module]) -> None:
        self._sources = [(name, each) for name, of in modules.items() for each in of.search]
        self._statements: dict[Any, _Statements] = {}

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """Every language that something is indexed in."""
        return tuple(sorted({tag for _, source in self._sources for tag in source.languages}))

    def visible(self, tenant: Tenant, caller: Caller | None) -> list[Branch]:
        """The kinds that somebody may find, each with the restrictions that they are under."""
        scopes = caller.scopes if caller is not None else frozenset()
        rights = {PUBLIC, *scopes} | ({SIGNED_IN} if caller is not None else set())
        return [
            Branch(source, tuple(only.unless not in scopes for only in source.only))
            for module, source in self._sources
            if module in tenant.modules and source.right in rights
        ]

    async def search(
        self,
        tx: Work,
        tenant: Tenant,
        caller: Caller | None,
        typed: str,
        *,
        kinds: Iterable[str] = (),
        limit: int = 20,
        cursor: str | None = None,
    ) -> SearchPage:
        """What matches and may be seen, the best first.

        Raises:
            InvalidInput: there is no such kind to be seen, or the cursor belongs to something else.
        """
        seen = self.visible(tenant, caller)
        wanted = _of_kinds(seen, tuple(kinds))
        after = _read_cursor(cursor, typed, wanted)
        clauses = await question.lex(tx, question.read(typed), self.languages)
        if not clauses or not wanted:
            return SearchPage([], None, {each.source.kind: 0 for each in seen}, "all")
        statements = self._of(seen, wanted)
        values = {CALLER: caller.user_id if caller else None}
        asking = _Asking(tx, clauses, values, statements)
        chosen = {each.source.kind for each in wanted}
        counts = await asking.count(chosen, after.way if after else None)
        marker = Marker(asking.clauses, self.languages)
        rows = await asking.page(typed, marker.pattern, limit + 1, after)
        more, rows = len(rows) > limit, rows[:limit]
        digest = _digest(typed, wanted)
        last = Cursor(digest, asking.way, rows[-1].score, rows[-1].id) if more else None
        urls = {each.source.kind: each.source for each in wanted}
        return SearchPage(
            [_hit(row, urls[row.kind], marker) for row in rows],
            _write_cursor(last) if last else None,
            {each.source.kind: counts.get(each.source.kind, 0) for each in seen},
            asking.way,
        )

    def _of(self, seen: list[Branch], wanted: list[Branch]) -> "_Statements":
        shape = (tuple(each.shape for each in seen), tuple(each.shape for each in wanted))
        if shape not in self._statements:
            if len(self._statements) >= _MOST_SHAPES:
                self._statements.clear()
            self._statements[shape] = _Statements(
                union.count(seen),
                union.known(seen),
                union.page(wanted, after=False),
                union.page(wanted, after=True),
            )
        return self._statements[shape]


class _Statements(NamedTuple):
    """Those of one shape of what may be seen and what is wanted."""

    counting: Statement[Count]
    known: Statement[str]
    first: Statement[Found]
    following: Statement[Found]


class _Asking:
    """One question on its way: asked strictly first, then more and more leniently."""

    def __init__(
        self,
        tx: Work,
        clauses: tuple[Clause, ...],
        values: dict[str, Any],
        statements: _Statements,
    ) -> None:
        self._tx = tx
        self._values = values
        self._statements = statements
        self.clauses = clauses
        self.way = _WAYS[0]

    async def count(self, kinds: set[str], way: str | None) -> dict[str, int]:
        """How much there is of each kind, asked in the first way that finds something of
        ``kinds``; or in the way of the page before."""
        counts: dict[str, int] = {}
        for self.way in _WAYS:
            if self.way == "similar":
                self.clauses = await mend(self._tx, self.clauses, self._seen)
            if way is not None and way != self.way:
                continue
            rows = await self._tx.many(
                self._statements.counting, query=self._tsquery, **self._values
            )
            counts = {row.kind: row.count for row in rows}
            if way is not None or any(counts[kind] for kind in kinds):
                return counts
        return counts

    @property
    def _tsquery(self) -> str:
        return question.tsquery(self.clauses, every=self.way != "some")

    async def _seen(self, words: list[str]) -> set[str]:
        if not words:
            return set()
        return set(await self._tx.many(self._statements.known, words=words, **self._values))

    async def page(
        self,
        typed: str,
        pattern: str,
        limit: int,
        after: Cursor | None,
    ) -> list[Found]:
        values, statement = dict(self._values), self._statements.first
        if after is not None:
            statement = self._statements.following
            values |= {"after_score": after.score, "after_id": after.id}
        return await self._tx.many(
            statement,
            query=self._tsquery,
            typed=fold(typed.strip()[: question.MOST_CHARACTERS]),
            pattern=pattern,
            page_limit=limit,
            **values,
        )


def _hit(row: Found, source: SearchSource, marker: Marker) -> Hit:
    return Hit(
        row.kind,
        row.id,
        row.title,
        source.url.format(id=row.id, slug=row.slug),
        marker.mark(row.title),
        marker.snippet(
            row.window,
            is_beginning=row.at == 1,
            is_end=row.at + WINDOW > row.length,
        ),
        round(row.score, 6),
    )


def _of_kinds(seen: list[Branch], kinds: tuple[str, ...]) -> list[Branch]:
    """Those of the kinds; a module's name stands for all of its kinds."""
    known = {each.source.kind: each for each in seen}
    found: dict[str, Branch] = {}
    for kind in kinds:
        matching = [name for name in known if name == kind or name.partition(".")[0] == kind]
        if not matching:
            there = ", ".join(known) or "none"
            raise InvalidInput(
                errors=(FieldError("?kind", say("no such kind; there are {there}", there=there)),)
            )
        found |= {name: known[name] for name in matching}
    return list(found.values()) if kinds else seen


def _digest(typed: str, wanted: list[Branch]) -> bytes:
    text = "\0".join([typed, *(each.source.kind for each in wanted)])
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=6).digest()


def _write_cursor(cursor: Cursor) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(cursor)).decode().rstrip("=")


def _read_cursor(text: str | None, typed: str, wanted: list[Branch]) -> Cursor | None:
    if text is None:
        return None
    try:
        raw = base64.b64decode(
            text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True
        )
        cursor = msgspec.msgpack.decode(raw, type=Cursor)
    except (ValueError, msgspec.MsgspecError, binascii.Error):
        cursor = None
    if cursor is None or cursor.way not in _WAYS or cursor.digest != _digest(typed, wanted):
        fault = "is not a cursor that this search has given out"
        raise InvalidInput(errors=(FieldError("?cursor", fault),))
    return cursor
