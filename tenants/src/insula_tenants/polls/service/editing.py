"""Making and changing polls."""

from typing import Any
from uuid import UUID

import msgspec
from insula.db import Work
from insula.db.ids import new_id
from insula.events import emit
from insula.http.conditional import require_match
from insula.http.exchange import Caller
from insula.http.problem import Forbidden
from msgspec import UNSET

from insula_tenants.polls.channels import channels_of
from insula_tenants.polls.composing import as_given, compose
from insula_tenants.polls.errors import PollHasVotes, PollStays
from insula_tenants.polls.events import CREATED, DELETED, UPDATED, PollChanged, PollCreated
from insula_tenants.polls.permissions import MANAGE
from insula_tenants.polls.queries import polls
from insula_tenants.polls.queries.polls import Stored
from insula_tenants.polls.schemas import Poll, PollCreate, PollUpdate
from insula_tenants.polls.service.lifecycle import new_watch_key, now, schedule, state_at


def runs(caller: Caller | None, poll: Poll) -> bool:
    """Whether somebody runs the poll: its author does, and who may manage everybody's."""
    if caller is None:
        return False
    return caller.user_id == poll.author_id or MANAGE in caller.scopes


async def lock(tx: Work, poll_id: UUID, caller: Caller, if_match: str | None = None) -> Stored:
    """A poll that the caller runs, which nobody votes in or changes until the transaction ends.

    Raises:
        Forbidden: the caller does not run it.
        PreconditionFailed: somebody else changed it since it was read.
    """
    return check(await tx.one(polls.LOCK, id=poll_id), caller, if_match)


def check(poll: Stored, caller: Caller, if_match: str | None = None) -> Stored:
    """The poll, if the caller runs it and has read its present version."""
    if not runs(caller, poll):
        raise Forbidden("Only its author and those who manage polls may do this.")
    require_match(if_match, poll.version)
    return poll


def as_shown(poll: Stored, caller: Caller) -> Poll:
    """The poll as somebody may see it, in its state by the clock."""
    fields = {name: getattr(poll, name) for name in Poll.__struct_fields__}
    fields["state"] = state_at(poll, now())
    if not runs(caller, poll) and fields["state"] != "closed":
        fields |= {"correct": [], "explanation": ""}
    return Poll(**fields)


async def create(tx: Work, new: PollCreate, author_id: UUID) -> Stored:
    """Make a poll, and open it unless it is a draft or has its time still to come."""
    given = {
        name: value for name, value in msgspec.structs.asdict(new).items() if value is not UNSET
    }
    row = compose(given)
    if given.pop("draft"):
        state = "draft"
    elif row["opens_at"] is not None and row["opens_at"] > now():
        state = "scheduled"
    else:
        state = "open"
    poll = await tx.one(
        polls.INSERT,
        id=new_id(),
        author_id=author_id,
        watch_key=new_watch_key(),
        state=state,
        **row,
    )
    await tx.execute(polls.INSERT_TALLY, poll_id=poll.id)
    made = PollCreated(poll.id, poll.kind, poll.question)
    await emit(tx, CREATED, made, subject=f"polls/{poll.id}", actor=author_id)
    await schedule(tx, poll)
    return poll


async def update(
    tx: Work, poll_id: UUID, change: PollUpdate, caller: Caller, if_match: str | None
) -> Stored:
    """Change what is given.

    Raises:
        PollHasVotes: something else than ``closes_at`` of a poll with votes.
        InvalidInput: the parts do not fit together.
    """
    poll = await lock(tx, poll_id, caller, if_match)
    given = {
        name: value for name, value in msgspec.structs.asdict(change).items() if value is not UNSET
    }
    if not given:
        return poll
    await _check_changeable(tx, poll, given)
    row = compose(as_given(poll) | given)
    if poll.state != "draft":
        waits = row["opens_at"] is not None and row["opens_at"] > now()
        row["state"] = "scheduled" if waits else "open"
    changed = await tx.one(polls.update_columns(tuple(row)), poll_id=poll_id, **row)
    await schedule(tx, changed)
    told = PollChanged(poll.id, state_at(changed, now()))
    actor, channels = caller.user_id, channels_of(poll)
    await emit(tx, UPDATED, told, subject=f"polls/{poll.id}", actor=actor, channels=channels)
    return changed


async def _check_changeable(tx: Work, poll: Stored, given: dict[str, Any]) -> None:
    if state_at(poll, now()) == "closed":
        raise PollStays("The poll is closed.")
    if given.keys() == {"closes_at"}:
        return
    if await tx.one(polls.HAS_VOTES, poll_id=poll.id):
        raise PollHasVotes


async def delete(tx: Work, poll_id: UUID, caller: Caller, if_match: str | None) -> None:
    """Delete a poll, its votes and its tokens for good."""
    poll = await lock(tx, poll_id, caller, if_match)
    told, channels = PollChanged(poll.id, "deleted"), channels_of(poll)
    await tx.execute(polls.DELETE, poll_id=poll_id)
    subject, actor = f"polls/{poll.id}", caller.user_id
    await emit(tx, DELETED, told, subject=subject, actor=actor, channels=channels)
