"""Tasks at ``/graphql``."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import strawberry
from insula.graphql import (
    Context,
    Graph,
    Info,
    connection,
    field,
    input_of,
    key_of,
    node,
    read,
    subscription,
)
from insula.graphql.core import User, load_users
from insula.http.conditional import etag_of
from strawberry.scalars import JSON

from insula_tenants.tasks.permissions import READ, WRITE
from insula_tenants.tasks.queries import projects as project_queries
from insula_tenants.tasks.queries import tasks as task_queries
from insula_tenants.tasks.schemas import around, projects, tasks
from insula_tenants.tasks.service import completing, moving, quick, telling
from insula_tenants.tasks.service import projects as project_service
from insula_tenants.tasks.service import tasks as task_service


def _viewer(context: Context, _: Any) -> dict[str, Any]:
    return {"viewer": context.caller.user_id}


async def load_tasks(context: Context, ids: list[UUID]) -> list[tasks.Task]:
    return await context.tx.many(task_queries.GET_MANY, ids=ids, viewer=context.caller.user_id)


async def load_projects(context: Context, ids: list[UUID]) -> list[projects.Project]:
    return await context.tx.many(project_queries.GET_MANY, ids=ids, viewer=context.caller.user_id)


@node(projects.Project, load=load_projects, right=READ)
class Project:
    """Something that takes several tasks."""


async def _author(root: strawberry.Parent[tasks.Task], info: Info) -> User | None:
    """Who has made it."""
    return await info.context.load(load_users, root.author_id)


async def _assignees(root: strawberry.Parent[tasks.Task], info: Info) -> list[User]:
    """Who is to do it."""
    load = info.context.load
    found = await asyncio.gather(*(load(load_users, each) for each in root.assignee_ids))
    return [each for each in found if each is not None]


async def _project(root: strawberry.Parent[tasks.Task], info: Info) -> Project:
    """Where it belongs."""
    return await info.context.load(load_projects, root.project_id)


@node(tasks.Task, load=load_tasks, right=READ)
class Task:
    """Something to be done."""

    position: float = strawberry.field(description="The order by hand, with gaps.")
    author: User | None = field(right="users:read")(_author)
    assignees: list[User] = field(right="users:read")(_assignees)
    project: Project = field(right=READ)(_project)


TaskCreate = input_of(tasks.TaskCreate)
TaskUpdate = input_of(tasks.TaskUpdate)
TaskMove = input_of(tasks.TaskMove)
ProjectCreate = input_of(projects.ProjectCreate)


@strawberry.type
class Query:
    tasks = connection(
        task_queries.LIST,
        Task,
        right=READ,
        params=_viewer,
        description="The tasks of all projects that you see; `project_id` filters one.",
    )
    projects = connection(
        project_queries.LIST, Project, right=READ, params=_viewer, description="What you see."
    )


@strawberry.type
class Mutation:
    @field(right=WRITE)
    async def create_project(self, info: Info, project: ProjectCreate) -> Project:
        """Begin a project."""
        new = read(project, projects.ProjectCreate)
        return await project_service.create(info.context.tx, new, info.context.caller.user_id)

    @field(right=WRITE)
    async def create_task(self, info: Info, task: TaskCreate) -> Task:
        """Make a task, in a project, below another task, or in one's inbox."""
        new = read(task, tasks.TaskCreate)
        return await task_service.create(info.context.tx, new, info.context.caller.user_id)

    @field(right=WRITE)
    async def quick_add_task(self, info: Info, text: str, zone: str = "UTC") -> Task:
        """Make a task of a line such as `Pay rent tomorrow 9am #home !1 every month`."""
        said = read({"text": text, "zone": zone}, around.QuickAdd)
        return await quick.add(info.context.tx, said, info.context.caller.user_id)

    @field(right=WRITE)
    async def update_task(
        self, info: Info, id: strawberry.ID, changes: TaskUpdate, version: int | None = None
    ) -> Task:
        """Change what is given."""
        update = read(changes, tasks.TaskUpdate)
        key, user = key_of(id, "Task"), info.context.caller.user_id
        return await task_service.update(info.context.tx, key, update, user, _match(version))

    @field(right=WRITE)
    async def move_task(
        self, info: Info, id: strawberry.ID, to: TaskMove, version: int | None = None
    ) -> Task:
        """Move a task with its subtasks."""
        where = read(to, tasks.TaskMove)
        key, user = key_of(id, "Task"), info.context.caller.user_id
        return await moving.move(info.context.tx, key, where, user, _match(version))

    @field(right=WRITE)
    async def complete_task(
        self, info: Info, id: strawberry.ID, version: int | None = None
    ) -> Task:
        """Do a task, with its subtasks; one that repeats is due at its next time."""
        key, user = key_of(id, "Task"), info.context.caller.user_id
        return await completing.complete(info.context.tx, key, user, _match(version))

    @field(right=WRITE)
    async def reopen_task(self, info: Info, id: strawberry.ID, version: int | None = None) -> Task:
        """Take back that a task is done."""
        key, user = key_of(id, "Task"), info.context.caller.user_id
        return await completing.reopen(info.context.tx, key, user, _match(version))

    @field(right=WRITE)
    async def delete_task(
        self, info: Info, id: strawberry.ID, version: int | None = None
    ) -> strawberry.ID:
        """Delete a task and its subtasks for good. Returns its id."""
        key, user = key_of(id, "Task"), info.context.caller.user_id
        await task_service.delete(info.context.tx, key, user, _match(version))
        return id


def _match(version: int | None) -> str | None:
    return None if version is None else etag_of(version)


@strawberry.type(description="Something that happened in a project.")
class ProjectNews:
    kind: str = strawberry.field(
        description="`snapshot` with the open tasks, then the names of events."
    )
    data: JSON | None


@strawberry.type
class Subscription:
    @subscription(right=READ)
    async def project_news(
        self, info: Info, id: strawberry.ID
    ) -> AsyncGenerator[ProjectNews, None]:
        """What happens to the tasks of a project."""
        async for told in info.context.watch(telling.channel(key_of(id, "Project"))):
            yield ProjectNews(kind=told.type, data=told.data)


GRAPH = Graph(query=Query, mutation=Mutation, subscription=Subscription, nodes=(Project, Task))
