"""Writing down what happened, without giving private projects away."""

from typing import Any
from uuid import UUID

from insula.db import Work
from insula.events import EventType, emit

from insula_tenants.tasks.events import (
    COMPLETED,
    DELETED,
    ProjectEvent,
    TaskCompleted,
    TaskEvent,
    TaskGone,
)
from insula_tenants.tasks.schemas.tasks import Task


def channel(project_id: UUID) -> str:
    return f"tasks/{project_id}"


async def tell(
    tx: Work,
    kind: EventType[TaskEvent],
    task: Task,
    *,
    visibility: str,
    actor: UUID,
    changed: tuple[str, ...] = (),
    also_in: tuple[str, ...] = (),
) -> None:
    """A task was made or changed."""
    title = task.title if visibility == "tenant" else ""
    data = TaskEvent(task.id, task.project_id, task.version, title, changed)
    channels = tuple({channel(task.project_id): None, **dict.fromkeys(also_in)})
    await emit(tx, kind, data, subject=f"tasks/{task.id}", actor=actor, channels=channels)


async def tell_done(
    tx: Work, task: Task, *, visibility: str, actor: UUID, comes_again: bool
) -> None:
    data = TaskCompleted(
        task.id,
        task.project_id,
        task.version,
        task.title if visibility == "tenant" else "",
        task.due_at if comes_again else None,
    )
    where = (channel(task.project_id),)
    await emit(tx, COMPLETED, data, subject=f"tasks/{task.id}", actor=actor, channels=where)


async def tell_gone(tx: Work, task_id: UUID, project_id: UUID, actor: UUID) -> None:
    data = TaskGone(task_id, project_id)
    where = (channel(project_id),)
    await emit(tx, DELETED, data, subject=f"tasks/{task_id}", actor=actor, channels=where)


async def tell_of_project(tx: Work, kind: EventType[Any], project: Any, actor: UUID) -> None:
    project_id = getattr(project, "project_id", None) or project.id
    data = ProjectEvent(project_id, project.title if project.visibility == "tenant" else "")
    where = (channel(project_id),)
    await emit(tx, kind, data, subject=f"projects/{project_id}", actor=actor, channels=where)
