"""Live channels: the tasks of a project, and who is looking at them. One's own reminders come in
the core's channel ``users/{user_id}``."""

from uuid import UUID

from insula.db import Work
from insula.http.exchange import Caller
from insula.realtime import Channel

from insula_tenants.tasks.permissions import READ
from insula_tenants.tasks.queries import tasks as queries
from insula_tenants.tasks.schemas.tasks import Task
from insula_tenants.tasks.service.standing import reading


async def may_watch(tx: Work, caller: Caller | None, project_id: UUID) -> None:
    """Whoever sees the project may watch it."""
    assert caller is not None  # the right sees to it
    await reading(tx, project_id, caller.user_id)


async def open_tasks(tx: Work, caller: Caller | None, project_id: UUID) -> list[Task]:
    """The first 500 open tasks, in their order."""
    return await tx.many(queries.OPEN_OF_PROJECT, project_id=project_id)


CHANNELS = (
    Channel(
        pattern="tasks/{project_id:uuid}",
        right=READ,
        authorize=may_watch,
        snapshot=open_tasks,
        presence=True,
    ),
)
