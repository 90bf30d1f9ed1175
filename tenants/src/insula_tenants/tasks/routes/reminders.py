"""The caller's own reminders of a task."""

from uuid import UUID

from insula.db import Work
from insula.http.exchange import Caller
from litestar import delete, get, post

from insula_tenants.tasks.errors import AlreadyDone, TooMany
from insula_tenants.tasks.permissions import READ, WRITE
from insula_tenants.tasks.schemas.around import Reminder, ReminderCreate, ReminderSnooze
from insula_tenants.tasks.service import reminders as service


@get("/{task_id:uuid}/reminders", right=READ)
async def list_reminders(task_id: UUID, tx: Work, caller: Caller) -> list[Reminder]:
    """When the caller is reminded of the task."""
    return await service.list_own(tx, task_id, caller.user_id)


@post("/{task_id:uuid}/reminders", right=WRITE, problems=(AlreadyDone, TooMany))
async def create_reminder(
    task_id: UUID, data: ReminderCreate, tx: Work, caller: Caller
) -> Reminder:
    """Be reminded of a task, so long before it is due or at an instant."""
    return await service.create(tx, task_id, data, caller.user_id)


@post(
    "/{task_id:uuid}/reminders/{reminder_id:uuid}/snooze",
    right=WRITE,
    status_code=200,
    problems=(AlreadyDone,),
)
async def snooze_reminder(
    task_id: UUID, reminder_id: UUID, data: ReminderSnooze, tx: Work, caller: Caller
) -> Reminder:
    """Be reminded again in some minutes."""
    return await service.snooze(tx, task_id, reminder_id, data.minutes, caller.user_id)


@delete("/{task_id:uuid}/reminders/{reminder_id:uuid}", right=WRITE)
async def delete_reminder(task_id: UUID, reminder_id: UUID, tx: Work, caller: Caller) -> None:
    """Not be reminded after all."""
    await service.delete(tx, task_id, reminder_id, caller.user_id)


ROUTES = (list_reminders, create_reminder, snooze_reminder, delete_reminder)
