"""Reminders, comments, labels, saved filters and links."""

from datetime import date as Day  # noqa: N812
from datetime import time
from functools import cache
from uuid import UUID

import msgspec
from insula.db import Statement, binds
from insula.http.listing import Listing
from insula.identity.tables import UserRow
from sqlalchemy import (
    ARRAY,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from insula_tenants.tasks.queries.projects import seen
from insula_tenants.tasks.schemas import around as schemas
from insula_tenants.tasks.tables import (
    Comment,
    Label,
    Link,
    Member,
    Project,
    Reminder,
    SavedFilter,
    Task,
)

# Reminders

_REMINDER = (
    Reminder.id, Reminder.task_id, Reminder.before, Reminder.at, Reminder.fires_at,
    Reminder.sent_at, Reminder.created_at,
)  # fmt: skip
_MINE = (
    Reminder.id == bindparam("id"),
    Reminder.task_id == bindparam("task_id"),
    Reminder.user_id == bindparam("user_id"),
)


class DueReminder(msgspec.Struct):
    """A reminder whose time has come."""

    user_id: UUID
    email: str
    name: str
    task_id: UUID
    project_id: UUID
    title: str
    project: str
    due_date: Day | None
    due_time: time | None
    zone: str
    locale: str
    """Empty for somebody who has not chosen a language."""


INSERT_REMINDER = Statement(
    insert(Reminder)
    .values(**binds("id", "task_id", "user_id", "before", "at", "fires_at"))
    .returning(*_REMINDER),
    schemas.Reminder,
)
REMINDERS_OF_USER = Statement(
    select(*_REMINDER)
    .where(Reminder.task_id == bindparam("task_id"), Reminder.user_id == bindparam("user_id"))
    .order_by(Reminder.id)
    .limit(100),
    schemas.Reminder,
)
REMINDERS_OF_TASK = Statement(
    select(*_REMINDER).where(Reminder.task_id == bindparam("task_id")).order_by(Reminder.id),
    schemas.Reminder,
)
REMINDER_IDS = Statement(
    select(Reminder.id)
    .where(Reminder.task_id == func.any(bindparam("task_ids", type_=ARRAY(Uuid()))))
    .order_by(Reminder.id),
    UUID,
)
REMINDER_IDS_OF_PROJECT = Statement(
    select(Reminder.id)
    .join(Task, Task.id == Reminder.task_id)
    .where(Task.project_id == bindparam("project_id"), Reminder.sent_at.is_(None))
    .order_by(Reminder.id),
    UUID,
)
DELETE_REMINDERS_OF_MEMBER = Statement(
    delete(Reminder)
    .where(
        Reminder.user_id == bindparam("user_id"),
        Reminder.task_id.in_(select(Task.id).where(Task.project_id == bindparam("project_id"))),
    )
    .returning(Reminder.id),
    UUID,
)
LOCK_REMINDER = Statement(select(*_REMINDER).where(*_MINE).with_for_update(), schemas.Reminder)
MOVE_REMINDER = Statement(
    update(Reminder)
    .where(Reminder.id == bindparam("reminder_id"))
    .values(**binds("at", "fires_at", "sent_at"))
    .returning(*_REMINDER),
    schemas.Reminder,
)
DELETE_REMINDER = Statement(delete(Reminder).where(*_MINE))
# Only while it is still that time, nobody has done the task, and the user sees it.
SEND = Statement(
    update(Reminder)
    .where(
        Reminder.id == bindparam("id"),
        Reminder.fires_at == bindparam("fires_at"),
        Reminder.sent_at.is_(None),
        Reminder.task_id == Task.id,
        Task.completed_at.is_(None),
        Project.id == Task.project_id,
        Project.archived_at.is_(None),
        UserRow.id == Reminder.user_id,
        UserRow.status == "active",
        or_(
            Project.visibility == "tenant",
            exists().where(Member.project_id == Project.id, Member.user_id == UserRow.id),
        ),
    )
    .values(sent_at=func.now())
    .returning(
        UserRow.id.label("user_id"),
        UserRow.email,
        UserRow.name,
        Task.id.label("task_id"),
        Task.project_id,
        Task.title,
        Project.title.label("project"),
        Task.due_date,
        Task.due_time,
        Task.zone,
        func.coalesce(UserRow.locale, "").label("locale"),
    ),
    DueReminder,
)

# Comments

_COMMENT = (
    Comment.id, Comment.task_id, Comment.author_id, Comment.body, Comment.version,
    Comment.created_at, Comment.updated_at,
)  # fmt: skip
COMMENTS = Listing(
    select(*_COMMENT).where(Comment.task_id == bindparam("task_id")),
    schemas.Comment,
    key=Comment.id,
    sort={"created_at": Comment.created_at},
    default="created_at",
    filters={"author_id": Comment.author_id},
)
INSERT_COMMENT = Statement(
    insert(Comment).values(**binds("id", "task_id", "author_id", "body")).returning(*_COMMENT),
    schemas.Comment,
)
_THIS = (Comment.id == bindparam("id"), Comment.task_id == bindparam("task_id"))
GET_COMMENT = Statement(select(*_COMMENT).where(*_THIS), schemas.Comment)
LOCK_COMMENT = Statement(select(*_COMMENT).where(*_THIS).with_for_update(), schemas.Comment)
UPDATE_COMMENT = Statement(
    update(Comment)
    .where(Comment.id == bindparam("comment_id"))
    .values(body=bindparam("body"), version=Comment.version + 1, updated_at=func.now())
    .returning(*_COMMENT),
    schemas.Comment,
)
DELETE_COMMENT = Statement(delete(Comment).where(Comment.id == bindparam("comment_id")))

# Labels

PUT_LABEL = Statement(
    upsert(Label)
    .values(**binds("name", "colour"))
    .on_conflict_do_update(index_elements=["name"], set_={"colour": bindparam("colour")})
)
DELETE_LABEL = Statement(delete(Label).where(Label.name == bindparam("name")))
RENAME_LABEL = Statement(
    upsert(Label)
    .from_select(
        ["name", "colour"],
        select(bindparam("to"), Label.colour).where(Label.name == bindparam("name")),
    )
    .on_conflict_do_nothing()
)
_wearing = (
    select(Task.id)
    .join(Project, Project.id == Task.project_id)
    .join(
        Member,
        (Member.project_id == Project.id) & (Member.user_id == bindparam("viewer")),
        isouter=True,
    )
    .where(
        bindparam("name", type_=Text()) == func.any(Task.labels),
        or_(
            Member.role == "owner",
            Member.role == "editor",
            and_(Member.role.is_(None), Project.visibility == "tenant"),
        ),
    )
)
_from, _to = bindparam("name", type_=Text()), bindparam("to", type_=Text())
_CHANGED = {"version": Task.version + 1, "updated_at": func.now()}
RELABEL = Statement(
    update(Task)
    .where(Task.id.in_(_wearing))
    .values(
        labels=case(
            (_to == func.any(Task.labels), func.array_remove(Task.labels, _from)),
            else_=func.array_replace(Task.labels, _from, _to),
        ),
        **_CHANGED,
    )
)
UNLABEL = Statement(
    update(Task)
    .where(Task.id.in_(_wearing))
    .values(labels=func.array_remove(Task.labels, _from), **_CHANGED)
)

# Saved filters

_FILTER = (
    SavedFilter.id, SavedFilter.owner_id, SavedFilter.name, SavedFilter.query, SavedFilter.zone,
    SavedFilter.shared, SavedFilter.version, SavedFilter.created_at, SavedFilter.updated_at,
)  # fmt: skip
_SEEN_FILTER = or_(SavedFilter.owner_id == bindparam("user_id"), SavedFilter.shared)
FILTERS = Listing(
    select(*_FILTER).where(_SEEN_FILTER),
    schemas.Filter,
    key=SavedFilter.id,
    sort={"name": SavedFilter.name, "created_at": SavedFilter.created_at},
    default="name",
)
GET_FILTER = Statement(
    select(*_FILTER).where(SavedFilter.id == bindparam("id"), _SEEN_FILTER), schemas.Filter
)
LOCK_FILTER = Statement(
    select(*_FILTER)
    .where(SavedFilter.id == bindparam("id"), SavedFilter.owner_id == bindparam("user_id"))
    .with_for_update(),
    schemas.Filter,
)
COUNT_FILTERS = Statement(
    select(func.count()).where(SavedFilter.owner_id == bindparam("user_id")), int
)
INSERT_FILTER = Statement(
    insert(SavedFilter)
    .values(**binds("id", "owner_id", "name", "query", "zone", "shared"))
    .returning(*_FILTER),
    schemas.Filter,
)
DELETE_FILTER = Statement(delete(SavedFilter).where(SavedFilter.id == bindparam("filter_id")))


@cache
def update_filter(names: tuple[str, ...]) -> Statement[schemas.Filter]:
    """An update of just these columns."""
    return Statement(
        update(SavedFilter)
        .where(SavedFilter.id == bindparam("filter_id"))
        .values(**binds(*names), version=SavedFilter.version + 1, updated_at=func.now())
        .returning(*_FILTER),
        schemas.Filter,
    )


# Links

_LINK = (Link.id, Link.project_id, Link.user_id, Link.created_at)
INSERT_LINK = Statement(insert(Link).values(**binds("id", "project_id", "user_id", "digest")))
LINKS = Statement(
    select(*_LINK)
    .join(Project, Project.id == Link.project_id)
    .where(seen())
    .order_by(Link.created_at)
    .limit(1000),
    schemas.LinkLine,
)
DELETE_LINK = Statement(
    delete(Link).where(
        Link.id == bindparam("id"),
        exists().where(Project.id == Link.project_id, seen()),
    )
)
FIND_LINK = Statement(
    select(*_LINK)
    .join(UserRow, UserRow.id == Link.user_id)
    .where(Link.digest == bindparam("digest"), UserRow.status == "active"),
    schemas.LinkLine,
)
