"""The live channels of a poll: what is heard there, and by whom."""

import secrets
from uuid import UUID

from insula.access import PUBLIC
from insula.db import RowNotFound, Work
from insula.http.exchange import Caller
from insula.http.problem import Forbidden, Unauthenticated
from insula.realtime import Channel

from insula_tenants.polls.permissions import READ, VOTE
from insula_tenants.polls.queries import polls
from insula_tenants.polls.queries.polls import Stored
from insula_tenants.polls.schemas import Snapshot
from insula_tenants.polls.service.lifecycle import now, state_at
from insula_tenants.polls.service.results import are_shown, read_results


async def _find(tx: Work, poll_id: UUID) -> Stored:
    poll = await tx.one(polls.GET, id=poll_id)
    if poll.state == "draft":
        raise RowNotFound
    return poll


async def _authorize(tx: Work, caller: Caller | None, poll_id: UUID) -> None:
    poll = await _find(tx, poll_id)
    if poll.voters != "user":
        return
    if caller is None:
        raise Unauthenticated("This poll is for users of the tenant.")
    if not {READ, VOTE} & caller.scopes:
        raise Forbidden


async def _snapshot(tx: Work, caller: Caller | None, poll_id: UUID) -> Snapshot:
    poll = await _find(tx, poll_id)
    state = state_at(poll, now())
    if not are_shown(poll, state, has_voted=False):
        return Snapshot(state, None)
    return Snapshot(state, await read_results(tx, poll, state, revealed=state == "closed"))


async def _authorize_key(tx: Work, caller: Caller | None, poll_id: UUID, key: str) -> None:
    poll = await _find(tx, poll_id)
    if not secrets.compare_digest(poll.watch_key.encode(), key.encode()):
        raise RowNotFound


async def _snapshot_key(tx: Work, caller: Caller | None, poll_id: UUID, key: str) -> Snapshot:
    poll = await _find(tx, poll_id)
    state = state_at(poll, now())
    return Snapshot(state, await read_results(tx, poll, state, revealed=state == "closed"))


_PUBLIC, _KEYED = "polls/{poll_id:uuid}", "polls/{poll_id:uuid}/{key}"
CHANNELS = (
    Channel(pattern=_PUBLIC, right=PUBLIC, authorize=_authorize, snapshot=_snapshot),
    Channel(pattern=_KEYED, right=PUBLIC, authorize=_authorize_key, snapshot=_snapshot_key),
)
