"""The tables of tasks."""

from datetime import date, datetime, time
from uuid import UUID

import sqlalchemy as sa
from insula.db import TenantTable
from insula.db.marks import SHORT, person
from insula.search import searchable
from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, LargeBinary, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

_NOBODY = sa.text("'{}'")


class Project(TenantTable):
    __tablename__ = "tasks_projects"
    __table_args__ = (CheckConstraint("visibility in ('private', 'tenant')", name="visibility"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    title: Mapped[str]
    description: Mapped[str]
    colour: Mapped[str]
    visibility: Mapped[str]
    zone: Mapped[str]  # where its tasks are at home unless they say otherwise
    inbox_of: Mapped[UUID | None] = mapped_column(
        ForeignKey("users.id"), info=person("delete"), unique=True
    )
    archived_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Member(TenantTable):
    """Who has a part in a project. Others see it only if the whole tenant does."""

    __tablename__ = "tasks_members"
    __table_args__ = (
        CheckConstraint("role in ('owner', 'editor', 'viewer')", name="role"),
        {"info": SHORT},
    )

    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("tasks_projects.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id"), info=person("delete"), primary_key=True, index=True
    )
    role: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Task(TenantTable):
    __tablename__ = "tasks"
    __table_args__ = (
        CheckConstraint("priority between 1 and 4", name="priority"),
        CheckConstraint("repeat_from in ('due', 'completion')", name="repeat_from"),
        CheckConstraint("repeat_missed in ('skip', 'keep')", name="repeat_missed"),
        Index("ix_tasks_labels", "labels", postgresql_using="gin"),
        Index("ix_tasks_assignee_ids", "assignee_ids", postgresql_using="gin"),
        Index("ix_tasks_project_id_position", "project_id", "position"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("tasks_projects.id", ondelete="CASCADE"))
    parent_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("tasks.id", ondelete="CASCADE"), index=True
    )
    depth: Mapped[int]  # 0 for a task that is nobody's subtask
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), info=person("content"))
    title: Mapped[str]
    notes: Mapped[str]
    priority: Mapped[int]  # 1 the highest, 4 none
    labels: Mapped[list[str]] = mapped_column(server_default=_NOBODY)
    assignee_ids: Mapped[list[UUID]] = mapped_column(
        ARRAY(sa.Uuid()), server_default=_NOBODY, info=person("clear")
    )
    # Days and times are the zone's; the instants beside them are worked out from those.
    zone: Mapped[str]
    due_date: Mapped[date | None]
    due_time: Mapped[time | None]
    due_at: Mapped[datetime | None] = mapped_column(index=True)
    start_date: Mapped[date | None]
    start_time: Mapped[time | None]
    start_at: Mapped[datetime | None]
    repeat: Mapped[str]
    repeat_from: Mapped[str]
    repeat_missed: Mapped[str]
    repeats_left: Mapped[int | None]  # this time included; null is for ever
    repeat_anchor: Mapped[date | None]  # the day from which the rule counts
    position: Mapped[int] = mapped_column(sa.BigInteger)
    completed_at: Mapped[datetime | None] = mapped_column(index=True)
    completed_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), info=person("keep"))
    done: Mapped[bool] = mapped_column(Computed("completed_at IS NOT NULL", persisted=True))
    version: Mapped[int] = mapped_column(server_default="1")
    search: Mapped[str] = searchable(A="title", B="notes")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


class Completion(TenantTable):
    """One time that a task was done; a repeating one is done many times."""

    __tablename__ = "tasks_completions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    task_id: Mapped[UUID] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), index=True)
    completed_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"), info=person("keep"))
    completed_at: Mapped[datetime]
    due_date: Mapped[date | None]
    due_time: Mapped[time | None]
    skipped: Mapped[int]  # occurrences passed over to get into the future


class Comment(TenantTable):
    __tablename__ = "tasks_comments"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    task_id: Mapped[UUID] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), index=True)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), info=person("content"))
    body: Mapped[str]
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Reminder(TenantTable):
    """``before`` counts back from when the task is due; else it is at an instant of its own."""

    __tablename__ = "tasks_reminders"
    __table_args__ = ({"info": SHORT},)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    task_id: Mapped[UUID] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), info=person("delete"))
    before: Mapped[str | None]
    at: Mapped[datetime | None]
    fires_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Label(TenantTable):
    """What a label looks like. Which tasks have it is with the tasks."""

    __tablename__ = "tasks_labels"
    __table_args__ = ({"info": SHORT},)

    name: Mapped[str] = mapped_column(primary_key=True)
    colour: Mapped[str]


class SavedFilter(TenantTable):
    __tablename__ = "tasks_filters"
    __table_args__ = ({"info": SHORT},)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id"), info=person("delete"), index=True
    )
    name: Mapped[str]
    query: Mapped[str]
    zone: Mapped[str]
    shared: Mapped[bool]
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Link(TenantTable):
    """A capability URL for Todo-Backend clients. Only the token's SHA-256 digest is kept."""

    __tablename__ = "tasks_links"
    __table_args__ = ({"info": SHORT},)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("tasks_projects.id", ondelete="CASCADE"), index=True
    )
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), info=person("delete"))
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
