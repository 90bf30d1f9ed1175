"""Making, changing and deleting tasks."""

from typing import Any
from uuid import UUID

import msgspec
from insula.db import RowNotFound, Work
from insula.db.ids import new_id
from insula.http.conditional import require_match
from insula.http.problem import FieldError, InvalidInput
from insula.i18n import say
from msgspec import UNSET

from insula_tenants.tasks import events, schedule
from insula_tenants.tasks.errors import TooDeep, TooMany
from insula_tenants.tasks.queries import places, projects
from insula_tenants.tasks.queries import tasks as queries
from insula_tenants.tasks.queries.projects import Standing
from insula_tenants.tasks.schemas.tasks import Task, TaskCreate, TaskUpdate
from insula_tenants.tasks.service import reminders
from insula_tenants.tasks.service.ordering import at_the_end
from insula_tenants.tasks.service.projects import inbox
from insula_tenants.tasks.service.standing import hold, watch, writing
from insula_tenants.tasks.service.telling import tell, tell_gone

DEEPEST = 4
MOST_SUBTASKS = 500


async def create(tx: Work, new: TaskCreate, user_id: UUID, *, position: int | None = None) -> Task:
    """A task in a project, below another task, or in the inbox.

    Raises:
        RowNotFound, ProjectReadOnly: the caller doesn't see the place, or may not write there.
        TooDeep, TooMany: no more subtasks there.
        InvalidInput: the dates contradict each other, or an assignee doesn't see the project.
    """
    standing, depth = await _place(tx, new, user_id)
    given = {name: getattr(new, name) for name in schedule.GIVEN if name != "zone"}
    times = schedule.arrange(schedule.Schedule(zone=new.zone or standing.zone), given)
    await require_assignable(tx, standing.project_id, new.assignee_ids)
    task_id = new_id()
    if position is None:
        position = await at_the_end(tx, standing.project_id, task_id)
    task = await tx.one(
        queries.INSERT,
        id=task_id,
        project_id=standing.project_id,
        parent_id=new.parent_id,
        depth=depth,
        author_id=user_id,
        title=new.title.strip(),
        notes=new.notes,
        priority=new.priority,
        labels=_once(new.labels),
        assignee_ids=_once(new.assignee_ids),
        position=position,
        **times.columns(),
    )
    await tell(tx, events.CREATED, task, visibility=standing.visibility, actor=user_id)
    return task


async def _place(tx: Work, new: TaskCreate, user_id: UUID) -> tuple[Standing, int]:
    """Where the task goes, and how deep that is."""
    if new.parent_id is not None:
        return await _place_below(tx, new.parent_id, new.project_id, user_id)
    project_id = new.project_id or (await inbox(tx, user_id)).id
    return await writing(tx, project_id, user_id), 0


async def _place_below(
    tx: Work, parent_id: UUID, project_id: UUID | None, user_id: UUID
) -> tuple[Standing, int]:
    parent = await watch(tx, parent_id, user_id)
    if project_id not in (None, parent.project_id):
        raise InvalidInput(errors=(FieldError("/parent_id", "is in another project"),))
    standing = await writing(tx, parent.project_id, user_id, lock=True)
    depth = await tx.one(places.DEPTH, id=parent_id)  # as it is now that nobody moves it
    await require_room_below(tx, parent_id, depth, height=0)
    return standing, depth + 1


async def require_room_below(tx: Work, parent_id: UUID, depth: int, *, height: int) -> None:
    """Whether something ``height`` levels high may go below the task."""
    if depth + 1 + height > DEEPEST:
        raise TooDeep(say("At most {deepest} levels lie below a task.", deepest=DEEPEST))
    if await tx.one(places.COUNT_CHILDREN, id=parent_id) >= MOST_SUBTASKS:
        raise TooMany(
            say("A task has at most {most_subtasks} subtasks.", most_subtasks=MOST_SUBTASKS)
        )


async def require_assignable(tx: Work, project_id: UUID, user_ids: list[UUID]) -> None:
    if not user_ids:
        return
    able = set(await tx.many(projects.WHO_SEES, project_id=project_id, user_ids=user_ids))
    faults = tuple(
        FieldError(f"/assignee_ids/{index}", "is nobody who sees the project")
        for index, user_id in enumerate(user_ids)
        if user_id not in able
    )
    if faults:
        raise InvalidInput(errors=faults)


def _once(items: list[Any]) -> list[Any]:
    return list(dict.fromkeys(items))


async def update(
    tx: Work, task_id: UUID, change: TaskUpdate, user_id: UUID, if_match: str | None = None
) -> Task:
    """Change what is given. What changes nothing makes no version.

    Raises:
        PreconditionFailed: somebody else changed the task since it was read.
        InvalidInput: as for :func:`create`.
    """
    held = await hold(tx, task_id, user_id)
    require_match(if_match, held.version)
    columns = await _columns(tx, held, change)
    changed = tuple(name for name, value in columns.items() if value != getattr(held, name))
    if not changed:
        return await tx.one(queries.GET, id=task_id, viewer=user_id)
    statement = queries.update_columns(changed)
    task = await tx.one(statement, task_id=task_id, **{name: columns[name] for name in changed})
    if task.due_at != held.due_at or task.zone != held.zone:
        await reminders.move(tx, task)
    await tell(tx, events.UPDATED, task, visibility=held.visibility, actor=user_id, changed=changed)
    return task


async def _columns(tx: Work, held: queries.Held, change: TaskUpdate) -> dict[str, Any]:
    given = {k: v for k, v in msgspec.structs.asdict(change).items() if v is not UNSET}
    times = {name: given.pop(name) for name in tuple(given) if name in schedule.GIVEN}
    if "title" in given:
        given["title"] = given["title"].strip()
    for name in ("labels", "assignee_ids"):
        if name in given:
            given[name] = _once(given[name])
    if "assignee_ids" in given:
        new = [one for one in given["assignee_ids"] if one not in held.assignee_ids]
        await require_assignable(tx, held.project_id, new)
    if times:
        given |= schedule.arrange(schedule.of(held), times).columns()
    return given


async def delete(tx: Work, task_id: UUID, user_id: UUID, if_match: str | None = None) -> None:
    """Delete a task and what lies below it, for good."""
    held = await hold(tx, task_id, user_id)
    require_match(if_match, held.version)
    await reminders.call_off(tx, [task_id, *await tx.many(places.BELOW, id=task_id)])
    if await tx.execute(queries.DELETE, task_id=task_id) == 0:
        raise RowNotFound
    await tell_gone(tx, task_id, held.project_id, user_id)
