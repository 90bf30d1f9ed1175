"""Answers to open questions."""

from typing import Any
from uuid import UUID

from insula.access import PUBLIC
from insula.db import Work
from insula.http.exchange import Caller
from insula.http.listing import Page
from insula.settings import Settings
from litestar import Request, get, post

from insula_tenants.polls.errors import ResultsHidden
from insula_tenants.polls.permissions import WRITE
from insula_tenants.polls.queries import polls, votes
from insula_tenants.polls.routes.visiting import REFUSALS, VotingToken, visitor_of
from insula_tenants.polls.schemas import Answer, Moderation
from insula_tenants.polls.service import answers, editing, results


@get(
    "/{poll_id:uuid}/answers",
    right=PUBLIC,
    listing=votes.SHOWN_ANSWERS,
    problems=(*REFUSALS, ResultsHidden),
)
async def list_answers(
    poll_id: UUID,
    request: Request[Any, Any, Any],
    tx: Work,
    caller: Caller | None,
    settings: Settings,
    voting_token: VotingToken = None,
) -> Page[Answer]:
    """The answers that are shown, for those who may see the results now."""
    visitor = visitor_of(request, caller, voting_token, settings)
    await results.look_at_results(tx, poll_id, visitor)
    return await votes.SHOWN_ANSWERS.page(tx, request, poll_id=poll_id)


@get("/{poll_id:uuid}/moderation", right=WRITE, listing=votes.ANSWERS)
async def list_answers_to_moderate(
    poll_id: UUID, request: Request[Any, Any, Any], tx: Work, caller: Caller
) -> Page[Answer]:
    """Every answer, for who runs the poll: ``?state=pending`` for those that wait."""
    editing.check(await tx.one(polls.GET, id=poll_id), caller)
    return await votes.ANSWERS.page(tx, request, poll_id=poll_id)


@post("/{poll_id:uuid}/moderation", right=WRITE, status_code=200)
async def moderate_answers(
    poll_id: UUID, data: Moderation, tx: Work, caller: Caller
) -> list[Answer]:
    """Show answers, hold them back or reject them. Their votes count all the same."""
    return await answers.moderate(tx, poll_id, data, caller)


ROUTES = (list_answers, list_answers_to_moderate, moderate_answers)
