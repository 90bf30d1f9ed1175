"""The tally: what is counted, and what has still to be."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from insula.db import Statement
from sqlalchemy import (
    BindParameter,
    Integer,
    bindparam,
    cast,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from insula_tenants.polls.tables import Poll, PollChange, PollCount, PollTally

PAUSE = timedelta(milliseconds=100)
"""Between two deltas of a poll, at least."""
_LOST = timedelta(seconds=30)
"""After which a job that should have counted long ago is taken for dead."""
_POLL: BindParameter[UUID] = bindparam("poll_id")
_EMPTY = cast(literal("{}"), JSONB)


class Due(msgspec.Struct):
    due_at: datetime
    at_once: bool


class Taken(msgspec.Struct):
    voters: int
    counts: dict[str, int]


class Tally(msgspec.Struct):
    number: int
    voters: int
    final: bool
    counts: dict[str, int]


_next = func.greatest(func.now(), PollTally.counted_at + PAUSE)
CLAIM = Statement(
    update(PollTally)
    .where(
        PollTally.poll_id == _POLL,
        or_(PollTally.due_at.is_(None), PollTally.due_at < func.now() - _LOST),
    )
    .values(due_at=_next)
    .returning(PollTally.due_at, (PollTally.due_at <= func.now()).label("at_once")),
    Due,
)
"""The next time to count, unless one is set already: then its job will see every vote that is
committed now."""
WAITING = Statement(select(PollChange.poll_id).distinct(), UUID)
"""Polls with votes that are still to be counted."""
UNFINISHED = Statement(
    select(PollTally.poll_id)
    .join(Poll, Poll.id == PollTally.poll_id)
    .where(Poll.state == "closed", ~PollTally.final),
    UUID,
)
BEGIN = Statement(
    update(PollTally)
    .where(PollTally.poll_id == _POLL)
    .values(due_at=None, counted_at=func.now())
    .returning(PollTally.number),
    int,
)
"""Locks the tally. From here on :data:`CLAIM` sets a new time, so nothing falls between."""


def _take() -> Statement[Taken]:
    taken = (
        delete(PollChange)
        .where(PollChange.poll_id == _POLL)
        .returning(PollChange.voters, PollChange.counts)
        .cte("taken")
    )
    each = func.jsonb_each_text(taken.c.counts).table_valued("key", "value").lateral("each")
    votes = func.sum(cast(each.c.value, Integer))
    summed = (
        select(each.c.key, votes.label("votes"))
        .select_from(taken)
        .join(each, literal(True))
        .group_by(each.c.key)
        .having(votes != 0)
        .cte("summed")
    )
    counts = select(func.jsonb_object_agg(summed.c.key, summed.c.votes)).scalar_subquery()
    return Statement(
        select(
            func.coalesce(func.sum(taken.c.voters), 0).label("voters"),
            func.coalesce(counts, _EMPTY).label("counts"),
        ),
        Taken,
    )


TAKE = _take()
"""Everything that waits, taken and added up: what is not committed yet stays for the next time."""


def _add() -> Statement[None]:
    each = func.jsonb_each_text(bindparam("counts", type_=JSONB)).table_valued("key", "value")
    row = select(
        bindparam("poll_id", type_=PollCount.poll_id.type), each.c.key, cast(each.c.value, Integer)
    )
    added = upsert(PollCount).from_select(["poll_id", "key", "votes"], row)
    return Statement(
        added.on_conflict_do_update(
            index_elements=["poll_id", "key"],
            set_={"votes": PollCount.votes + added.excluded.votes},
        )
    )


ADD = _add()
DROP_ZEROS = Statement(delete(PollCount).where(PollCount.poll_id == _POLL, PollCount.votes == 0))
ADVANCE = Statement(
    update(PollTally)
    .where(PollTally.poll_id == bindparam("poll_id"))
    .values(number=PollTally.number + 1, voters=PollTally.voters + bindparam("more"))
    .returning(PollTally.number),
    int,
)
SET_FINAL = Statement(
    update(PollTally).where(PollTally.poll_id == bindparam("id")).values(final=bindparam("final"))
)
_counts = (
    select(func.jsonb_object_agg(PollCount.key, PollCount.votes))
    .where(PollCount.poll_id == PollTally.poll_id)
    .scalar_subquery()
)
GET = Statement(
    select(
        PollTally.number,
        PollTally.voters,
        PollTally.final,
        func.coalesce(_counts, _EMPTY).label("counts"),
    ).where(PollTally.poll_id == _POLL),
    Tally,
)
"""Number and counts as of one moment."""
