"""Todos: the tasks of one project, as Todo-Backend clients know them."""

from uuid import UUID

from insula.db import RowNotFound, Work
from msgspec import UNSET

from insula_tenants.tasks import events
from insula_tenants.tasks.queries import tasks as queries
from insula_tenants.tasks.schemas.tasks import Task, TaskCreate, TaskUpdate
from insula_tenants.tasks.schemas.todos import TodoCreate, TodoUpdate
from insula_tenants.tasks.service import completing, reminders, tasks
from insula_tenants.tasks.service.standing import hold, reading, writing
from insula_tenants.tasks.service.telling import tell, tell_gone


async def list_all(tx: Work, project_id: UUID, user_id: UUID) -> list[Task]:
    await reading(tx, project_id, user_id)
    return await tx.many(queries.ALL_OF_PROJECT, project_id=project_id)


async def create(tx: Work, project_id: UUID, new: TodoCreate, user_id: UUID) -> Task:
    position = new.order if isinstance(new.order, int) else None
    made = TaskCreate(title=new.title, project_id=project_id)
    task = await tasks.create(tx, made, user_id, position=position)
    return await completing.complete(tx, task.id, user_id) if new.completed else task


async def find(tx: Work, project_id: UUID, task_id: UUID, user_id: UUID) -> Task:
    """The todo.

    Raises:
        RowNotFound: there is none, or it is in another project.
    """
    task = await tx.one(queries.GET, id=task_id, viewer=user_id)
    if task.project_id != project_id:
        raise RowNotFound
    return task


async def update(
    tx: Work, project_id: UUID, task_id: UUID, change: TodoUpdate, user_id: UUID
) -> Task:
    task = await find(tx, project_id, task_id, user_id)
    if change.title is not UNSET:
        task = await tasks.update(tx, task_id, TaskUpdate(title=change.title), user_id)
    if change.order is not UNSET:
        task = await _put(tx, task_id, change.order, user_id)
    if change.completed is not UNSET and change.completed != task.done:
        turn = completing.complete if change.completed else completing.reopen
        task = await turn(tx, task_id, user_id)
    return task


async def _put(tx: Work, task_id: UUID, position: int, user_id: UUID) -> Task:
    """Where the client says, exactly."""
    held = await hold(tx, task_id, user_id)
    statement = queries.update_columns(("position",))
    task = await tx.one(statement, task_id=task_id, position=position)
    await tell(tx, events.MOVED, task, visibility=held.visibility, actor=user_id)
    return task


async def delete(tx: Work, project_id: UUID, task_id: UUID, user_id: UUID) -> None:
    await find(tx, project_id, task_id, user_id)
    await tasks.delete(tx, task_id, user_id)


async def delete_all(tx: Work, project_id: UUID, user_id: UUID) -> None:
    """Empty the project."""
    await writing(tx, project_id, user_id, lock=True)
    await reminders.call_off_project(tx, project_id)
    for task_id in await tx.many(queries.DELETE_ALL, project_id=project_id):
        await tell_gone(tx, task_id, project_id, user_id)
