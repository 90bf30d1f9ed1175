"""Saved filters."""

from typing import Any
from uuid import UUID

from insula.db import Work
from insula.http.conditional import IfMatch, versioned
from insula.http.exchange import Caller
from insula.http.listing import Page
from litestar import Request, Response, delete, get, patch, post

from insula_tenants.tasks.errors import TooMany
from insula_tenants.tasks.permissions import READ, WRITE
from insula_tenants.tasks.queries import around as queries
from insula_tenants.tasks.queries import tasks
from insula_tenants.tasks.schemas.around import Filter, FilterCreate, FilterUpdate
from insula_tenants.tasks.schemas.tasks import Task
from insula_tenants.tasks.service import filters as service


@get("/filters", right=READ, listing=queries.FILTERS)
async def list_filters(request: Request[Any, Any, Any], tx: Work, caller: Caller) -> Page[Filter]:
    """The caller's saved filters, and those that others share."""
    return await queries.FILTERS.page(tx, request, user_id=caller.user_id)


@post("/filters", right=WRITE, problems=(TooMany,))
async def create_filter(data: FilterCreate, tx: Work, caller: Caller) -> Response[Filter]:
    """Keep the query of a list, such as ``done=false&due_date[lte]=@today+7&sort=due_at``."""
    made = await service.create(tx, data, caller.user_id)
    answer = versioned(made, made.version, 201)
    answer.headers["location"] = f"/api/v1/tasks/filters/{made.id}"
    return answer


@get("/filters/{filter_id:uuid}", right=READ)
async def get_filter(filter_id: UUID, tx: Work, caller: Caller) -> Response[Filter]:
    """One saved filter."""
    kept = await tx.one(queries.GET_FILTER, id=filter_id, user_id=caller.user_id)
    return versioned(kept, kept.version)


@patch("/filters/{filter_id:uuid}", right=WRITE)
async def update_filter(
    filter_id: UUID, data: FilterUpdate, tx: Work, caller: Caller, if_match: IfMatch = None
) -> Response[Filter]:
    """Change one's own filter."""
    kept = await service.update(tx, filter_id, data, caller.user_id, if_match)
    return versioned(kept, kept.version)


@delete("/filters/{filter_id:uuid}", right=WRITE)
async def delete_filter(
    filter_id: UUID, tx: Work, caller: Caller, if_match: IfMatch = None
) -> None:
    """Forget one's own filter."""
    await service.delete(tx, filter_id, caller.user_id, if_match)


@get("/filters/{filter_id:uuid}/tasks", right=READ, listing=tasks.LIST)
async def list_filtered_tasks(
    filter_id: UUID, request: Request[Any, Any, Any], tx: Work, caller: Caller
) -> Page[Task]:
    """The caller's tasks as the filter has them; parameters of the request go over its own."""
    kept = await tx.one(queries.GET_FILTER, id=filter_id, user_id=caller.user_id)
    asked = request.scope["query_string"].decode("latin-1")
    query = service.combined(kept, caller.user_id, asked)
    scope = {**request.scope, "query_string": query.encode("latin-1")}
    return await tasks.LIST.page(tx, Request(scope), viewer=caller.user_id)  # type: ignore[arg-type]


ROUTES = (
    list_filters, create_filter, get_filter, update_filter, delete_filter, list_filtered_tasks,
)  # fmt: skip
