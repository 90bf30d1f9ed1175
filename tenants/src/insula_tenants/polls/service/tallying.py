"""From votes to numbered deltas, exactly.

A vote inserts a row into ``polls_changes`` and emits an event, in its own transaction. When the
event arrives, the row is committed; :func:`notice` then counts, or sees to it that a job does as
soon as :data:`PAUSE` has passed since the last time. :func:`count` takes what waits, adds it to the
counts, gives the result its next number and emits the delta. All that is one transaction: whatever
crashes, the counts are the sum of the deltas up to their number, and a vote is either in them or
in ``polls_changes``.
"""

from uuid import UUID

import msgspec
from insula.db import Work
from insula.events import Event, Listener, emit
from insula.jobs import Job, JobContext, enqueue

from insula_tenants.polls.channels import channels_of, result_channel
from insula_tenants.polls.events import CAST, CONCLUDED, TALLIED, PollConcluded, TallyChanged
from insula_tenants.polls.queries import polls, tallies


class OfPoll(msgspec.Struct, frozen=True):
    """Which poll a job is about."""

    poll_id: UUID


async def count(tx: Work, poll_id: UUID) -> None:
    """Take in the votes that wait."""
    if await tx.find(tallies.BEGIN, poll_id=poll_id) is None:
        return  # the poll was deleted
    taken = await tx.one(tallies.TAKE, poll_id=poll_id)
    if not taken.voters and not taken.counts:
        return
    if taken.counts:
        await tx.execute(tallies.ADD, poll_id=poll_id, counts=taken.counts)
        await tx.execute(tallies.DROP_ZEROS, poll_id=poll_id)
    number = await tx.one(tallies.ADVANCE, poll_id=poll_id, more=taken.voters)
    poll = await tx.one(polls.GET, id=poll_id)
    await emit(
        tx,
        TALLIED,
        TallyChanged(poll_id, number, taken.voters, taken.counts),
        subject=f"polls/{poll_id}",
        channels=(result_channel(poll),),
    )


async def _run_count(context: JobContext, job: OfPoll) -> None:
    async with context.transaction() as tx:
        await count(tx, job.poll_id)


TALLY = Job(
    name="polls.tally",
    args=OfPoll,
    run=_run_count,
    summary="Count the votes that have come in.",
    attempts=10,
)


async def notice(tx: Work, event: Event) -> None:
    """Votes are in, this one the last: have them counted, at most every :data:`PAUSE`."""
    poll_id = UUID(event.data["poll_id"])
    due = await tx.find(tallies.CLAIM, poll_id=poll_id)
    if due is None:
        return  # a job waits that will see this vote, or the poll was deleted
    if due.at_once:
        await count(tx, poll_id)
    else:
        await enqueue(tx, TALLY, OfPoll(poll_id), at=due.due_at, key=f"polls.tally:{poll_id}")


NOTICE = Listener("polls.notice_votes", (CAST.name,), notice, latest=True)


async def conclude(tx: Work, poll_id: UUID) -> None:
    """Count a closed poll for good, after the votes that were being cast when it closed."""
    poll = await tx.find(polls.LOCK, id=poll_id)
    if poll is None or poll.state != "closed":
        return  # deleted or reopened meanwhile
    await count(tx, poll_id)
    await tx.execute(tallies.SET_FINAL, id=poll_id, final=True)
    tally = await tx.one(tallies.GET, poll_id=poll_id)
    await emit(
        tx,
        CONCLUDED,
        PollConcluded(poll_id, tally.number, tally.voters, tally.counts),
        subject=f"polls/{poll_id}",
        channels=channels_of(poll),
    )


async def _run_conclude(context: JobContext, job: OfPoll) -> None:
    async with context.transaction() as tx:
        await conclude(tx, job.poll_id)


CONCLUDE = Job(
    name="polls.conclude",
    args=OfPoll,
    run=_run_conclude,
    summary="Count a closed poll for good.",
    attempts=10,
)
