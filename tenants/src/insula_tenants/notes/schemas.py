"""What notes take and give."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

Title = Annotated[str, Meta(max_length=500, examples=["Roof garden"])]
Body = Annotated[str, Meta(max_length=1_000_000, examples=["# Roof garden\n\n- [ ] water"])]


class NoteCreate(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    title: Title = ""
    body: Body = ""


class Note(msgspec.Struct):
    id: UUID
    title: str
    body: str
    html: str
    tags: list[str]
    revision: int
    created_at: datetime
    updated_at: datetime


class NoteLine(msgspec.Struct):
    """A note in a list: everything but its text."""

    id: UUID
    title: str
    tags: list[str]
    revision: int
    created_at: datetime
    updated_at: datetime
