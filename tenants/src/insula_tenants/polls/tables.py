"""The tables of polls.

The votes are the truth. Casting one only inserts rows, so that thousands who vote at once never
wait for a row that all of them would write; what the tally has still to take in lies in
``polls_changes``, and one transaction of the worker takes it from there into ``polls_counts`` and
gives the result its next number. See :mod:`insula_tenants.polls.service.tallying`.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from insula.db import TenantTable
from insula.db.marks import SHORT, person
from insula.search import searchable
from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

_POLL = "polls.id"


def _one_of(column: str, *words: str) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(word) for word in words)})", column)


class Poll(TenantTable):
    __tablename__ = "polls"
    __table_args__ = (
        _one_of("kind", "single", "multiple", "ranked", "rating", "quiz", "open"),
        _one_of("voters", "user", "token", "cookie"),
        _one_of("results", "always", "after_vote", "after_close"),
        _one_of("reveal", "after_vote", "after_close"),
        _one_of("state", "draft", "scheduled", "open", "closed"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), info=person("content"))
    kind: Mapped[str]
    question: Mapped[str]
    description: Mapped[str]
    options: Mapped[list[Any]] = mapped_column(JSONB)
    """What can be chosen, ``{"id", "text"}``; ids count from 1. Read whole with the poll, and fixed
    from the first vote on."""
    correct: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    min_choices: Mapped[int]
    max_choices: Mapped[int]
    scale: Mapped[int]  # a rating goes from 1 to this
    points: Mapped[int]  # for the right answer of a quiz
    explanation: Mapped[str]
    reveal: Mapped[str]
    voters: Mapped[str]  # what makes somebody a voter, who votes once
    anonymous: Mapped[bool]
    may_change: Mapped[bool]
    moderated: Mapped[bool]
    results: Mapped[str]
    state: Mapped[str]  # as last written: the clock may be ahead of it, see lifecycle.state_at
    opens_at: Mapped[datetime | None]
    closes_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    watch_key: Mapped[str]  # part of the channel's name while the results are not public
    version: Mapped[int] = mapped_column(server_default="1")
    search: Mapped[str] = searchable(A="question", B="description")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PollToken(TenantTable):
    """Permission to vote once, for whoever holds it. Only its SHA-256 digest is kept."""

    __tablename__ = "polls_tokens"
    __table_args__ = ({"info": SHORT},)

    poll_id: Mapped[UUID] = mapped_column(ForeignKey(_POLL, ondelete="CASCADE"), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)


class PollVoter(TenantTable):
    """Somebody who has voted: the primary key is what makes a second vote impossible."""

    __tablename__ = "polls_voters"
    __table_args__ = ({"info": SHORT},)

    poll_id: Mapped[UUID] = mapped_column(ForeignKey(_POLL, ondelete="CASCADE"), primary_key=True)
    voter: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    """HMAC of who it is, of no use without the installation's secret."""
    vote_id: Mapped[UUID | None]
    """NULL in a secret ballot: there nothing leads from the voter to the vote."""


class PollVote(TenantTable):
    """A vote that counts."""

    __tablename__ = "polls_votes"
    __table_args__ = (
        _one_of("answer_state", "shown", "pending", "rejected"),
        Index(
            "ix_polls_votes_answers",
            "poll_id",
            "answer_state",
            "id",
            postgresql_where=text("answer IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """Random in an anonymous poll, else made of the time."""
    poll_id: Mapped[UUID] = mapped_column(ForeignKey(_POLL, ondelete="CASCADE"), index=True)
    user_id: Mapped[UUID | None] = mapped_column(
        Uuid, ForeignKey("users.id"), info=person("clear"), index=True
    )
    choices: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    """Ids of options, the most preferred first where the poll is ranked; the stars of a rating."""
    answer: Mapped[str | None]
    answer_state: Mapped[str] = mapped_column(server_default="shown")
    cast_at: Mapped[datetime | None]
    """NULL where it could tell who voted."""


class PollChange(TenantTable):
    """What a vote changed, until the tally has taken it in."""

    __tablename__ = "polls_changes"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    poll_id: Mapped[UUID] = mapped_column(ForeignKey(_POLL, ondelete="CASCADE"), index=True)
    voters: Mapped[int]
    counts: Mapped[dict[str, Any]]


class PollTally(TenantTable):
    """How far a poll has been counted. Apart from the poll itself, whose row every vote locks."""

    __tablename__ = "polls_tallies"

    poll_id: Mapped[UUID] = mapped_column(ForeignKey(_POLL, ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """Of the last delta: the counts are the sum of the deltas 1 to this."""
    voters: Mapped[int] = mapped_column(server_default="0")
    final: Mapped[bool] = mapped_column(server_default="false")
    due_at: Mapped[datetime | None]
    """When the waiting job will count what has come in since; NULL if none waits."""
    counted_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PollCount(TenantTable):
    """The tally: how many votes say this. Nothing is kept for none."""

    __tablename__ = "polls_counts"
    __table_args__ = ({"info": SHORT},)

    poll_id: Mapped[UUID] = mapped_column(ForeignKey(_POLL, ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    """An option's id, the stars of a rating, a ranking such as ``3>1>2``, or ``right``."""
    votes: Mapped[int]
