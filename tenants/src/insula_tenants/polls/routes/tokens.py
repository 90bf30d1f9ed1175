"""Voting tokens."""

from uuid import UUID

from insula.db import Work
from insula.http.exchange import Caller
from insula.http.problem import Conflict
from litestar import get, post

from insula_tenants.polls.permissions import WRITE
from insula_tenants.polls.schemas import TokenCounts, Tokens, TokensCreate
from insula_tenants.polls.service import tokens


@post("/{poll_id:uuid}/tokens", right=WRITE, problems=(Conflict,))
async def issue_tokens(poll_id: UUID, data: TokensCreate, tx: Work, caller: Caller) -> Tokens:
    """Fresh voting tokens, each good for one vote in this poll. They are shown this once."""
    return await tokens.issue(tx, poll_id, data.count, caller)


@get("/{poll_id:uuid}/tokens", right=WRITE)
async def count_tokens(poll_id: UUID, tx: Work, caller: Caller) -> TokenCounts:
    """How many tokens were issued, and how many have voted. Which ones, nobody can tell."""
    return await tokens.count(tx, poll_id, caller)


ROUTES = (issue_tokens, count_tokens)
