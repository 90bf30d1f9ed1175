"""Reminders: one waiting job each, moved when the task's time moves, called off with the task."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from insula.db import RowNotFound, Work
from insula.db.ids import new_id
from insula.events import emit
from insula.http.problem import FieldError, InvalidInput
from insula.i18n import say
from insula.i18n.formatting import format_day
from insula.jobs import Job, JobContext, cancel, enqueue
from insula.mail import send_mail

from insula_tenants.tasks import clock, durations
from insula_tenants.tasks.errors import AlreadyDone, TooMany
from insula_tenants.tasks.events import REMINDER_SENT, ReminderSent
from insula_tenants.tasks.queries import around as queries
from insula_tenants.tasks.schemas.around import Reminder, ReminderCreate
from insula_tenants.tasks.schemas.tasks import Task
from insula_tenants.tasks.service.standing import watch

MOST = 20
"""Reminders that one user has for one task."""


class Remind(msgspec.Struct, frozen=True):
    reminder_id: UUID
    fires_at: datetime


async def run(context: JobContext, args: Remind) -> str:
    """Remind somebody, unless the task is done or the reminder was moved since."""
    async with context.transaction() as tx:
        due = await tx.find(queries.SEND, id=args.reminder_id, fires_at=args.fires_at)
        if due is None:
            return "not needed any more"
        data = ReminderSent(args.reminder_id, due.task_id, due.project_id, due.user_id)
        where = (f"users/{due.user_id}",)
        locale = due.locale or context.tenant.locale
        await emit(tx, REMINDER_SENT, data, subject=f"tasks/{due.task_id}", channels=where)
        await send_mail(
            tx,
            template="tasks.reminder",
            to=due.email,
            to_name=due.name,
            context={
                "name": due.name,
                "title": due.title,
                "project": due.project,
                "due": _in_words(due, locale),
            },
            locale=locale,
        )
    return "sent"


def _in_words(due: queries.DueReminder, locale: str) -> str:
    """When it is due, on the clock of its zone; empty for a task without a date."""
    if due.due_date is None:
        return ""
    day = format_day(due.due_date, locale)
    return day if due.due_time is None else f"{day}, {due.due_time:%H:%M} ({due.zone})"


REMIND = Job(name="tasks.remind", args=Remind, run=run, summary="Remind somebody of a task")


def _key(reminder_id: UUID) -> str:
    return f"tasks.remind:{reminder_id}"


async def create(tx: Work, task_id: UUID, new: ReminderCreate, user_id: UUID) -> Reminder:
    """A reminder of the caller's own.

    Raises:
        AlreadyDone: there is nothing to be reminded of.
        InvalidInput: the duration is none, or the moment is past.
    """
    task = await watch(tx, task_id, user_id)
    if task.done:
        raise AlreadyDone
    before = new.before if new.before is not None or new.at is not None else "PT0S"
    fires_at = _checked(task, before, new.at)
    mine = await tx.many(queries.REMINDERS_OF_USER, task_id=task_id, user_id=user_id)
    if len(mine) >= MOST:
        raise TooMany(say("At most {most} reminders of one task.", most=MOST))
    reminder = await tx.one(
        queries.INSERT_REMINDER,
        id=new_id(),
        task_id=task_id,
        user_id=user_id,
        before=before,
        at=new.at,
        fires_at=fires_at,
    )
    await _arm(tx, reminder)
    return reminder


def _checked(task: Task, before: str | None, at: datetime | None) -> datetime | None:
    if before is not None and at is not None:
        raise InvalidInput(errors=(FieldError("/at", "excludes before"),))
    if at is not None:
        if not clock.now() < at < clock.instant(clock.LAST_DAY, clock.MORNING, "UTC"):
            raise InvalidInput(errors=(FieldError("/at", "is not in the future"),))
        return at
    try:
        durations.parse(before or "")
        return _fires_at(task, before, None)
    except durations.DurationRefused as error:
        raise InvalidInput(errors=(FieldError("/before", str(error)),)) from error


def _fires_at(task: Task, before: str | None, at: datetime | None) -> datetime | None:
    if before is None:
        return at
    if task.due_date is None:
        return None
    return durations.before(before, task.due_date, task.due_time, task.zone)


async def _arm(tx: Work, reminder: Reminder) -> None:
    """Have the job wait for the reminder's time; none for a time that has passed."""
    if reminder.fires_at is None or reminder.sent_at or reminder.fires_at <= clock.now():
        await cancel(tx, key=_key(reminder.id))
        return
    args = Remind(reminder.id, reminder.fires_at)
    await enqueue(tx, REMIND, args, at=reminder.fires_at, key=_key(reminder.id))


async def move(tx: Work, task: Task, *, days: int = 0) -> None:
    """The task is due at another time, or open again. What was to come at an instant of its own
    keeps its time of day, ``days`` later."""
    for reminder in await tx.many(queries.REMINDERS_OF_TASK, task_id=task.id):
        at = _later(reminder.at, days, task.zone)
        fires_at = _fires_at(task, reminder.before, at)
        is_ahead = fires_at is not None and fires_at > clock.now()
        moved = await tx.one(
            queries.MOVE_REMINDER,
            reminder_id=reminder.id,
            at=at,
            fires_at=fires_at,
            sent_at=None if is_ahead else reminder.sent_at,
        )
        if task.done:
            await cancel(tx, key=_key(reminder.id))
        else:
            await _arm(tx, moved)


def _later(at: datetime | None, days: int, zone: str) -> datetime | None:
    if at is None or days == 0:
        return at
    moved = clock.local(at, zone) + timedelta(days=days)
    return clock.instant(moved.date(), moved.time(), zone)


async def snooze(
    tx: Work, task_id: UUID, reminder_id: UUID, minutes: int, user_id: UUID
) -> Reminder:
    """Have it come (again) in some minutes.

    Raises:
        AlreadyDone: the task is done meanwhile.
    """
    task = await watch(tx, task_id, user_id)
    if task.done:
        raise AlreadyDone
    reminder = await tx.one(queries.LOCK_REMINDER, id=reminder_id, task_id=task_id, user_id=user_id)
    fires_at = clock.now() + timedelta(minutes=minutes)
    moved = await tx.one(
        queries.MOVE_REMINDER,
        reminder_id=reminder_id,
        at=reminder.at,
        fires_at=fires_at,
        sent_at=None,
    )
    await _arm(tx, moved)
    return moved


async def list_own(tx: Work, task_id: UUID, user_id: UUID) -> list[Reminder]:
    await watch(tx, task_id, user_id)
    return await tx.many(queries.REMINDERS_OF_USER, task_id=task_id, user_id=user_id)


async def delete(tx: Work, task_id: UUID, reminder_id: UUID, user_id: UUID) -> None:
    mine = {"id": reminder_id, "task_id": task_id, "user_id": user_id}
    if await tx.execute(queries.DELETE_REMINDER, **mine) == 0:
        raise RowNotFound
    await cancel(tx, key=_key(reminder_id))


async def call_off(tx: Work, task_ids: list[UUID]) -> None:
    """The tasks are done or deleted: nobody is reminded of them."""
    await _cancel(tx, await tx.many(queries.REMINDER_IDS, task_ids=task_ids))


async def call_off_project(tx: Work, project_id: UUID) -> None:
    await _cancel(tx, await tx.many(queries.REMINDER_IDS_OF_PROJECT, project_id=project_id))


async def call_off_member(tx: Work, project_id: UUID, user_id: UUID) -> None:
    """Somebody does not see the project any more."""
    ended: dict[str, Any] = {"project_id": project_id, "user_id": user_id}
    await _cancel(tx, await tx.many(queries.DELETE_REMINDERS_OF_MEMBER, **ended))


async def _cancel(tx: Work, reminder_ids: Iterable[UUID]) -> None:
    for reminder_id in reminder_ids:
        await cancel(tx, key=_key(reminder_id))
