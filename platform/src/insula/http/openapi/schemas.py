"""JSON Schema (2020-12) of what handlers take and give, read from the types that msgspec checks.

Litestar's own schemas and msgspec's both leave out what a client needs: that an unknown field is
refused, that an answer always has a field with a default, that a time carries a zone, and what the
line under a field says about it.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable
from functools import cache
from itertools import pairwise
from typing import Any, Final, get_args, get_origin

import msgspec
from msgspec import inspect as types

Schema = dict[str, Any]
REF: Final = "#/components/schemas/"

_PLAIN: dict[type[types.Type], Schema] = {
    types.AnyType: {},
    types.RawType: {},
    types.NoneType: {"type": "null"},
    types.BoolType: {"type": "boolean"},
    types.DateType: {"type": "string", "format": "date"},
    types.DateTimeType: {"type": "string", "format": "date-time"},
    types.TimeType: {"type": "string", "format": "time"},
    types.TimeDeltaType: {"type": "string", "format": "duration"},
    types.UUIDType: {"type": "string", "format": "uuid"},
    types.DecimalType: {"type": "string", "format": "decimal"},
}
_CLOCK: Final[Schema] = {  # the format "time" of JSON Schema would need an offset
    "type": "string",
    "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?$",
    "examples": ["09:00:00"],
}
_BOUNDED: dict[type[types.Type], Schema] = {
    types.IntType: {"type": "integer"},
    types.FloatType: {"type": "number"},
    types.StrType: {"type": "string"},
    types.BytesType: {"type": "string", "contentEncoding": "base64"},
}
_BOUNDS: Final = {
    "ge": "minimum",
    "le": "maximum",
    "gt": "exclusiveMinimum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
}


class Unsupported(TypeError):
    """A handler takes or gives a type that has no JSON Schema; the message names it."""


class Schemas:
    """Gives out schemas, and collects the named ones for ``components``.

    A struct that only answers contain promises more than one that requests contain, too: a field
    with a default is always there.
    """

    def __init__(self) -> None:
        self._names: dict[Any, str] = {}
        self._owners: dict[str, Any] = {}
        self._found: dict[str, types.StructType] = {}
        self._taken: set[str] = set()

    def of(self, annotation: Any, *, taken: bool = False) -> Schema:
        """The schema of a type; ``taken`` if it is part of a request."""
        try:
            return self._schema(types.type_info(annotation), taken)
        except TypeError as error:
            raise Unsupported(f"{annotation!r}: {error}") from error

    def components(self) -> dict[str, Schema]:
        """Every named schema that has been given out, by name."""
        return {name: self._struct(name) for name in sorted(self._found)}

    def selection(self, page: Any, item: Any) -> Schema:
        """A page whose items have just some of their fields: what ``?fields=`` gives."""
        whole, cut = self._inline(page), self._inline(item)
        del cut["required"]
        whole["properties"]["items"] = {"type": "array", "items": cut}
        return {**whole, "description": "With `fields`: just those of each item."}

    def _inline(self, annotation: Any) -> Schema:
        schema = self._struct(self.of(annotation)["$ref"].removeprefix(REF))
        del schema["title"]
        return {**schema, "additionalProperties": False}

    # One kind of type each

    def _schema(self, kind: types.Type, taken: bool) -> Schema:
        if isinstance(kind, types.Metadata):
            return {**self._schema(kind.type, taken), **(kind.extra_json_schema or {})}
        if isinstance(kind, types.TimeType) and kind.tz is False:
            return dict(_CLOCK)
        if (plain := _PLAIN.get(type(kind))) is not None:
            return dict(plain)
        if (bounded := _BOUNDED.get(type(kind))) is not None:
            return {**bounded, **_bounds(kind)}
        for cls, make in self._composed().items():
            if isinstance(kind, cls):
                return make(kind, taken)
        raise Unsupported(f"{kind!r} has no JSON Schema here")

    def _composed(self) -> dict[type[types.Type], Callable[[Any, bool], Schema]]:
        return {
            types.StructType: self._reference,
            types.UnionType: self._union,
            types.LiteralType: lambda kind, _: _choice(kind.values),
            types.EnumType: lambda kind, _: _choice(each.value for each in kind.cls),
            types.TupleType: self._tuple,
            types.CollectionType: self._array,
            types.DictType: self._mapping,
        }

    def _union(self, kind: types.UnionType, taken: bool) -> Schema:
        members = [self._schema(each, taken) for each in kind.types]
        return members[0] if len(members) == 1 else {"anyOf": members}

    def _tuple(self, kind: types.TupleType, taken: bool) -> Schema:
        items = [self._schema(each, taken) for each in kind.item_types]
        size = len(items)
        return {"type": "array", "prefixItems": items, "minItems": size, "maxItems": size}

    def _array(self, kind: types.CollectionType, taken: bool) -> Schema:
        schema = {"type": "array", "items": self._schema(kind.item_type, taken)}
        return schema | _size(kind, "Items")

    def _mapping(self, kind: types.DictType, taken: bool) -> Schema:
        schema = {"type": "object", "additionalProperties": self._schema(kind.value_type, taken)}
        return schema | _size(kind, "Properties")

    def _reference(self, kind: types.StructType, taken: bool) -> Schema:
        name = self._name(kind.cls)
        known = name in self._found and (name in self._taken or not taken)
        self._found[name] = kind
        if taken:
            self._taken.add(name)
        if not known:  # else it would never end in a struct that contains itself
            for field in kind.fields:
                self._schema(field.type, taken)
        return {"$ref": REF + name}

    def _struct(self, name: str) -> Schema:
        kind = self._found[name]
        taken = name in self._taken
        lines = _field_lines(get_origin(kind.cls) or kind.cls)
        properties = {}
        if kind.tag_field is not None:
            properties[kind.tag_field] = {"const": kind.tag}
        for field in kind.fields:
            properties[field.encode_name] = self._property(field, lines.get(field.name), taken)
        schema: Schema = {"title": name, "type": "object"}
        if text := _docstring(kind.cls):
            schema["description"] = text
        schema["properties"] = properties
        if required := [*_tag(kind), *_required(kind, taken)]:
            schema["required"] = required
        if kind.forbid_unknown_fields:
            schema["additionalProperties"] = False
        return schema

    def _property(self, field: types.Field, line: str | None, taken: bool) -> Schema:
        schema = self._schema(field.type, taken)
        if line:
            schema = {**schema, "description": line}
        if field.default not in (msgspec.NODEFAULT, msgspec.UNSET) and taken:
            schema = {**schema, "default": msgspec.to_builtins(field.default)}
        return schema

    # Names

    def _name(self, cls: Any) -> str:
        if cls in self._names:
            return self._names[cls]
        origin, arguments = get_origin(cls) or cls, get_args(cls)
        name = "".join(getattr(each, "__name__", "Any") for each in (*arguments, origin))
        owner = self._owners.setdefault(name, cls)
        if owner is not cls:  # another module has a struct of this name
            name = f"{_folder(origin)}.{name}"
            self._owners[name] = cls
        self._names[cls] = name
        return name


def _bounds(kind: types.Type) -> Schema:
    found = {word: getattr(kind, bound, None) for bound, word in _BOUNDS.items()}
    return {word: value for word, value in found.items() if value is not None}


def _size(kind: Any, what: str) -> Schema:
    found = {f"min{what}": kind.min_length, f"max{what}": kind.max_length}
    return {word: value for word, value in found.items() if value is not None}


def _choice(values: Iterable[Any]) -> Schema:
    choices = list(values)
    if all(isinstance(each, str) for each in choices):
        return {"type": "string", "enum": choices}
    return {"enum": choices}


def _tag(kind: types.StructType) -> list[str]:
    return [] if kind.tag_field is None else [kind.tag_field]


def _required(kind: types.StructType, taken: bool) -> list[str]:
    """An answer leaves out only what is UNSET, or a default where the struct says so."""
    config: Any = (get_origin(kind.cls) or kind.cls).__struct_config__
    whole = not taken and not config.omit_defaults
    return [
        field.encode_name
        for field in kind.fields
        if field.required or (whole and field.default is not msgspec.UNSET)
    ]


def _folder(cls: type) -> str:
    """``blog`` for a class in ``insula_tenants.blog.schemas``."""
    parts = cls.__module__.split(".")
    return parts[-2] if len(parts) > 1 else parts[0]


# What the source says about it


def _docstring(cls: Any) -> str:
    text = vars(get_origin(cls) or cls).get("__doc__") or ""
    return plain_text(text)


def plain_text(docstring: str) -> str:
    """A docstring as CommonMark: reST's double backticks and roles become code spans."""
    text = re.sub(r":[a-z]+:`~?([^`]*)`", r"`\1`", inspect.cleandoc(docstring))
    return text.replace("``", "`")


@cache
def _field_lines(cls: type) -> dict[str, str]:
    """The string under each field of a class and its bases."""
    lines: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.partition(".")[0] in ("builtins", "msgspec", "typing"):
            continue
        try:
            source = textwrap.dedent(inspect.getsource(base))
        except (OSError, TypeError):  # made at run time, or shipped without its source
            continue
        body = ast.parse(source).body[0]
        assert isinstance(body, ast.ClassDef)
        lines |= dict(_strings_under_fields(body.body))
    return lines


def _strings_under_fields(body: list[ast.stmt]) -> Iterable[tuple[str, str]]:
    for field, below in pairwise(body):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, plain_text(text)
