"""Voting, and watching the results: open to whom the poll itself lets in."""

from typing import Any
from uuid import UUID

from insula.access import PUBLIC
from insula.db import Work
from insula.http.exchange import Caller
from insula.http.reply import Reply
from insula.settings import Settings
from litestar import Request, Response, delete, get, post

from insula_tenants.polls.errors import AlreadyVoted, PollNotOpen, ResultsHidden
from insula_tenants.polls.routes.visiting import REFUSALS, VotingToken, set_cookie, visitor_of
from insula_tenants.polls.schemas import BallotPaper, Receipt, Results, VoteCast
from insula_tenants.polls.service import results, voting


@post("/{poll_id:uuid}/votes", right=PUBLIC, problems=(*REFUSALS, PollNotOpen, AlreadyVoted))
async def cast_vote(
    poll_id: UUID,
    data: VoteCast,
    request: Request[Any, Any, Any],
    tx: Work,
    caller: Caller | None,
    settings: Settings,
    voting_token: VotingToken = None,
) -> Response[Receipt]:
    """Vote, or change your vote where the poll allows it. Who votes is told by the bearer token,
    the header ``Voting-Token`` or the cookie ``insula-poll-voter``, as the poll asks; without that
    cookie, a browser is given one."""
    visitor = visitor_of(request, caller, voting_token, settings)
    receipt, voter = await voting.cast_vote(tx, poll_id, data, visitor)
    answer = Reply(receipt, status_code=201)
    if voter.cookie:
        answer.headers |= set_cookie(request, voter.cookie)
    return answer


@delete("/{poll_id:uuid}/vote", right=PUBLIC, problems=(*REFUSALS, PollNotOpen, AlreadyVoted))
async def withdraw_vote(
    poll_id: UUID,
    request: Request[Any, Any, Any],
    tx: Work,
    caller: Caller | None,
    settings: Settings,
    voting_token: VotingToken = None,
) -> None:
    """Take your vote back, where the poll lets votes be changed."""
    await voting.withdraw_vote(tx, poll_id, visitor_of(request, caller, voting_token, settings))


@get("/{poll_id:uuid}/ballot", right=PUBLIC, problems=REFUSALS)
async def get_ballot(
    poll_id: UUID,
    request: Request[Any, Any, Any],
    tx: Work,
    caller: Caller | None,
    settings: Settings,
    voting_token: VotingToken = None,
) -> BallotPaper:
    """The poll as its voters see it, and how you stand to it."""
    visitor = visitor_of(request, caller, voting_token, settings)
    return await results.ballot_paper(tx, poll_id, visitor)


@get("/{poll_id:uuid}/results", right=PUBLIC, problems=(*REFUSALS, ResultsHidden))
async def get_results(
    poll_id: UUID,
    request: Request[Any, Any, Any],
    tx: Work,
    caller: Caller | None,
    settings: Settings,
    voting_token: VotingToken = None,
) -> Results:
    """The results so far, if you may see them now. Watch ``channel`` for what follows: each
    ``polls.tally.changed`` there says what to add; skip those up to ``number``."""
    visitor = visitor_of(request, caller, voting_token, settings)
    return await results.results_for(tx, poll_id, visitor)


ROUTES = (cast_vote, withdraw_vote, get_ballot, get_results)
