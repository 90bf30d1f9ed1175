"""When a poll takes votes.

::

    draft ──open──> open ──close──> closed
      └──────────> scheduled ──┘        └──reopen──> open

The stored state follows the clock by jobs at ``opens_at`` and ``closes_at``. A job may be late; no
vote is: :func:`state_at` goes by the clock itself.
"""

import secrets
from datetime import UTC, datetime
from uuid import UUID

from insula.db import Work
from insula.events import EventType, emit
from insula.jobs import Job, JobContext, cancel, enqueue

from insula_tenants.polls.channels import channels_of
from insula_tenants.polls.errors import PollStays
from insula_tenants.polls.events import CLOSED, OPENED, PollChanged
from insula_tenants.polls.queries import polls, tallies
from insula_tenants.polls.queries.polls import Stored
from insula_tenants.polls.schemas import Poll
from insula_tenants.polls.service.tallying import CONCLUDE, TALLY, OfPoll


def now() -> datetime:
    return datetime.now(UTC)


def state_at(poll: Poll, moment: datetime) -> str:
    """The poll's state by the clock."""
    state = poll.state
    if state == "scheduled" and (poll.opens_at is None or poll.opens_at <= moment):
        state = "open"
    if state == "open" and poll.closes_at is not None and poll.closes_at <= moment:
        state = "closed"
    return state


async def open_now(
    tx: Work, poll: Stored, closes_at: datetime | None, actor: UUID | None
) -> Stored:
    """Open a draft or a scheduled poll ahead of time, or reopen a closed one.

    Raises:
        PollStays: it is open; or closing it has shown what was hidden from its voters.
    """
    state = state_at(poll, now())
    if state == "open":
        raise PollStays("The poll is open already.")
    if state == "closed" and _closing_told(poll):
        raise PollStays("Closing it has shown what was hidden while people voted.")
    changes = {"state": "open", "opens_at": now(), "closes_at": closes_at, "closed_at": None}
    changed = await _write(tx, poll.id, **changes, watch_key=new_watch_key())
    await tx.execute(tallies.SET_FINAL, id=poll.id, final=False)
    await schedule(tx, changed)
    await _tell(tx, OPENED, poll, "open", actor)
    return changed


def _closing_told(poll: Stored) -> bool:
    return poll.results == "after_close" or (poll.kind == "quiz" and poll.reveal == "after_close")


async def close_now(tx: Work, poll: Stored, actor: UUID | None) -> Stored:
    """Take no more votes. The final result follows when those in flight are counted.

    Raises:
        PollStays: it is not open.
    """
    if poll.state == "closed" or state_at(poll, now()) in ("draft", "scheduled"):
        raise PollStays("Only an open poll can be closed.")
    closed_at = min(now(), poll.closes_at or now())
    changed = await _write(tx, poll.id, state="closed", closed_at=closed_at)
    await cancel(tx, key=_close_key(poll.id))
    await enqueue(tx, CONCLUDE, OfPoll(poll.id))
    await _tell(tx, CLOSED, poll, "closed", actor)
    return changed


async def _write(tx: Work, poll_id: UUID, **changes: object) -> Stored:
    return await tx.one(polls.update_columns(tuple(changes)), poll_id=poll_id, **changes)


async def _tell(
    tx: Work, kind: EventType[PollChanged], poll: Stored, state: str, actor: UUID | None
) -> None:
    told = PollChanged(poll.id, state)
    channels = channels_of(poll)
    await emit(tx, kind, told, subject=f"polls/{poll.id}", actor=actor, channels=channels)


def new_watch_key() -> str:
    return secrets.token_urlsafe(12)


# By the clock


def _open_key(poll_id: UUID) -> str:
    return f"polls.open:{poll_id}"


def _close_key(poll_id: UUID) -> str:
    return f"polls.close:{poll_id}"


async def schedule(tx: Work, poll: Stored) -> None:
    """Have the poll open and close at its times, and at no others."""
    opens = poll.opens_at if poll.state == "scheduled" else None
    closes = poll.closes_at if poll.state in ("scheduled", "open") else None
    for job, at, key in ((OPEN, opens, _open_key(poll.id)), (CLOSE, closes, _close_key(poll.id))):
        if at is None:
            await cancel(tx, key=key)
        else:
            await enqueue(tx, job, OfPoll(poll.id), at=at, key=key)


async def take_up(tx: Work) -> None:
    """What an archive has brought goes on: its jobs did not come along."""
    for poll in await tx.many(polls.RUNNING):
        await schedule(tx, poll)
    for poll_id in await tx.many(tallies.WAITING):
        await enqueue(tx, TALLY, OfPoll(poll_id), key=f"polls.tally:{poll_id}")
    for poll_id in await tx.many(tallies.UNFINISHED):
        await enqueue(tx, CONCLUDE, OfPoll(poll_id))


async def _run_open(context: JobContext, job: OfPoll) -> None:
    async with context.transaction() as tx:
        poll = await tx.find(polls.LOCK_STATE, id=job.poll_id)
        if poll is None or poll.state != "scheduled":
            return
        if poll.opens_at is not None and poll.opens_at > now():  # moved, or clocks differ
            await schedule(tx, poll)
            return
        await _write(tx, poll.id, state="open")
        await _tell(tx, OPENED, poll, "open", None)


async def _run_close(context: JobContext, job: OfPoll) -> None:
    async with context.transaction() as tx:
        poll = await tx.find(polls.LOCK_STATE, id=job.poll_id)
        if poll is None or poll.state not in ("scheduled", "open") or poll.closes_at is None:
            return
        if poll.closes_at > now():
            await schedule(tx, poll)
            return
        await close_now(tx, poll, None)


OPEN = Job(name="polls.open", args=OfPoll, run=_run_open, summary="Open a poll.", attempts=10)
CLOSE = Job(name="polls.close", args=OfPoll, run=_run_close, summary="Close a poll.", attempts=10)
