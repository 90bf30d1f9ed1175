"""Fields that name a right."""

import inspect
from collections.abc import Callable
from typing import Any

import strawberry
from strawberry.extensions.field_extension import FieldExtension

from insula.graphql.context import Info


class Guard(FieldExtension):
    """Stands in front of a field. ``module`` is filled in where it is a root field of a module's
    graph: the field can be used only while the module is on."""

    def __init__(self, right: str) -> None:
        self.right = right
        self.module: str | None = None

    def resolve(self, next_: Any, source: Any, info: Info, **arguments: Any) -> Any:
        info.context.require(self.right, self.module)
        return next_(source, info, **arguments)

    async def resolve_async(self, next_: Any, source: Any, info: Info, **arguments: Any) -> Any:
        info.context.require(self.right, self.module)
        found = next_(source, info, **arguments)
        return await found if inspect.isawaitable(found) else found


def field(*, right: str, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A field of a graph: ``strawberry.field`` behind a right (a scope, ``SIGNED_IN``,
    ``PUBLIC``). The resolver's docstring describes it."""

    def decorate(resolver: Any) -> Any:
        options.setdefault("description", inspect.getdoc(resolver))
        return strawberry.field(resolver=resolver, extensions=[Guard(right)], **options)

    return decorate


def subscription(*, right: str, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A field of a graph's ``subscription``: an asynchronous generator behind a right."""

    def decorate(resolver: Any) -> Any:
        options.setdefault("description", inspect.getdoc(resolver))
        return strawberry.subscription(resolver=resolver, extensions=[Guard(right)], **options)

    return decorate
