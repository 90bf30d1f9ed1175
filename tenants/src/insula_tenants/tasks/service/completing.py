"""Doing a task, and taking that back."""

from datetime import datetime
from uuid import UUID

from insula.db import Work
from insula.db.ids import new_id
from insula.http.conditional import require_match

from insula_tenants.tasks import clock, events, schedule
from insula_tenants.tasks.errors import AlreadyDone, NotDone
from insula_tenants.tasks.queries import places
from insula_tenants.tasks.queries import tasks as queries
from insula_tenants.tasks.queries.tasks import Held
from insula_tenants.tasks.schemas.tasks import Task
from insula_tenants.tasks.service import reminders
from insula_tenants.tasks.service.standing import hold
from insula_tenants.tasks.service.telling import tell, tell_done


async def complete(tx: Work, task_id: UUID, user_id: UUID, if_match: str | None = None) -> Task:
    """Do a task. One that repeats moves on to its next time and stays open, until its rule ends.

    Its subtasks are done with it, or begin again with it.

    Raises:
        AlreadyDone: somebody was faster; a repeat is never counted twice with ``If-Match``.
    """
    held = await hold(tx, task_id, user_id)
    require_match(if_match, held.version)
    if held.done:
        raise AlreadyDone
    now = clock.now()
    next_time = schedule.advance(schedule.of(held), now)
    await _record(tx, held, user_id, now, next_time.skipped if next_time else 0)
    if next_time is None:
        task = await _finish(tx, held, user_id, now)
    else:
        task = await _come_again(tx, held, next_time.schedule, user_id)
    await tell_done(
        tx, task, visibility=held.visibility, actor=user_id, comes_again=next_time is not None
    )
    return task


async def _record(tx: Work, task: Task, user_id: UUID, now: datetime, skipped: int) -> None:
    await tx.execute(
        queries.INSERT_COMPLETION,
        id=new_id(),
        task_id=task.id,
        completed_by=user_id,
        completed_at=now,
        due_date=task.due_date,
        due_time=task.due_time,
        skipped=skipped,
    )


async def _finish(tx: Work, held: Held, user_id: UUID, now: datetime) -> Task:
    """The task and everything below it are done."""
    below = await tx.many(places.BELOW, id=held.id)
    done = await tx.many(queries.FINISH, ids=[held.id, *below], at=now, user_id=user_id)
    await reminders.call_off(tx, [task.id for task in done])
    for task in done:
        if task.id != held.id:
            await _record(tx, task, user_id, now, 0)
            await tell_done(tx, task, visibility=held.visibility, actor=user_id, comes_again=False)
    return next(task for task in done if task.id == held.id)


async def _come_again(tx: Work, held: Held, following: schedule.Schedule, user_id: UUID) -> Task:
    columns = following.columns()
    task = await tx.one(queries.update_columns(tuple(columns)), task_id=held.id, **columns)
    await reminders.move(tx, task, days=_days_between(held, task))
    below = await tx.many(places.BELOW, id=held.id)
    for restarted in await tx.many(queries.RESTART, ids=below) if below else ():
        await reminders.move(tx, restarted)
        await tell(tx, events.REOPENED, restarted, visibility=held.visibility, actor=user_id)
    return task


def _days_between(before: Task, after: Task) -> int:
    assert before.due_date is not None
    assert after.due_date is not None
    return (after.due_date - before.due_date).days


async def reopen(tx: Work, task_id: UUID, user_id: UUID, if_match: str | None = None) -> Task:
    """Take back that a task is done, and for what it is a subtask of, since that can't be done
    either.

    Raises:
        NotDone: it is open.
    """
    held = await hold(tx, task_id, user_id)
    require_match(if_match, held.version)
    if not held.done:
        raise NotDone
    above = await tx.many(places.ABOVE, id=task_id)
    opened = await tx.many(queries.RESTART, ids=[task_id, *above])
    for task in opened:
        await reminders.move(tx, task)
        await tell(tx, events.REOPENED, task, visibility=held.visibility, actor=user_id)
    return next(task for task in opened if task.id == task_id)
