"""Live channels: a project's tasks, and one's own reminders."""

from typing import Any
from uuid import UUID

from insula.db import RowNotFound, Work
from insula.http.exchange import Caller
from insula.http.problem import Forbidden, NotFound, Unauthenticated
from insula.realtime import Channel

from insula_tenants.tasks.permissions import READ
from insula_tenants.tasks.queries import tasks as queries
from insula_tenants.tasks.service.standing import reading


async def watch_project(tx: Work, caller: Caller | None, project_id: str) -> None:
    """Whoever sees the project may watch it."""
    user_id = _reader(caller)
    try:
        await reading(tx, UUID(project_id), user_id)
    except (ValueError, RowNotFound) as error:
        raise NotFound from error


async def open_tasks(tx: Work, caller: Caller | None, project_id: str) -> Any:
    """The first 500 open tasks, in their order."""
    return await tx.many(queries.OPEN_OF_PROJECT, project_id=UUID(project_id))


async def watch_reminders(tx: Work, caller: Caller | None, user_id: str) -> None:
    """Everybody may watch their own."""
    if str(_reader(caller)) != user_id:
        raise NotFound


def _reader(caller: Caller | None) -> UUID:
    if caller is None:
        raise Unauthenticated
    if READ not in caller.scopes:
        raise Forbidden(f"This needs the scope {READ!r}.")
    return caller.user_id


CHANNELS = (
    Channel(pattern="tasks/{project_id}", authorize=watch_project, snapshot=open_tasks),
    Channel(pattern="tasks/reminders/{user_id}", authorize=watch_reminders),
)
