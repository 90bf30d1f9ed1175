"""Todos as the Todo-Backend specification has them. Its clients may send more than it names."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from insula_tenants.tasks.schemas.fields import FARTHEST, Title

Order = Annotated[int, Meta(ge=-FARTHEST, le=FARTHEST, examples=[10])]


class TodoCreate(msgspec.Struct, kw_only=True):
    title: Title
    order: Order | UnsetType | None = UNSET
    completed: bool = False


class TodoUpdate(msgspec.Struct, kw_only=True):
    title: Title | UnsetType = UNSET
    order: Order | UnsetType = UNSET
    completed: bool | UnsetType = UNSET


class Todo(msgspec.Struct):
    id: UUID
    title: str
    completed: bool
    order: int
    url: Annotated[str, Meta(examples=["https://acme.example.com/compat/todo-backend/todos/019…"])]
