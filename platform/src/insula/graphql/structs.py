"""GraphQL types made of the structs that REST answers and takes: written once, said twice."""

import inspect
import types
from collections.abc import Callable
from enum import Enum
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
import strawberry
from msgspec import UnsetType
from strawberry.scalars import JSON
from strawberry.types.base import get_object_definition

from insula.graphql.context import Info, Load
from insula.graphql.ids import global_id
from insula.http.problem import FieldError, InvalidInput

S = TypeVar("S")
Class = TypeVar("Class", bound=type)


def _global_id(root: strawberry.Parent[Any], info: Info) -> strawberry.ID:
    return strawberry.ID(global_id(info._raw_info.parent_type.name, root.id))


@strawberry.interface(description="Something with an id that is unique over all types.")
class Node:
    id: strawberry.ID = strawberry.field(
        resolver=_global_id, description="Give it to `node(id:)` to read this again."
    )


class NodeSpec(msgspec.Struct, frozen=True):
    """How a node is found by its id."""

    name: str
    load: Load
    right: str


def of_struct(struct: type[msgspec.Struct]) -> Callable[[Class], Class]:
    """Make a class an object type with the struct's fields, besides those of its own. Resolvers
    give out structs as they are, or what a JSON column has of them."""

    def decorate(cls: Class) -> Class:
        _annotate(cls, struct, leave=frozenset())
        return strawberry.type(cls, description=_described(cls, struct))

    return decorate


def node(
    struct: type[msgspec.Struct],
    *,
    load: Load,
    right: str,
    line: type[msgspec.Struct] | None = None,
) -> Callable[[Class], Class]:
    """Make a class a node type: an object type with a global ``id`` and the struct's own as
    ``uuid``. ``load`` reads many by id; ``right`` is what ``node(id:)`` needs. Where lists give
    out a shorter struct, ``line``, what that lacks is loaded when it is asked for."""

    def decorate(cls: Class) -> Class:
        lacking = frozenset(struct.__struct_fields__) - frozenset(
            (line or struct).__struct_fields__
        )
        _annotate(cls, struct, leave=lacking | {"id"})
        hints = get_type_hints(struct)
        for name in struct.__struct_fields__:
            if name in lacking and name not in vars(cls):
                setattr(cls, name, _loaded(name, graph_type(hints[name]), load))
        cls.uuid = strawberry.field(resolver=_uuid, description="The id that REST knows.")  # type: ignore[attr-defined]
        whole = type(cls.__name__, (Node,), _body(cls))
        whole.is_type_of = _is_a((struct, *([line] if line else [])))  # type: ignore[attr-defined]
        whole.__graph_node__ = NodeSpec(cls.__name__, load, right)  # type: ignore[attr-defined]
        return strawberry.type(whole, description=_described(cls, struct))  # type: ignore[return-value]

    return decorate


def _body(cls: type) -> dict[str, Any]:
    return {
        name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")
    }


def _uuid(root: strawberry.Parent[Any]) -> UUID:
    return root.id  # type: ignore[no-any-return]


def _loaded(name: str, kind: Any, load: Load) -> Any:
    """A field that shorter structs lack."""

    def resolve(root: strawberry.Parent[Any], info: Info):  # type: ignore[no-untyped-def]
        if hasattr(root, name):
            return getattr(root, name)
        return whole(root.id, info)

    async def whole(key: UUID, info: Info) -> Any:
        return getattr(await info.context.load(load, key), name)

    resolve.__annotations__["return"] = kind
    return strawberry.field(resolver=resolve)


def _annotate(cls: type, struct: type[msgspec.Struct], *, leave: frozenset[str]) -> None:
    hints = get_type_hints(struct)
    own = inspect.get_annotations(cls)
    fields = {
        name: graph_type(hints[name])
        for name in struct.__struct_fields__
        if name not in leave and name not in vars(cls) and name not in own
    }
    cls.__annotations__ = fields | own


def _is_a(structs: tuple[type, ...]) -> Any:
    return lambda thing, _: isinstance(thing, structs)


def _described(cls: type, struct: type) -> str:
    own = vars(cls).get("__doc__") or vars(struct).get("__doc__") or ""
    return inspect.cleandoc(own)


@cache
def _object_of(struct: type[msgspec.Struct]) -> type:
    name = f"{_prefix(struct)}{struct.__name__}"
    return of_struct(struct)(type(name, (), {}))


def _prefix(struct: type) -> str:
    """Types that are made unasked are called after their package: many modules have an
    ``Option``."""
    package = struct.__module__.split(".")[1]
    return "" if struct.__module__.startswith("insula.") else package.capitalize()


@cache
def _enum_of(enum: type[Enum]) -> Any:
    return strawberry.enum(enum)


def graph_type(hint: Any, struct: Callable[[Any], Any] = _object_of) -> Any:
    """The GraphQL side of a type annotation; ``struct`` makes that of a struct."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        kinds = [graph_type(arg, struct) for arg in args if arg not in (type(None), UnsetType)]
        return (kinds[0] if len(kinds) == 1 else JSON) | None
    if origin in (list, tuple, set, frozenset):
        return list[graph_type(args[0], struct)]  # type: ignore[misc]
    if origin is Literal:
        return str
    if hint is Any:
        return JSON | None  # null is one of the values
    if origin is dict or hint is dict:
        return JSON
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint if get_object_definition(hint) else struct(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum_of(hint)
    return hint


# Input


@cache
def input_of(struct: type[msgspec.Struct]) -> Any:
    """An input type with the struct's fields: ``NoteCreate`` becomes ``NoteCreateInput``. Bounds
    and patterns are the struct's: give what came to :func:`read`."""
    cls = type(f"{struct.__name__}Input", (), {})
    hints = get_type_hints(struct)
    annotations: dict[str, Any] = {}
    for found in msgspec.structs.fields(struct):
        kind = graph_type(hints[found.name], input_of)
        if found.required:
            annotations[found.name] = kind
        else:
            annotations[found.name] = kind | None
            setattr(cls, found.name, strawberry.UNSET)
    cls.__annotations__ = annotations
    return strawberry.input(cls, description=_described(cls, struct))


def read(given: Any, struct: type[S]) -> S:
    """An input as its struct, held against all that the struct demands.

    Raises:
        InvalidInput: it does not fit.
    """
    try:
        return msgspec.convert(_plain(given), struct)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `")
        pointer = path.rstrip("`").removeprefix("$").replace(".", "/").replace("[", "/")
        raise InvalidInput(errors=(FieldError(pointer.replace("]", ""), what),)) from error


def _plain(given: Any) -> Any:
    if get_object_definition(type(given)) is not None:
        values = vars(given).items()
        return {name: _plain(value) for name, value in values if value is not strawberry.UNSET}
    if isinstance(given, list):
        return [_plain(each) for each in given]
    return given
