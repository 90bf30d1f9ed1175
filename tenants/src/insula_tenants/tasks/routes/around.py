"""What was, and what comes: the history and the future of a task."""

from typing import Annotated, Any
from uuid import UUID

from insula.db import Work
from insula.http.exchange import Caller
from insula.http.listing import Page
from litestar import Request, get
from litestar.params import QueryParameter

from insula_tenants.tasks import schedule
from insula_tenants.tasks.clock import end_of
from insula_tenants.tasks.permissions import READ
from insula_tenants.tasks.queries import tasks as queries
from insula_tenants.tasks.schemas.tasks import Completion, Occurrence
from insula_tenants.tasks.service.standing import watch


@get("/{task_id:uuid}/completions", right=READ, listing=queries.COMPLETIONS)
async def list_completions(
    task_id: UUID, request: Request[Any, Any, Any], tx: Work, caller: Caller
) -> Page[Completion]:
    """Every time that the task was done, the latest first."""
    await watch(tx, task_id, caller.user_id)
    return await queries.COMPLETIONS.page(tx, request, task_id=task_id)


@get("/{task_id:uuid}/occurrences", right=READ)
async def list_occurrences(
    task_id: UUID,
    tx: Work,
    caller: Caller,
    limit: Annotated[int, QueryParameter(ge=1, le=100)] = 10,
) -> list[Occurrence]:
    """When the task is due, this time and the next ones."""
    task = await watch(tx, task_id, caller.user_id)
    return [
        Occurrence(day, task.due_time, end_of(day, task.due_time, task.zone))
        for day in schedule.upcoming(schedule.of(task), limit)
    ]


ROUTES = (list_completions, list_occurrences)
