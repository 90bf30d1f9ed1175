"""Projects and who has a part in them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from insula_tenants.tasks.schemas.fields import (
    Colour,
    MemberRole,
    Notes,
    Strict,
    Title,
    Visibility,
    Zone,
)


class ProjectCreate(Strict):
    title: Title
    description: Notes = ""
    colour: Colour = ""
    visibility: Visibility = "private"
    """`tenant`: everybody who may write tasks in the tenant sees it and works in it."""
    zone: Zone = "UTC"
    """Where its tasks are at home, unless they say otherwise."""


class ProjectUpdate(Strict):
    title: Title | UnsetType = UNSET
    description: Notes | UnsetType = UNSET
    colour: Colour | UnsetType = UNSET
    visibility: Visibility | UnsetType = UNSET
    zone: Zone | UnsetType = UNSET
    archived: bool | UnsetType = UNSET
    """The tasks of an archived project are in no list but its own."""


class Project(msgspec.Struct):
    id: UUID
    title: Annotated[str, Meta(examples=["Household"])]
    description: str
    colour: str
    visibility: Visibility
    zone: str
    inbox_of: UUID | None
    """Whose inbox it is; null for every other project."""
    archived_at: datetime | None
    version: int
    """Counts the changes; the `ETag`."""
    created_at: datetime
    updated_at: datetime


class MemberPut(Strict):
    role: MemberRole


class Member(msgspec.Struct):
    user_id: UUID
    name: str
    role: MemberRole
    created_at: datetime
