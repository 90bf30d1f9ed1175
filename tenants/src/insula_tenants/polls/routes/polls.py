"""Making polls and running them."""

from typing import Any
from uuid import UUID

from insula.db import Work
from insula.http.conditional import IfMatch, versioned
from insula.http.exchange import Caller
from insula.http.listing import Page
from litestar import Request, Response, delete, get, patch, post
from litestar.response import Stream

from insula_tenants.polls.errors import PollHasVotes, PollStays
from insula_tenants.polls.permissions import READ, WRITE
from insula_tenants.polls.queries import polls
from insula_tenants.polls.schemas import Opening, Poll, PollCreate, PollLine, PollUpdate
from insula_tenants.polls.service import editing, export, lifecycle


@get("/", right=READ, listing=polls.LIST)
async def list_polls(request: Request[Any, Any, Any], tx: Work) -> Page[PollLine]:
    """The polls, the newest first. Drafts are listed for everybody who may list polls."""
    return await polls.LIST.page(tx, request)


@post("/", right=WRITE)
async def create_poll(data: PollCreate, tx: Work, caller: Caller) -> Response[Poll]:
    """Make a poll. It opens at once, unless it is a draft or ``opens_at`` is still to come."""
    poll = await editing.create(tx, data, caller.user_id)
    answer = versioned(editing.as_shown(poll, caller), poll.version, 201)
    answer.headers["location"] = f"/api/v1/polls/{poll.id}"
    return answer


@get("/{poll_id:uuid}", right=READ)
async def get_poll(poll_id: UUID, tx: Work, caller: Caller) -> Response[Poll]:
    """One poll. Only who runs it sees the right answer of a quiz here."""
    poll = await tx.one(polls.GET, id=poll_id)
    return versioned(editing.as_shown(poll, caller), poll.version)


@patch("/{poll_id:uuid}", right=WRITE, problems=(PollHasVotes, PollStays))
async def update_poll(
    poll_id: UUID, data: PollUpdate, tx: Work, caller: Caller, if_match: IfMatch = None
) -> Response[Poll]:
    """Change a poll. Once there are votes, only ``closes_at`` can be changed."""
    poll = await editing.update(tx, poll_id, data, caller, if_match)
    return versioned(editing.as_shown(poll, caller), poll.version)


@delete("/{poll_id:uuid}", right=WRITE)
async def delete_poll(poll_id: UUID, tx: Work, caller: Caller, if_match: IfMatch = None) -> None:
    """Delete a poll and its votes for good."""
    await editing.delete(tx, poll_id, caller, if_match)


@post("/{poll_id:uuid}/open", right=WRITE, status_code=200, problems=(PollStays,))
async def open_poll(
    poll_id: UUID, data: Opening, tx: Work, caller: Caller, if_match: IfMatch = None
) -> Response[Poll]:
    """Open a draft or scheduled poll now, or reopen a closed one. A poll whose closing has shown
    what was hidden from its voters stays closed."""
    poll = editing.check(await tx.one(polls.LOCK_STATE, id=poll_id), caller, if_match)
    opened = await lifecycle.open_now(tx, poll, data.closes_at, caller.user_id)
    return versioned(editing.as_shown(opened, caller), opened.version)


@post("/{poll_id:uuid}/close", right=WRITE, status_code=200, problems=(PollStays,))
async def close_poll(
    poll_id: UUID, tx: Work, caller: Caller, if_match: IfMatch = None
) -> Response[Poll]:
    """Take no more votes. The results are final when all that were cast are counted."""
    poll = editing.check(await tx.one(polls.LOCK_STATE, id=poll_id), caller, if_match)
    closed = await lifecycle.close_now(tx, poll, caller.user_id)
    return versioned(editing.as_shown(closed, caller), closed.version)


@get("/{poll_id:uuid}/export", right=WRITE, media_type="text/csv")
async def export_votes(poll_id: UUID, tx: Work, caller: Caller) -> Stream:
    """Every vote as a line of CSV. Receipts are what voters have been given."""
    poll = editing.check(await tx.one(polls.GET, id=poll_id), caller)
    file = await export.write_votes(tx, poll)
    headers = {"content-disposition": f'attachment; filename="poll-{poll_id}.csv"'}
    return Stream(export.read_chunks(file), media_type="text/csv", headers=headers)


ROUTES = (
    list_polls,
    create_poll,
    get_poll,
    update_poll,
    delete_poll,
    open_poll,
    close_poll,
    export_votes,
)
