"""Voting tokens: permission to vote once, handed out by whoever runs the poll."""

import secrets
from uuid import UUID

from insula.db import Work
from insula.http.exchange import Caller
from insula.http.problem import Conflict
from insula.i18n import say

from insula_tenants.polls.queries import polls, votes
from insula_tenants.polls.schemas import TokenCounts, Tokens
from insula_tenants.polls.service.editing import check
from insula_tenants.polls.service.voters import digest_of

LIMIT = 100_000
"""Tokens of one poll."""


async def issue(tx: Work, poll_id: UUID, count: int, caller: Caller) -> Tokens:
    """Fresh tokens.

    Raises:
        Conflict: the poll asks for no tokens, or has as many as it may have.
    """
    poll = check(await tx.one(polls.GET, id=poll_id), caller)
    if poll.voters != "token":
        raise Conflict("This poll asks for no voting tokens: see `voters`.")
    if (await tx.one(votes.COUNT_TOKENS, poll_id=poll_id)).issued + count > LIMIT:
        raise Conflict(say("A poll has {limit} tokens at most.", limit=LIMIT))
    tokens = [secrets.token_urlsafe(15) for _ in range(count)]
    rows = [{"poll_id": poll_id, "digest": digest_of(token)} for token in tokens]
    await tx.execute_many(votes.INSERT_TOKEN, rows)
    return Tokens(tokens)


async def count(tx: Work, poll_id: UUID, caller: Caller) -> TokenCounts:
    """How many there are, and how many have voted; not which."""
    poll = check(await tx.one(polls.GET, id=poll_id), caller)
    counted = await tx.one(votes.COUNT_TOKENS, poll_id=poll_id)
    return counted if poll.voters == "token" else TokenCounts(0, 0)
