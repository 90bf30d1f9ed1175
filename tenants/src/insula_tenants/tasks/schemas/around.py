"""What is around a task: reminders, comments, saved filters, links for other clients."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from insula_tenants.tasks.schemas.fields import Colour, Label, Strict, Zone
from insula_tenants.tasks.schemas.tasks import TaskCreate, TaskMove, TaskUpdate

Before = Annotated[str, Meta(max_length=40, pattern=r"^P.+$", examples=["PT30M"])]
Moment = Annotated[datetime, Meta(tz=True, examples=["2099-05-01T07:30:00Z"])]
CommentBody = Annotated[
    str, Meta(min_length=1, max_length=10_000, pattern=r"\S", examples=["The key is under the mat"])
]


class ReminderCreate(Strict):
    """Without either, at the time at which the task is due."""

    before: Before | None = None
    """How long before the task is due (ISO 8601). Days are days on the calendar, hours are
    hours, also where summer time begins; for a task due all day they count back from 9:00."""
    at: Moment | None = None
    """An instant instead."""


class ReminderSnooze(Strict):
    minutes: Annotated[int, Meta(ge=1, le=525_600, examples=[10])]


class Reminder(msgspec.Struct):
    id: UUID
    task_id: UUID
    before: str | None
    at: datetime | None
    fires_at: datetime | None
    """When it comes, or came; null while the task has no due date."""
    sent_at: datetime | None
    created_at: datetime


class CommentWrite(Strict):
    body: CommentBody


class Comment(msgspec.Struct):
    id: UUID
    task_id: UUID
    author_id: UUID
    body: str
    version: int
    created_at: datetime
    updated_at: datetime


class LabelPut(Strict):
    colour: Colour = ""


class LabelRename(Strict):
    to: Label


class LabelChange(msgspec.Struct):
    """How many tasks it was changed in."""

    tasks: int


Query = Annotated[str, Meta(max_length=1000, examples=["done=false&due_date[lte]=@today+7"])]
FilterName = Annotated[
    str, Meta(min_length=1, max_length=100, pattern=r"\S", examples=["This week"])
]


class FilterCreate(Strict):
    name: FilterName
    query: Query
    """The query of a list of tasks. `@today`, `@today+7`, `@now` and `@me` stand for what they are
    when the filter is used."""
    zone: Zone = "UTC"
    """Where `@today` is."""
    shared: bool = False
    """Whether others in the tenant see the filter; they see their own tasks through it."""


class FilterUpdate(Strict):
    name: FilterName | UnsetType = UNSET
    query: Query | UnsetType = UNSET
    zone: Zone | UnsetType = UNSET
    shared: bool | UnsetType = UNSET


class Filter(msgspec.Struct):
    id: UUID
    owner_id: UUID
    name: str
    query: str
    zone: str
    shared: bool
    version: int
    created_at: datetime
    updated_at: datetime


class BulkItem(Strict):
    """One thing to do; ``change``, ``move`` or ``new`` say more where the action needs it."""

    action: Literal["create", "update", "move", "complete", "reopen", "delete"]
    task_id: UUID | None = None
    new: TaskCreate | None = None
    change: TaskUpdate | None = None
    move: TaskMove | None = None
    version: int | None = None
    """Do it only if the task is still at this version."""


class Bulk(Strict):
    items: Annotated[list[BulkItem], Meta(min_length=1, max_length=200)]


class BulkResult(msgspec.Struct):
    """What became of one item, in the order of the request."""

    status: int
    """As the single request would have been answered: 200, 201, 204, 404, 412 …"""
    task: Any = None
    """The task as it is now."""
    problem: Any = None
    """Problem details, if it was refused; then nothing of this item was done."""


class BulkReport(msgspec.Struct):
    done: int
    refused: int
    results: list[BulkResult]


class QuickAdd(Strict):
    text: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=1000,
            pattern=r"\S",
            examples=["Pay rent tomorrow 9am #home !1 every month"],
        ),
    ]
    zone: Zone = "UTC"
    """Where "tomorrow" and "9am" are meant."""
    project_id: UUID | None = None
    """Where the task goes unless the text names a ``+project``."""


class LinkCreate(Strict):
    project_id: UUID | None = None
    """The caller's inbox otherwise."""


class Link(msgspec.Struct):
    """A fresh link. Its address is shown this once; only the token's digest is kept."""

    id: UUID
    project_id: UUID
    url: Annotated[str, Meta(examples=["https://acme.example.com/compat/todo-backend/kT2…"])]


class LinkLine(msgspec.Struct):
    id: UUID
    project_id: UUID
    user_id: UUID
    created_at: datetime
