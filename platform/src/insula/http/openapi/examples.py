"""Examples, put together from those that the fields of a schema declare."""

from typing import Any

from insula.http.openapi.schemas import REF, Schema

_ID = "019aa000-0000-7000-8000-000000000001"
_BY_FORMAT = {
    "uuid": _ID,
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "decimal": "12.50",
}
_BY_TYPE: dict[str, Any] = {"boolean": True, "integer": 1, "number": 1.5, "null": None}
_DEEPEST = 8


def example_of(schema: Schema, components: dict[str, Schema], depth: int = 0) -> Any:
    """A value that fits the schema, as telling as its fields' own examples make it."""
    if "$ref" in schema:
        schema = components[schema["$ref"].removeprefix(REF)]
    if "examples" in schema:
        return schema["examples"][0]
    for word in ("const", "default"):
        if word in schema:
            return schema[word]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], components, depth)
    return _by_type(schema, components, depth)


def _by_type(schema: Schema, components: dict[str, Schema], depth: int) -> Any:
    kind = schema.get("type")
    if kind == "object":
        return {
            name: example_of(field, components, depth + 1)
            for name, field in schema.get("properties", {}).items()
        }
    if kind == "array":
        return _array(schema, components, depth)
    if kind == "string":
        return _BY_FORMAT.get(schema.get("format", ""), "text")
    return schema.get("minimum", _BY_TYPE.get(kind or "null"))


def _array(schema: Schema, components: dict[str, Schema], depth: int) -> Any:
    if depth > _DEEPEST:  # a struct that contains itself
        return []
    items = schema.get("prefixItems") or [schema["items"]]
    return [example_of(each, components, depth + 1) for each in items]
