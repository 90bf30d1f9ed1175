"""Tasks."""

from datetime import UTC, date, datetime
from functools import cache
from typing import Any
from uuid import UUID

from insula.db import Statement, binds
from insula.http.list_query import NullsLast
from insula.http.listing import Listing
from sqlalchemy import ARRAY, Uuid, bindparam, delete, func, insert, or_, select, update

from insula_tenants.tasks.queries.projects import seen
from insula_tenants.tasks.schemas.tasks import Completion as CompletionLine
from insula_tenants.tasks.schemas.tasks import LabelCount
from insula_tenants.tasks.schemas.tasks import Task as TaskLine
from insula_tenants.tasks.tables import Completion, Label, Member, Project, Task

COLUMNS = (
    Task.id, Task.project_id, Task.parent_id, Task.depth, Task.author_id, Task.title, Task.notes,
    Task.priority, Task.labels, Task.assignee_ids, Task.zone, Task.due_date, Task.due_time,
    Task.due_at, Task.start_date, Task.start_time, Task.start_at, Task.repeat, Task.repeat_from,
    Task.repeat_missed, Task.repeats_left, Task.position, Task.done, Task.completed_at,
    Task.completed_by, Task.version, Task.created_at, Task.updated_at,
)  # fmt: skip
_END = datetime(9999, 12, 31, tzinfo=UTC)


class Held(TaskLine, kw_only=False):
    """A task, and what the caller is to its project."""

    repeat_anchor: date | None
    visibility: str
    role: str | None


_SORT: dict[str, Any] = {
    "position": Task.position,
    "due_at": NullsLast(Task.due_at, _END),
    "start_at": NullsLast(Task.start_at, _END),
    "completed_at": NullsLast(Task.completed_at, _END),
    "priority": Task.priority,
    "title": Task.title,
    "created_at": Task.created_at,
    "updated_at": Task.updated_at,
}
_FILTERS: dict[str, Any] = {
    "project_id": Task.project_id,
    "parent_id": Task.parent_id,
    "depth": Task.depth,
    "author_id": Task.author_id,
    "title": Task.title,
    "priority": Task.priority,
    "label": Task.labels,
    "assignee_id": Task.assignee_ids,
    "done": Task.done,
    "due_date": Task.due_date,
    "due_at": Task.due_at,
    "start_at": Task.start_at,
    "completed_at": Task.completed_at,
    "created_at": Task.created_at,
    "updated_at": Task.updated_at,
}
_visible = select(*COLUMNS).join(Project, Project.id == Task.project_id).where(seen())
LIST = Listing(
    _visible.where(Project.archived_at.is_(None)),
    TaskLine,
    key=Task.id,
    sort=_SORT,
    default="position",
    filters=_FILTERS,
    search=Task.search,
)
LIST_OF_PROJECT = Listing(
    select(*COLUMNS).where(Task.project_id == bindparam("project_id")),
    TaskLine,
    key=Task.id,
    sort=_SORT,
    default="position",
    filters={name: column for name, column in _FILTERS.items() if name != "project_id"},
    search=Task.search,
)
ALL_OF_PROJECT = Statement(
    select(*COLUMNS)
    .where(Task.project_id == bindparam("project_id"))
    .order_by(Task.position, Task.id)
    .limit(10_000),
    TaskLine,
)
OPEN_OF_PROJECT = Statement(
    select(*COLUMNS)
    .where(Task.project_id == bindparam("project_id"), Task.completed_at.is_(None))
    .order_by(Task.position, Task.id)
    .limit(500),
    TaskLine,
)
GET = Statement(_visible.where(Task.id == bindparam("id")), TaskLine)
GET_MANY = Statement(
    _visible.where(Task.id == func.any(bindparam("ids", type_=ARRAY(Uuid)))), TaskLine
)
_held = (
    select(*COLUMNS, Task.repeat_anchor, Project.visibility, Member.role)
    .join(Project, Project.id == Task.project_id)
    .join(
        Member,
        (Member.project_id == Project.id) & (Member.user_id == bindparam("viewer")),
        isouter=True,
    )
    .where(
        Task.id == bindparam("id"),
        or_(Project.visibility == "tenant", Member.role.is_not(None)),
    )
)
HOLD = Statement(_held.with_for_update(of=Task), Held)
WATCH = Statement(_held, Held)
INSERT = Statement(
    insert(Task)
    .values(
        **binds(
            "id", "project_id", "parent_id", "depth", "author_id", "title", "notes", "priority",
            "labels", "assignee_ids", "zone", "due_date", "due_time", "due_at", "start_date",
            "start_time", "start_at", "repeat", "repeat_from", "repeat_missed", "repeats_left",
            "repeat_anchor", "position",
        )
    )
    .returning(*COLUMNS),
    TaskLine,
)  # fmt: skip
DELETE = Statement(delete(Task).where(Task.id == bindparam("task_id")))
DELETE_ALL = Statement(
    delete(Task).where(Task.project_id == bindparam("project_id")).returning(Task.id), UUID
)
UNASSIGN = Statement(
    update(Task)
    .where(
        Task.project_id == bindparam("project_id"),
        bindparam("user_id", type_=Uuid()) == func.any(Task.assignee_ids),
    )
    .values(
        assignee_ids=func.array_remove(Task.assignee_ids, bindparam("user_id", type_=Uuid())),
        version=Task.version + 1,
        updated_at=func.now(),
    )
)


@cache
def update_columns(names: tuple[str, ...]) -> Statement[TaskLine]:
    """An update of just these columns."""
    return Statement(
        update(Task)
        .where(Task.id == bindparam("task_id"))
        .values(**binds(*names), version=Task.version + 1, updated_at=func.now())
        .returning(*COLUMNS),
        TaskLine,
    )


_THESE = Task.id == func.any(bindparam("ids", type_=ARRAY(Uuid())))
_CHANGED = {"version": Task.version + 1, "updated_at": func.now()}
FINISH = Statement(
    update(Task)
    .where(_THESE, Task.completed_at.is_(None))
    .values(completed_at=bindparam("at"), completed_by=bindparam("user_id"), **_CHANGED)
    .returning(*COLUMNS),
    TaskLine,
)
RESTART = Statement(
    update(Task)
    .where(_THESE, Task.completed_at.is_not(None))
    .values(completed_at=None, completed_by=None, **_CHANGED)
    .returning(*COLUMNS),
    TaskLine,
)
INSERT_COMPLETION = Statement(
    insert(Completion).values(
        **binds("id", "task_id", "completed_by", "completed_at", "due_date", "due_time", "skipped")
    )
)
COMPLETIONS = Listing(
    select(
        Completion.id,
        Completion.completed_by,
        Completion.completed_at,
        Completion.due_date,
        Completion.due_time,
        Completion.skipped,
    ).where(Completion.task_id == bindparam("task_id")),
    CompletionLine,
    key=Completion.id,
    sort={"completed_at": Completion.completed_at},
    default="-completed_at",
)

# Labels

_worn = (
    select(func.unnest(Task.labels).label("name"))
    .join(Project, Project.id == Task.project_id)
    .where(seen(), Task.completed_at.is_(None))
    .subquery("worn")
)
_counted = (
    select(_worn.c.name, func.count().label("open_tasks"))
    .group_by(_worn.c.name)
    .subquery("counted")
)
_name = func.coalesce(_counted.c.name, Label.name)
LABELS = Statement(
    select(
        _name.label("label"),
        func.coalesce(Label.colour, "").label("colour"),
        func.coalesce(_counted.c.open_tasks, 0).label("open_tasks"),
    )
    .select_from(_counted.join(Label, Label.name == _counted.c.name, full=True))
    .order_by(_name)
    .limit(1000),
    LabelCount,
)
