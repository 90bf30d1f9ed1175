"""Tasks, and what is done to them."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from insula_tenants.tasks.schemas.fields import (
    Clock,
    Day,
    Labels,
    Missed,
    Notes,
    Priority,
    Repeat,
    RepeatFrom,
    Strict,
    Title,
    Zone,
)

Assignees = Annotated[list[UUID], Meta(max_length=20, examples=[[]])]


class TaskCreate(Strict):
    """Without a project, a task goes to the caller's inbox; with a parent, to the parent's."""

    title: Title
    project_id: UUID | None = None
    parent_id: UUID | None = None
    """The task of which this is a subtask."""
    notes: Notes = ""
    priority: Priority = 4
    """1 is the highest, 4 means none."""
    labels: Labels = msgspec.field(default_factory=list)
    assignee_ids: Assignees = msgspec.field(default_factory=list)
    zone: Zone | None = None
    """Where dates and times of the task are meant; the project's zone otherwise."""
    due_date: Annotated[Day | None, Meta(examples=["2026-05-01"])] = None
    due_time: Clock | None = None
    """Without one, the task is due for the whole day."""
    start_date: Day | None = None
    """When it can be begun at the earliest."""
    start_time: Clock | None = None
    repeat: Repeat = ""
    """A recurrence rule (RFC 5545), in days or coarser."""
    repeat_from: RepeatFrom = "due"
    """Whether the next time counts from the due date or from when it was done."""
    repeat_missed: Missed = "skip"
    """Done late, the task comes next in the future (`skip`), or each time in turn (`keep`)."""


class TaskUpdate(Strict):
    """What is left out stays; null takes a date away. A task is moved by `/move`."""

    title: Title | UnsetType = UNSET
    notes: Notes | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    labels: Labels | UnsetType = UNSET
    assignee_ids: Assignees | UnsetType = UNSET
    zone: Zone | UnsetType = UNSET
    due_date: Day | UnsetType | None = UNSET
    due_time: Clock | UnsetType | None = UNSET
    start_date: Day | UnsetType | None = UNSET
    start_time: Clock | UnsetType | None = UNSET
    repeat: Repeat | UnsetType = UNSET
    repeat_from: RepeatFrom | UnsetType = UNSET
    repeat_missed: Missed | UnsetType = UNSET


class Task(msgspec.Struct):
    id: UUID
    project_id: UUID
    parent_id: UUID | None
    depth: int
    """0 for a task that is nobody's subtask."""
    author_id: UUID
    title: Annotated[str, Meta(examples=["Pay the rent"])]
    notes: str
    priority: int
    labels: list[str]
    assignee_ids: list[UUID]
    zone: str
    due_date: date | None
    due_time: Clock | None
    due_at: datetime | None
    """The instant by which it is due: its time, or the end of its day."""
    start_date: date | None
    start_time: Clock | None
    start_at: datetime | None
    repeat: str
    repeat_from: RepeatFrom
    repeat_missed: Missed
    repeats_left: int | None
    """How often it comes with a COUNT, this time included."""
    position: int
    """The order by hand; it has gaps, and changes when others are moved."""
    done: bool
    completed_at: datetime | None
    completed_by: UUID | None
    version: int
    """Counts the changes; the `ETag`."""
    created_at: datetime
    updated_at: datetime


class TaskMove(Strict):
    """Where to. Without ``before`` and ``after``, to the end."""

    project_id: UUID | UnsetType = UNSET
    parent_id: UUID | UnsetType | None = UNSET
    """null: it is nobody's subtask any more."""
    before: UUID | None = None
    """The task in front of which it goes."""
    after: UUID | None = None


class Completion(msgspec.Struct):
    """One time that a task was done."""

    id: UUID
    completed_by: UUID
    completed_at: datetime
    due_date: date | None
    due_time: Clock | None
    skipped: int
    """Occurrences that were passed over to come into the future."""


class Occurrence(msgspec.Struct):
    """A time at which a task is due."""

    due_date: date
    due_time: Clock | None
    due_at: datetime


class LabelCount(msgspec.Struct):
    label: Annotated[str, Meta(examples=["home"])]
    colour: str
    open_tasks: int
    """Open tasks with this label that the caller sees."""
