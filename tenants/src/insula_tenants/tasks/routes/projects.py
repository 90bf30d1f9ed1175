"""Projects and their members."""

from typing import Any
from uuid import UUID

from insula.db import Work
from insula.http.conditional import IfMatch, versioned
from insula.http.exchange import Caller
from insula.http.listing import Page
from litestar import Request, Response, delete, get, patch, post, put

from insula_tenants.tasks.errors import InboxFixed, LastProjectOwner, ProjectNotYours, TooMany
from insula_tenants.tasks.permissions import READ, WRITE
from insula_tenants.tasks.queries import projects as queries
from insula_tenants.tasks.queries import tasks
from insula_tenants.tasks.schemas.projects import (
    Member,
    MemberPut,
    Project,
    ProjectCreate,
    ProjectUpdate,
)
from insula_tenants.tasks.schemas.tasks import Task
from insula_tenants.tasks.service import projects as service
from insula_tenants.tasks.service.standing import reading


@get("/projects", right=READ, listing=queries.LIST)
async def list_projects(request: Request[Any, Any, Any], tx: Work, caller: Caller) -> Page[Project]:
    """The projects that the caller sees: those with a part in them, and the whole tenant's."""
    return await queries.LIST.page(tx, request, viewer=caller.user_id)


@post("/projects", right=WRITE)
async def create_project(data: ProjectCreate, tx: Work, caller: Caller) -> Response[Project]:
    """Make a project, private unless said otherwise. The caller owns it."""
    project = await service.create(tx, data, caller.user_id)
    answer = versioned(project, project.version, 201)
    answer.headers["location"] = f"/api/v1/tasks/projects/{project.id}"
    return answer


@get("/projects/{project_id:uuid}", right=READ)
async def get_project(project_id: UUID, tx: Work, caller: Caller) -> Response[Project]:
    """One project."""
    project = await tx.one(queries.GET, id=project_id, viewer=caller.user_id)
    return versioned(project, project.version)


@patch("/projects/{project_id:uuid}", right=WRITE, problems=(ProjectNotYours, InboxFixed))
async def update_project(
    project_id: UUID, data: ProjectUpdate, tx: Work, caller: Caller, if_match: IfMatch = None
) -> Response[Project]:
    """Change a project, archive it, or show it to the whole tenant."""
    project = await service.update(tx, project_id, data, caller.user_id, if_match)
    return versioned(project, project.version)


@delete("/projects/{project_id:uuid}", right=WRITE, problems=(ProjectNotYours, InboxFixed))
async def delete_project(
    project_id: UUID, tx: Work, caller: Caller, if_match: IfMatch = None
) -> None:
    """Delete a project with all its tasks for good."""
    await service.delete(tx, project_id, caller.user_id, if_match)


@get("/projects/{project_id:uuid}/tasks", right=READ, listing=tasks.LIST_OF_PROJECT)
async def list_project_tasks(
    project_id: UUID, request: Request[Any, Any, Any], tx: Work, caller: Caller
) -> Page[Task]:
    """The tasks of one project, archived or not."""
    await reading(tx, project_id, caller.user_id)
    return await tasks.LIST_OF_PROJECT.page(tx, request, project_id=project_id)


@get("/projects/{project_id:uuid}/members", right=READ)
async def list_members(project_id: UUID, tx: Work, caller: Caller) -> list[Member]:
    """Who has a part in the project."""
    return await service.list_members(tx, project_id, caller.user_id)


@put(
    "/projects/{project_id:uuid}/members/{user_id:uuid}",
    right=WRITE,
    problems=(ProjectNotYours, InboxFixed, LastProjectOwner, TooMany),
)
async def put_member(
    project_id: UUID, user_id: UUID, data: MemberPut, tx: Work, caller: Caller
) -> Member:
    """Give somebody a part in the project: viewer, editor or owner."""
    return await service.put_member(tx, project_id, user_id, data.role, caller.user_id)


@delete(
    "/projects/{project_id:uuid}/members/{user_id:uuid}",
    right=WRITE,
    problems=(ProjectNotYours, InboxFixed, LastProjectOwner),
)
async def remove_member(project_id: UUID, user_id: UUID, tx: Work, caller: Caller) -> None:
    """End somebody's part in the project; everybody may end their own."""
    await service.remove_member(tx, project_id, user_id, caller.user_id)


ROUTES = (
    list_projects, create_project, get_project, update_project, delete_project,
    list_project_tasks, list_members, put_member, remove_member,
)  # fmt: skip
