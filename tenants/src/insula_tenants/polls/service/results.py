"""Results, and who may see them when."""

from collections import OrderedDict
from typing import NamedTuple
from uuid import UUID

from insula.db import RowNotFound, Work

from insula_tenants.polls.ballots import ranking_of
from insula_tenants.polls.channels import result_channel
from insula_tenants.polls.errors import ResultsHidden
from insula_tenants.polls.irv import Outcome, instant_runoff
from insula_tenants.polls.queries import polls, tallies, votes
from insula_tenants.polls.queries.polls import Stored
from insula_tenants.polls.queries.tallies import Tally
from insula_tenants.polls.schemas import BallotPaper, MyVote, Quiz, Rating, Results, Verdict
from insula_tenants.polls.service.editing import runs
from insula_tenants.polls.service.lifecycle import now, state_at
from insula_tenants.polls.service.voters import Visitor, Voter, recognise
from insula_tenants.polls.service.voting import verdict


class Look(NamedTuple):
    """A poll, and what its visitor is to it."""

    poll: Stored
    state: str
    runs: bool
    voter: Voter | None
    has_voted: bool

    @property
    def sees_results(self) -> bool:
        return self.runs or are_shown(self.poll, self.state, has_voted=self.has_voted)


async def look(tx: Work, poll_id: UUID, visitor: Visitor) -> Look:
    """The poll as a visitor comes to it.

    Raises:
        RowNotFound: it is another's draft, or not there.
        Unauthenticated, Forbidden, VotingTokenRefused: it is not for them to see.
    """
    poll = await tx.one(polls.GET, id=poll_id)
    in_charge = runs(visitor.caller, poll)
    if poll.state == "draft" and not in_charge:
        raise RowNotFound
    voter = await recognise(tx, poll, visitor)
    has_voted = voter is not None and await tx.one(
        votes.HAS_VOTED, poll_id=poll_id, voter=voter.key
    )
    return Look(poll, state_at(poll, now()), in_charge, voter, has_voted)


def are_shown(poll: Stored, state: str, *, has_voted: bool) -> bool:
    """Whether somebody who does not run the poll may see its results now."""
    if poll.results == "always" or state == "closed":
        return True
    return poll.results == "after_vote" and has_voted


async def ballot_paper(tx: Work, poll_id: UUID, visitor: Visitor) -> BallotPaper:
    """The poll as a voter sees it."""
    seen = await look(tx, poll_id, visitor)
    vote = None
    if seen.voter is not None and seen.has_voted:
        vote = await tx.find(votes.MY_VOTE, poll_id=poll_id, voter=seen.voter.key)
    fields = {name: getattr(seen.poll, name) for name in _PAPER}
    return BallotPaper(
        **fields,
        state=seen.state,
        has_voted=seen.has_voted,
        vote=vote,
        shows_results=seen.sees_results,
        verdict=_verdict(seen, vote),
    )


_PAPER = (
    "id", "kind", "question", "description", "options", "min_choices", "max_choices", "scale",
    "voters", "anonymous", "may_change", "moderated", "results", "opens_at", "closes_at",
)  # fmt: skip


def _verdict(seen: Look, vote: MyVote | None) -> Verdict | None:
    if vote is None or not _is_revealed(seen.poll, seen.state, has_voted=True):
        return None
    return verdict(seen.poll, vote.choices)


def _is_revealed(poll: Stored, state: str, *, has_voted: bool) -> bool:
    return state == "closed" or (poll.reveal == "after_vote" and has_voted)


async def look_at_results(tx: Work, poll_id: UUID, visitor: Visitor) -> Look:
    """The poll, for somebody who may see its results now.

    Raises:
        ResultsHidden: or not.
    """
    seen = await look(tx, poll_id, visitor)
    if not seen.sees_results:
        raise ResultsHidden
    return seen


async def results_for(tx: Work, poll_id: UUID, visitor: Visitor) -> Results:
    """The results, for somebody who may see them now."""
    seen = await look_at_results(tx, poll_id, visitor)
    revealed = seen.runs or _is_revealed(seen.poll, seen.state, has_voted=seen.has_voted)
    return await read_results(tx, seen.poll, seen.state, revealed=revealed)


async def read_results(tx: Work, poll: Stored, state: str, *, revealed: bool) -> Results:
    tally = await tx.one(tallies.GET, poll_id=poll.id)
    results = Results(
        poll.id,
        state,
        tally.number,
        tally.voters,
        tally.counts,
        tally.final and state == "closed",
        result_channel(poll),
    )
    if poll.kind == "rating":
        results.rating = rate(tally.counts)
    elif poll.kind == "ranked":
        results.outcome = _outcome(poll, tally)
    elif poll.kind == "quiz" and revealed:
        right = await tx.one(votes.COUNT_CHOICES, poll_id=poll.id, choices=poll.correct)
        results.quiz = Quiz(right, poll.correct, poll.explanation)
    return results


def rate(counts: dict[str, int]) -> Rating:
    """Average and median of ratings; of an even number, the median lies halfway."""
    total = sum(counts.values())
    if not total:
        return Rating(None, None)
    average = sum(int(stars) * votes for stars, votes in counts.items()) / total
    ordered = sorted((int(stars), votes) for stars, votes in counts.items())
    return Rating(
        round(average, 4), (_nth(ordered, (total - 1) // 2) + _nth(ordered, total // 2)) / 2
    )


def _nth(ordered: list[tuple[int, int]], index: int) -> int:
    for stars, times in ordered:
        if index < times:
            return stars
        index -= times
    raise IndexError(index)


_KEPT = 64
_outcomes: OrderedDict[tuple[UUID, int], Outcome] = OrderedDict()


def _outcome(poll: Stored, tally: Tally) -> Outcome:
    """Counted once for each number, however many watch."""
    key = (poll.id, tally.number)
    if (known := _outcomes.get(key)) is not None:
        return known
    rankings = {ranking_of(name): votes for name, votes in tally.counts.items()}
    outcome = instant_runoff(range(1, len(poll.options) + 1), rankings, str(poll.id))
    _outcomes[key] = outcome
    if len(_outcomes) > _KEPT:
        _outcomes.popitem(last=False)
    return outcome
