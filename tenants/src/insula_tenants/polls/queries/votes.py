"""Votes, voters and voting tokens."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from insula.db import Statement, binds
from insula.http.listing import Listing
from sqlalchemy import (
    ARRAY,
    CTE,
    BindParameter,
    Insert,
    Uuid,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from insula_tenants.polls import schemas
from insula_tenants.polls.tables import PollChange, PollToken, PollVote, PollVoter

_POLL: BindParameter[UUID] = bindparam("poll_id")


class Cast(msgspec.Struct):
    """A vote that is to be changed or withdrawn."""

    id: UUID
    choices: list[int]


class Exported(msgspec.Struct):
    id: UUID
    cast_at: datetime | None
    user_id: UUID | None
    choices: list[int]
    answer: str | None
    answer_state: str


def _insert_from(source: CTE, table: Any, **columns: str) -> Insert:
    """Insert a row for each of ``source``; ``columns`` says which parameter fills which."""
    row = [
        bindparam(name, type_=table.__table__.c[column].type) for column, name in columns.items()
    ]
    return insert(table).from_select(list(columns), select(*row).select_from(source))


def _cast() -> Statement[int]:
    voter = (
        upsert(PollVoter)
        .values(poll_id=_POLL, voter=bindparam("voter"), vote_id=bindparam("linked_id"))
        .on_conflict_do_nothing()
        .returning(literal_column("1").label("one"))
        .cte("voter")
    )
    vote = _insert_from(
        voter, PollVote, id="vote_id", poll_id="poll_id", user_id="user_id", choices="choices",
        answer="answer", answer_state="answer_state", cast_at="cast_at",
    )  # fmt: skip
    change = _insert_from(voter, PollChange, poll_id="poll_id", voters="more", counts="counts")
    counted = select(func.count()).select_from(voter)
    return Statement(counted.add_cte(vote.cte("vote"), change.cte("change")), int)


CAST = _cast()
"""Voter, vote and change in one statement: 1, or 0 if the voter has voted before. Of two at once
for one voter, the second waits until the first is committed, and finds it."""

_OF_VOTER = (PollVoter.poll_id == _POLL, PollVoter.voter == bindparam("voter"))
LOCK_VOTE = Statement(
    select(PollVote.id, PollVote.choices)
    .join(PollVoter, PollVoter.vote_id == PollVote.id)
    .where(*_OF_VOTER)
    .with_for_update(),
    Cast,
)
CHANGE_VOTE = Statement(
    update(PollVote)
    .where(PollVote.id == bindparam("vote_id"))
    .values(**binds("choices", "answer", "answer_state", "cast_at"))
)
INSERT_CHANGE = Statement(insert(PollChange).values(**binds("poll_id", "voters", "counts")))
DELETE_VOTER = Statement(delete(PollVoter).where(*_OF_VOTER))
DELETE_VOTE = Statement(delete(PollVote).where(PollVote.id == bindparam("vote_id")))
HAS_VOTED = Statement(select(select(PollVoter.poll_id).where(*_OF_VOTER).exists()), bool)
MY_VOTE = Statement(
    select(PollVote.id.label("receipt"), PollVote.choices, PollVote.answer, PollVote.cast_at)
    .join(PollVoter, PollVoter.vote_id == PollVote.id)
    .where(*_OF_VOTER),
    schemas.MyVote,
)
EXPORT = Statement(
    select(
        PollVote.id,
        PollVote.cast_at,
        PollVote.user_id,
        PollVote.choices,
        PollVote.answer,
        PollVote.answer_state,
    )
    .where(PollVote.poll_id == _POLL)
    .order_by(PollVote.id),
    Exported,
)
COUNT_CHOICES = Statement(
    select(func.count())
    .select_from(PollVote)
    .where(PollVote.poll_id == _POLL, PollVote.choices == bindparam("choices")),
    int,
)

# Voting tokens

INSERT_TOKEN = Statement(insert(PollToken).values(**binds("poll_id", "digest")))
HAS_TOKEN = Statement(
    select(
        select(PollToken.poll_id)
        .where(PollToken.poll_id == _POLL, PollToken.digest == bindparam("digest"))
        .exists()
    ),
    bool,
)
DELETE_TOKEN = Statement(
    delete(PollToken).where(PollToken.poll_id == _POLL, PollToken.digest == bindparam("digest"))
)
COUNT_TOKENS = Statement(
    select(
        select(func.count()).where(PollToken.poll_id == _POLL).scalar_subquery().label("issued"),
        select(func.count()).where(PollVoter.poll_id == _POLL).scalar_subquery().label("used"),
    ),
    schemas.TokenCounts,
)

# Answers to open questions

_ANSWER = (PollVote.id, PollVote.answer, PollVote.answer_state.label("state"), PollVote.user_id)
_answers = select(*_ANSWER).where(PollVote.poll_id == _POLL, PollVote.answer.is_not(None))
_ORDER: Any = {"key": PollVote.id, "sort": {"id": PollVote.id}, "default": "-id"}
ANSWERS = Listing(_answers, schemas.Answer, filters={"state": PollVote.answer_state}, **_ORDER)
SHOWN_ANSWERS = Listing(_answers.where(PollVote.answer_state == "shown"), schemas.Answer, **_ORDER)
MODERATE = Statement(
    update(PollVote)
    .where(
        PollVote.id == func.any(bindparam("answers", type_=ARRAY(Uuid))),
        PollVote.poll_id == _POLL,
        PollVote.answer.is_not(None),
    )
    .values(answer_state=bindparam("state"))
    .returning(*_ANSWER),
    schemas.Answer,
)
