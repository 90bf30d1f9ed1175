"""Words whose last document is gone: forgotten during the next night.

What is deleted must not live on in the words that mend typing errors. Counting each word's
documents would have every writer wait for the others who write "the"; so the words of a tenant in
which something was changed are held against its documents once a day.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

import msgspec
from sqlalchemy import BigInteger, Column, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from insula.db import Statement, Work
from insula.events import Event
from insula.jobs import Job, JobContext, enqueue
from insula.tenancy.tenant import Tenant

_BATCH: Final = 500
_HOUR: Final = 2
_SPREAD: Final = 3 * 3600
"""Seconds over which the tenants are spread."""


class Forget(msgspec.Struct):
    """No arguments."""


class Swept(msgspec.Struct, frozen=True):
    """How far it is, and how many words of the batch are gone."""

    last: int | None
    gone: int


_THERE = Statement(
    text("SELECT name FROM unnest(:names) AS name WHERE to_regclass(name) IS NOT NULL")
    .bindparams(bindparam("names", type_=ARRAY(Text)))
    .columns(Column("name", Text)),
    str,
)


@cache
def _sweep(tables: tuple[str, ...]) -> Statement[Swept]:
    """Forget those of the next words that none of the tables has any more, or that are here
    twice. A word that somebody writes again at this moment may be lost: then it mends nothing until
    it is written once more."""
    is_there = " OR ".join(
        f"EXISTS (SELECT FROM {table} WHERE search @@ (quote_literal(batch.word))::tsquery)"
        for table in tables
    )
    return Statement(
        text(f"""
        WITH batch AS (
            SELECT id, word FROM search_words WHERE id > :after ORDER BY id LIMIT :most
        ), gone AS (
            DELETE FROM search_words AS known USING batch
            WHERE known.id = batch.id AND (
                NOT ({is_there or "false"})
                OR EXISTS (
                    SELECT FROM search_words AS twin
                    WHERE twin.word = batch.word AND twin.id < batch.id
                )
            )
            RETURNING known.id
        )
        SELECT (SELECT max(id) FROM batch) AS last, (SELECT count(*) FROM gone) AS gone
        """)
        .bindparams(
            bindparam("after", type_=BigInteger),
            bindparam("most", type_=BigInteger),
        )
        .columns(Column("last", BigInteger), Column("gone", BigInteger)),
        Swept,
    )


async def run(context: JobContext, args: Forget) -> dict[str, int]:
    """Go through all words, a few at a time."""
    modules: dict[str, Any] = context.services["modules"]
    declared = {each.table.name for module in modules.values() for each in module.search}
    # Also of modules that are off: what they have is found again when they are on.
    there = await context.reading().many(_THERE, names=sorted(declared))
    after, gone = 0, 0
    while True:
        async with context.transaction() as tx:
            swept = await tx.one(_sweep(tuple(sorted(there))), after=after, most=_BATCH)
        gone += swept.gone
        if swept.last is None:
            return {"forgotten": gone}
        after = swept.last


FORGET: Final = Job(
    name="search.forget", args=Forget, run=run, summary="Forget words that nothing has any more"
)


class Forgetting:
    """Follows every tenant's log (:class:`insula.events.consumers.Consumer`): where something was
    changed or deleted, words may have to go."""

    name = "search"
    batch = 500
    attempts: int | None = 5

    def __init__(self, modules: Sequence[str]) -> None:
        """``modules``: those whose things can be found."""
        self._modules = frozenset(modules)

    def serves(self, tenant: Tenant) -> bool:
        return True

    def wants(self, event: Event) -> bool:
        return event.type.partition(".")[0] in self._modules and not event.type.endswith(".created")

    async def consume(self, tx: Work, tenant: Tenant, events: Sequence[Event]) -> None:
        await enqueue(tx, FORGET, Forget(), at=_next_night(tenant.number), key=FORGET.name)


def _next_night(number: int) -> datetime:
    """The same moment of the night for all that happens during a day."""
    now = datetime.now(UTC)
    at = now.replace(hour=_HOUR, minute=0, second=0, microsecond=0)
    at += timedelta(seconds=number % _SPREAD)
    return at if at > now else at + timedelta(days=1)
