"""Making, reading, changing and deleting tasks."""

from typing import Any
from uuid import UUID

from insula.db import Work
from insula.http.conditional import IfMatch, versioned
from insula.http.exchange import Caller
from insula.http.listing import Page
from litestar import Request, Response, delete, get, patch, post

from insula_tenants.tasks.errors import (
    AlreadyDone,
    NotDone,
    ProjectReadOnly,
    TooDeep,
    TooMany,
    WouldCircle,
)
from insula_tenants.tasks.permissions import READ, WRITE
from insula_tenants.tasks.queries import tasks as queries
from insula_tenants.tasks.schemas.tasks import Task, TaskCreate, TaskMove, TaskUpdate
from insula_tenants.tasks.service import completing, moving
from insula_tenants.tasks.service import tasks as service


@get("/", right=READ, listing=queries.LIST)
async def list_tasks(request: Request[Any, Any, Any], tx: Work, caller: Caller) -> Page[Task]:
    """The tasks of all projects that the caller sees, in the order that they were given by hand.
    What is overdue: ``?done=false&due_at[lt]=<now>&sort=due_at``."""
    return await queries.LIST.page(tx, request, viewer=caller.user_id)


@post("/", right=WRITE, problems=(ProjectReadOnly, TooDeep, TooMany))
async def create_task(data: TaskCreate, tx: Work, caller: Caller) -> Response[Task]:
    """Make a task, in a project, below another task, or in one's inbox."""
    return made(await service.create(tx, data, caller.user_id))


def made(task: Task) -> Response[Task]:
    answer = versioned(task, task.version, 201)
    answer.headers["location"] = f"/api/v1/tasks/{task.id}"
    return answer


@get("/{task_id:uuid}", right=READ)
async def get_task(task_id: UUID, tx: Work, caller: Caller) -> Response[Task]:
    """One task."""
    task = await tx.one(queries.GET, id=task_id, viewer=caller.user_id)
    return versioned(task, task.version)


@patch("/{task_id:uuid}", right=WRITE, problems=(ProjectReadOnly,))
async def update_task(
    task_id: UUID, data: TaskUpdate, tx: Work, caller: Caller, if_match: IfMatch = None
) -> Response[Task]:
    """Change what is given. A repeating task that is put off counts from its new date."""
    task = await service.update(tx, task_id, data, caller.user_id, if_match)
    return versioned(task, task.version)


@delete("/{task_id:uuid}", right=WRITE, problems=(ProjectReadOnly,))
async def delete_task(task_id: UUID, tx: Work, caller: Caller, if_match: IfMatch = None) -> None:
    """Delete a task and its subtasks for good."""
    await service.delete(tx, task_id, caller.user_id, if_match)


@post(
    "/{task_id:uuid}/complete",
    right=WRITE,
    status_code=200,
    problems=(ProjectReadOnly, AlreadyDone),
)
async def complete_task(
    task_id: UUID, tx: Work, caller: Caller, if_match: IfMatch = None
) -> Response[Task]:
    """Do a task, with its subtasks. One that repeats stays open and is due at its next time; send
    ``If-Match`` so that two people who tick it at once count once."""
    task = await completing.complete(tx, task_id, caller.user_id, if_match)
    return versioned(task, task.version)


@post("/{task_id:uuid}/reopen", right=WRITE, status_code=200, problems=(ProjectReadOnly, NotDone))
async def reopen_task(
    task_id: UUID, tx: Work, caller: Caller, if_match: IfMatch = None
) -> Response[Task]:
    """Take back that a task is done; what it is a subtask of is open again, too."""
    task = await completing.reopen(tx, task_id, caller.user_id, if_match)
    return versioned(task, task.version)


@post(
    "/{task_id:uuid}/move",
    right=WRITE,
    status_code=200,
    problems=(ProjectReadOnly, WouldCircle, TooDeep, TooMany),
)
async def move_task(
    task_id: UUID, data: TaskMove, tx: Work, caller: Caller, if_match: IfMatch = None
) -> Response[Task]:
    """Move a task with its subtasks: in front of or behind another, below one, to a project."""
    task = await moving.move(tx, task_id, data, caller.user_id, if_match)
    return versioned(task, task.version)


ROUTES = (
    list_tasks, create_task, get_task, update_task, delete_task, complete_task, reopen_task,
    move_task,
)  # fmt: skip
