"""Another place for a task: in the order, below another, in another project."""

from uuid import UUID

from insula.db import Work
from insula.http.conditional import require_match
from insula.http.problem import Conflict, FieldError, InvalidInput
from msgspec import UNSET

from insula_tenants.tasks import events
from insula_tenants.tasks.errors import WouldCircle
from insula_tenants.tasks.queries import places
from insula_tenants.tasks.queries import tasks as queries
from insula_tenants.tasks.queries.projects import Standing
from insula_tenants.tasks.queries.tasks import Held
from insula_tenants.tasks.schemas.tasks import Task, TaskMove
from insula_tenants.tasks.service.ordering import place
from insula_tenants.tasks.service.standing import hold, watch, writing
from insula_tenants.tasks.service.tasks import require_assignable, require_room_below
from insula_tenants.tasks.service.telling import channel, tell


async def move(
    tx: Work, task_id: UUID, to: TaskMove, user_id: UUID, if_match: str | None = None
) -> Task:
    """Move a task with its subtasks.

    Raises:
        WouldCircle, TooDeep, TooMany: it cannot lie there.
        RowNotFound, ProjectReadOnly: the caller doesn't see the place, or may not write there.
        InvalidInput: the neighbour or the parent is elsewhere.
    """
    seen = await watch(tx, task_id, user_id)
    target_id = await _target(tx, seen, to, user_id)
    target = await _lock(tx, {seen.project_id, target_id}, target_id, user_id)
    held = await hold(tx, task_id, user_id)
    require_match(if_match, held.version)
    if held.project_id != seen.project_id:
        raise Conflict("The task was moved to another project meanwhile: try again.")
    parent_id = _parent(held, to, target_id)
    depth = await _depth(tx, held, parent_id, target_id)
    below = await tx.many(places.BELOW, id=task_id)
    if target_id != held.project_id:
        await require_assignable(tx, target_id, held.assignee_ids)
    if below and (target_id != held.project_id or depth != held.depth):
        await tx.execute(places.CARRY, ids=below, project_id=target_id, deeper=depth - held.depth)
    position = await place(tx, target_id, task_id, before=to.before, after=to.after)
    statement = queries.update_columns(("project_id", "parent_id", "depth", "position"))
    task = await tx.one(
        statement,
        task_id=task_id,
        project_id=target_id,
        parent_id=parent_id,
        depth=depth,
        position=position,
    )
    also_in = (channel(held.project_id),)
    await tell(tx, events.MOVED, task, visibility=target.visibility, actor=user_id, also_in=also_in)
    return task


async def _target(tx: Work, seen: Held, to: TaskMove, user_id: UUID) -> UUID:
    """The project that the task goes to: that of its new parent, if that is elsewhere."""
    if to.parent_id is UNSET or to.parent_id is None:
        return seen.project_id if to.project_id is UNSET else to.project_id
    parent = await watch(tx, to.parent_id, user_id)
    if to.project_id not in (UNSET, parent.project_id):
        raise InvalidInput(errors=(FieldError("/parent_id", "is in another project"),))
    return parent.project_id


async def _lock(tx: Work, ids: set[UUID], target_id: UUID, user_id: UUID) -> Standing:
    """Lock the projects, always in the same order; the one that the task goes to."""
    standings = {
        project_id: await writing(tx, project_id, user_id, lock=True) for project_id in sorted(ids)
    }
    return standings[target_id]


def _parent(held: Held, to: TaskMove, target_id: UUID) -> UUID | None:
    """A subtask that goes to another project leaves its parent."""
    if to.parent_id is not UNSET:
        return to.parent_id
    return held.parent_id if target_id == held.project_id else None


async def _depth(tx: Work, held: Held, parent_id: UUID | None, target_id: UUID) -> int:
    if parent_id is None:
        return 0
    if parent_id == held.parent_id:
        return held.depth
    if parent_id == held.id or held.id in await tx.many(places.ABOVE, id=parent_id):
        raise WouldCircle
    if await tx.find(places.PLACE, id=parent_id, project_id=target_id) is None:
        raise Conflict("The parent was moved to another project meanwhile: try again.")
    depth = await tx.one(places.DEPTH, id=parent_id)
    await require_room_below(tx, parent_id, depth, height=await tx.one(places.HEIGHT, id=held.id))
    return depth + 1
