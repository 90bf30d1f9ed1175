"""Who sees a project, who works in it, and who rules it.

A private project exists for its members alone: to everybody else it is not found, admins of the
tenant included. One that the whole tenant sees is worked in by whoever may write tasks, unless
they were made a viewer of it.
"""

from uuid import UUID

from insula.db import Work

from insula_tenants.tasks.errors import ProjectNotYours, ProjectReadOnly
from insula_tenants.tasks.queries import projects
from insula_tenants.tasks.queries import tasks as queries
from insula_tenants.tasks.queries.projects import Standing
from insula_tenants.tasks.queries.tasks import Held


async def reading(tx: Work, project_id: UUID, user_id: UUID) -> Standing:
    """The project as the user sees it.

    Raises:
        RowNotFound: they don't.
    """
    return await tx.one(projects.STANDING, project_id=project_id, viewer=user_id)


async def writing(tx: Work, project_id: UUID, user_id: UUID, *, lock: bool = False) -> Standing:
    """The same for somebody who wants to change its tasks; ``lock`` keeps others from moving them
    until the transaction ends.

    Raises:
        RowNotFound, ProjectReadOnly: they don't see it, or may not.
    """
    statement = projects.LOCK if lock else projects.STANDING
    standing = await tx.one(statement, project_id=project_id, viewer=user_id)
    require_writer(standing)
    return standing


async def ruling(tx: Work, project_id: UUID, user_id: UUID) -> Standing:
    """The same for an owner, locked.

    Raises:
        RowNotFound, ProjectNotYours: they don't see it, or don't own it.
    """
    standing = await tx.one(projects.LOCK, project_id=project_id, viewer=user_id)
    if standing.role != "owner":
        raise ProjectNotYours
    return standing


def require_writer(seen: Standing | Held) -> None:
    may = seen.role in ("owner", "editor") or (seen.role is None and seen.visibility == "tenant")
    if not may:
        raise ProjectReadOnly


async def hold(tx: Work, task_id: UUID, user_id: UUID) -> Held:
    """A task to change, locked.

    Raises:
        RowNotFound, ProjectReadOnly: the user doesn't see it, or may not change it.
    """
    task = await tx.one(queries.HOLD, id=task_id, viewer=user_id)
    require_writer(task)
    return task


async def watch(tx: Work, task_id: UUID, user_id: UUID) -> Held:
    """A task to read.

    Raises:
        RowNotFound: the user doesn't see it.
    """
    return await tx.one(queries.WATCH, id=task_id, viewer=user_id)
