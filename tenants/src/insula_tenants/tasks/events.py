"""What happens to tasks.

Webhooks and the event log are the tenant's, projects may be private: so events carry titles only
where the whole tenant sees the project, and ids otherwise.
"""

from datetime import datetime
from uuid import UUID

import msgspec
from insula.events import EventType


class TaskEvent(msgspec.Struct, frozen=True):
    id: UUID
    project_id: UUID
    version: int
    title: str = ""
    """Empty for a task of a private project."""
    changed: tuple[str, ...] = ()
    """The fields that are not as before."""


class TaskCompleted(msgspec.Struct, frozen=True):
    id: UUID
    project_id: UUID
    version: int
    title: str = ""
    comes_again: datetime | None = None
    """When it is due next, if it repeats."""


class TaskGone(msgspec.Struct, frozen=True):
    id: UUID
    project_id: UUID


class ProjectEvent(msgspec.Struct, frozen=True):
    id: UUID
    title: str = ""


class MemberEvent(msgspec.Struct, frozen=True):
    project_id: UUID
    user_id: UUID


class CommentEvent(msgspec.Struct, frozen=True):
    id: UUID
    task_id: UUID
    project_id: UUID


class ReminderSent(msgspec.Struct, frozen=True):
    id: UUID
    task_id: UUID
    project_id: UUID
    user_id: UUID


CREATED = EventType("tasks.task.created", TaskEvent, "A task was made.")
UPDATED = EventType("tasks.task.updated", TaskEvent, "A task was changed.")
MOVED = EventType("tasks.task.moved", TaskEvent, "A task got another place, parent or project.")
COMPLETED = EventType("tasks.task.completed", TaskCompleted, "A task was done, once or for good.")
REOPENED = EventType("tasks.task.reopened", TaskEvent, "A task that was done is to do again.")
DELETED = EventType("tasks.task.deleted", TaskGone, "A task and its subtasks were deleted.")
PROJECT_CREATED = EventType("tasks.project.created", ProjectEvent, "A project was made.")
PROJECT_UPDATED = EventType("tasks.project.updated", ProjectEvent, "A project was changed.")
PROJECT_DELETED = EventType(
    "tasks.project.deleted", ProjectEvent, "A project was deleted with its tasks."
)
MEMBER_PUT = EventType("tasks.member.put", MemberEvent, "Somebody got a role in a project.")
MEMBER_REMOVED = EventType("tasks.member.removed", MemberEvent, "Somebody left a project.")
COMMENT_ADDED = EventType("tasks.comment.added", CommentEvent, "Somebody commented on a task.")
COMMENT_DELETED = EventType("tasks.comment.deleted", CommentEvent, "A comment was deleted.")
REMINDER_SENT = EventType("tasks.reminder.sent", ReminderSent, "Somebody was reminded of a task.")

EVENTS = (
    CREATED,
    UPDATED,
    MOVED,
    COMPLETED,
    REOPENED,
    DELETED,
    PROJECT_CREATED,
    PROJECT_UPDATED,
    PROJECT_DELETED,
    MEMBER_PUT,
    MEMBER_REMOVED,
    COMMENT_ADDED,
    COMMENT_DELETED,
    REMINDER_SENT,
)
