"""Polls themselves."""

from functools import cache

from insula.db import Statement, binds
from insula.http.listing import Listing
from sqlalchemy import ARRAY, Uuid, bindparam, delete, func, insert, or_, select, update

from insula_tenants.polls import schemas
from insula_tenants.polls.tables import Poll, PollTally, PollVoter

_COLUMNS = (
    Poll.id, Poll.author_id, Poll.kind, Poll.question, Poll.description, Poll.options,
    Poll.correct, Poll.min_choices, Poll.max_choices, Poll.scale, Poll.points, Poll.explanation,
    Poll.reveal, Poll.voters, Poll.anonymous, Poll.may_change, Poll.moderated, Poll.results,
    Poll.state, Poll.opens_at, Poll.closes_at, Poll.closed_at, Poll.version, Poll.created_at,
    Poll.updated_at,
)  # fmt: skip


class Stored(schemas.Poll):
    """A poll with what is not shown of it."""

    watch_key: str


_STORED = (*_COLUMNS, Poll.watch_key)
_THIS = Poll.id == bindparam("id")


LIST = Listing(
    select(
        Poll.id, Poll.author_id, Poll.kind, Poll.question, Poll.voters, Poll.results, Poll.state,
        Poll.opens_at, Poll.closes_at, PollTally.voters.label("votes"), Poll.created_at,
    ).join(PollTally, PollTally.poll_id == Poll.id),
    schemas.PollLine,
    key=Poll.id,
    sort={"created_at": Poll.created_at, "question": Poll.question},
    default="-created_at",
    filters={
        "kind": Poll.kind,
        "state": Poll.state,
        "author_id": Poll.author_id,
        "created_at": Poll.created_at,
    },
    search=Poll.search,
)  # fmt: skip
GET = Statement(select(*_STORED).where(_THIS), Stored)
GET_MANY = Statement(
    select(*_STORED).where(Poll.id == func.any(bindparam("ids", type_=ARRAY(Uuid)))), Stored
)
ENTER = Statement(select(*_STORED).where(_THIS).with_for_update(read=True, key_share=True), Stored)
"""For who votes: nobody edits the poll until the vote is in. Voters do not wait for each other,
and closing does not wait for them."""
LOCK = Statement(select(*_STORED).where(_THIS).with_for_update(), Stored)
"""Waits for the votes that are being cast, and holds others up."""
LOCK_STATE = Statement(select(*_STORED).where(_THIS).with_for_update(key_share=True), Stored)
"""For who opens or closes; votes go on meanwhile."""
RUNNING = Statement(
    select(*_STORED).where(or_(Poll.state == "scheduled", Poll.state == "open")), Stored
)
INSERT = Statement(
    insert(Poll)
    .values(
        **binds(
            "id", "author_id", "kind", "question", "description", "options", "correct",
            "min_choices", "max_choices", "scale", "points", "explanation", "reveal", "voters",
            "anonymous", "may_change", "moderated", "results", "state", "opens_at", "closes_at",
            "watch_key",
        )
    )
    .returning(*_STORED),
    Stored,
)  # fmt: skip
INSERT_TALLY = Statement(insert(PollTally).values(**binds("poll_id")))
DELETE = Statement(delete(Poll).where(Poll.id == bindparam("poll_id")))
HAS_VOTES = Statement(
    select(select(PollVoter.poll_id).where(PollVoter.poll_id == bindparam("poll_id")).exists()),
    bool,
)


@cache
def update_columns(names: tuple[str, ...]) -> Statement[Stored]:
    """An update of just these columns."""
    statement = update(Poll).where(Poll.id == bindparam("poll_id"))
    counted = {"version": Poll.version + 1, "updated_at": func.now()}
    return Statement(statement.values(**binds(*names), **counted).returning(*_STORED), Stored)
