"""Casting votes. A vote takes a lock that voters share, inserts its rows, and waits for nobody but
another vote of the same voter."""

from typing import Any
from uuid import UUID, uuid4

from insula.db import RowNotFound, Work
from insula.db.ids import new_id
from insula.events import emit
from insula.http.problem import Conflict
from insula.i18n import say

from insula_tenants.polls import events
from insula_tenants.polls.ballots import Ballot, counts_of, difference, read_ballot
from insula_tenants.polls.errors import AlreadyVoted, PollNotOpen
from insula_tenants.polls.queries import polls, votes
from insula_tenants.polls.queries.polls import Stored
from insula_tenants.polls.schemas import Receipt, Verdict, VoteCast
from insula_tenants.polls.service.lifecycle import now, state_at
from insula_tenants.polls.service.voters import Visitor, Voter, identify


async def enter(tx: Work, poll_id: UUID) -> Stored:
    """The poll, open and to stay as it is until the vote is in.

    Raises:
        PollNotOpen: it is not, by the clock.
    """
    poll = await tx.one(polls.ENTER, id=poll_id)
    state = state_at(poll, now())
    if state == "draft":
        raise RowNotFound
    if state != "open":
        at = f" It opens at {poll.opens_at}." if state == "scheduled" else ""
        raise PollNotOpen(say("The poll is {state}.{at}", state=state, at=at))
    return poll


async def cast_vote(
    tx: Work, poll_id: UUID, cast: VoteCast, visitor: Visitor
) -> tuple[Receipt, Voter]:
    """Count somebody's vote, in place of an earlier one where the poll allows that.

    Raises:
        AlreadyVoted: it does not.
        InvalidInput: the vote does not fit the poll.
    """
    poll = await enter(tx, poll_id)
    ballot = read_ballot(poll, cast)
    voter = await identify(tx, poll, visitor)
    vote_id = uuid4() if poll.anonymous else new_id()
    row = _row(poll, ballot)
    replaced = not await tx.one(
        votes.CAST,
        poll_id=poll.id,
        voter=voter.key,
        linked_id=vote_id if _is_linked(poll) else None,
        vote_id=vote_id,
        user_id=voter.user_id,
        more=1,
        counts=counts_of(poll, ballot.choices),
        **row,
    )
    if replaced:
        vote_id = await _replace(tx, poll, voter, ballot, row)
    await _tell(tx, poll, voter, replaced=replaced)
    return Receipt(vote_id, replaced, _verdict_at_once(poll, ballot)), voter


def _is_linked(poll: Stored) -> bool:
    """Whether the voter is kept with the vote: never in a secret ballot, unless votes there may
    be changed and so have to be found again."""
    return poll.may_change or not poll.anonymous


def _row(poll: Stored, ballot: Ballot) -> dict[str, Any]:
    held = poll.moderated and ballot.answer is not None
    return {
        "choices": ballot.choices,
        "answer": ballot.answer,
        "answer_state": "pending" if held else "shown",
        "cast_at": None if poll.anonymous else now(),
    }


async def _replace(
    tx: Work, poll: Stored, voter: Voter, ballot: Ballot, row: dict[str, Any]
) -> UUID:
    if not poll.may_change:
        raise AlreadyVoted
    cast = await tx.find(votes.LOCK_VOTE, poll_id=poll.id, voter=voter.key)
    if cast is None:
        raise Conflict("The vote was withdrawn at the same moment: try again.")
    await tx.execute(votes.CHANGE_VOTE, vote_id=cast.id, **row)
    changed = difference(counts_of(poll, ballot.choices), counts_of(poll, cast.choices))
    if changed:
        await tx.execute(votes.INSERT_CHANGE, poll_id=poll.id, voters=0, counts=changed)
    return cast.id


async def withdraw_vote(tx: Work, poll_id: UUID, visitor: Visitor) -> None:
    """Take a vote back, as if it had never been cast.

    Raises:
        AlreadyVoted: the poll does not let votes be changed.
        RowNotFound: there is none.
    """
    poll = await enter(tx, poll_id)
    voter = await identify(tx, poll, visitor)
    if not poll.may_change:
        raise AlreadyVoted("The poll does not let votes be changed.")
    cast = await tx.one(votes.LOCK_VOTE, poll_id=poll.id, voter=voter.key)
    await tx.execute(votes.DELETE_VOTER, poll_id=poll.id, voter=voter.key)
    await tx.execute(votes.DELETE_VOTE, vote_id=cast.id)
    taken = difference({}, counts_of(poll, cast.choices))
    await tx.execute(votes.INSERT_CHANGE, poll_id=poll.id, voters=-1, counts=taken)
    await _tell(tx, poll, voter, withdrawn=True)


async def _tell(
    tx: Work, poll: Stored, voter: Voter, *, replaced: bool = False, withdrawn: bool = False
) -> None:
    told = events.VoteCast(poll.id, voter.user_id, replaced, withdrawn)
    await emit(tx, events.CAST, told, subject=f"polls/{poll.id}", actor=voter.user_id)


def _verdict_at_once(poll: Stored, ballot: Ballot) -> Verdict | None:
    return verdict(poll, ballot.choices) if poll.reveal == "after_vote" else None


def verdict(poll: Stored, choices: list[int]) -> Verdict | None:
    """How a vote did in a quiz: every right option and no other, or no points."""
    if poll.kind != "quiz":
        return None
    right = choices == poll.correct
    return Verdict(right, poll.points if right else 0, poll.correct, poll.explanation)
