"""Path, query and header parameters, those of lists among them."""

from collections.abc import Collection
from typing import Any, Final

from litestar.params import ParameterKwarg
from litestar.typing import FieldDefinition

from insula.http.list_query import DEFAULT_LIMIT, MAX_LIMIT
from insula.http.listing import Listing
from insula.http.openapi.endpoints import Endpoint, header_of
from insula.http.openapi.schemas import Schema, Schemas

SHARED: Final[dict[str, Schema]] = {
    "Tenant": {
        "name": "Insula-Tenant",
        "in": "header",
        "description": "The tenant's slug. Needed where neither the host nor a token names one.",
        "schema": {"type": "string", "examples": ["acme"]},
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Chosen by you, new for each intention. The first good answer is kept for a "
        "day and given again to a request that repeats key and body.",
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "pattern": "^[!-~]([ -~]*[!-~])?$",
            "examples": ["8e03978e-40d5-43dd-bc93-6894a57f9324"],
        },
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "An `ETag` that you have: the answer is 304 if it is still the current one.",
        "schema": {"type": "string", "examples": ['"3"']},
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "The `ETag` of the version that you are changing: 412 if it is not the "
        "current one any more.",
        "schema": {"type": "string", "maxLength": 200, "examples": ['"3"']},
    },
    "Range": {
        "name": "Range",
        "in": "header",
        "description": "Parts of the content, such as `bytes=0-499` or `bytes=-500`: the answer is "
        "206, or 416 if there are no such bytes.",
        "schema": {"type": "string", "maxLength": 1000, "examples": ["bytes=0-499"]},
    },
    "IfRange": {
        "name": "If-Range",
        "in": "header",
        "description": "The `ETag` that the parts are to be of; of another one you get all.",
        "schema": {"type": "string", "maxLength": 200},
    },
    "Limit": {
        "name": "limit",
        "in": "query",
        "description": "How many items a page has at most.",
        "schema": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_LIMIT,
            "default": DEFAULT_LIMIT,
        },
    },
    "Cursor": {
        "name": "cursor",
        "in": "query",
        "description": "`next` or `prev` of the page that you have, with the same `sort`.",
        "schema": {"type": "string", "contentEncoding": "base64url"},
    },
    "Query": {
        "name": "q",
        "in": "query",
        "description": 'Full-text search: words, `"a phrase"`, `or`, `-without`; the last word '
        "may be unfinished.",
        "schema": {"type": "string", "maxLength": 500, "examples": ["roof -garden"]},
    },
}
_OPERATORS: Final = {
    "eq": "is",
    "ne": "is not",
    "gt": "is greater than",
    "gte": "is at least",
    "lt": "is less than",
    "lte": "is at most",
}
_INT4: Final = {"minimum": -(2**31) + 1, "maximum": 2**31 - 1}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/parameters/{name}"}


def parameters_of(endpoint: Endpoint, schemas: Schemas) -> list[Schema]:
    """Everything but the body that an operation takes."""
    found = [_path(endpoint, name, schemas) for name in endpoint.route.path_parameters]
    required = endpoint.handler.opt.get("requires", ())
    found += [_argument(name, field, schemas, required) for name, field in endpoint.parameters()]
    if endpoint.listing is not None:
        found += _of_list(endpoint.listing, schemas)
    if endpoint.is_behind_gate and not endpoint.is_operators:
        found.append(ref("Tenant"))
    if endpoint.is_safe:
        found.append(ref("IfNoneMatch"))
    if endpoint.has_ranges:
        found += [ref("Range"), ref("IfRange")]
    if endpoint.keeps_key:
        found.append(ref("IdempotencyKey"))
    return found


def _path(endpoint: Endpoint, name: str, schemas: Schemas) -> Schema:
    field = endpoint.handler.parsed_fn_signature.parameters.get(name)
    annotation = field.raw if field is not None else endpoint.route.path_parameters[name].type
    schema = schemas.of(annotation, taken=True)
    if field is not None:
        schema |= _constraints(field.kwarg_definition)
    if schema.get("type") == "string" and "format" not in schema:
        schema.setdefault("minLength", 1)
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _argument(
    name: str, field: FieldDefinition, schemas: Schemas, required: Collection[str] = ()
) -> Schema:
    """A query or header parameter; ``required`` are those that the handler insists on by itself,
    with an answer of its own."""
    kwarg = field.kwarg_definition
    place, key = "query", name
    if isinstance(kwarg, ParameterKwarg):
        if header_of(kwarg).lower() == "if-match":
            return ref("IfMatch")
        places = {"header": header_of(kwarg), "cookie": kwarg.cookie, "query": kwarg.query}
        place, key = next(
            ((where, alias) for where, alias in places.items() if alias), ("query", name)
        )
    schema = schemas.of(_without_none(field.annotation), taken=True) | _constraints(kwarg)
    if field.has_default and field.default is not None:
        schema["default"] = field.default
    parameter: Schema = {"name": key, "in": place, "schema": schema}
    if field.is_required or key in required:
        parameter["required"] = True
    if examples := getattr(kwarg, "examples", None):
        parameter["schema"] = schema | {"examples": [each.value for each in examples]}
    if description := getattr(kwarg, "description", None):
        parameter["description"] = description
    return parameter


def _without_none(annotation: Any) -> Any:
    """A parameter that may be None is one that may be absent."""
    args = [each for each in getattr(annotation, "__args__", ()) if each is not type(None)]
    is_optional = type(None) in getattr(annotation, "__args__", ())
    return args[0] if is_optional and len(args) == 1 else annotation


def _constraints(kwarg: Any) -> Schema:
    words = {
        "ge": "minimum",
        "le": "maximum",
        "gt": "exclusiveMinimum",
        "lt": "exclusiveMaximum",
        "min_length": "minLength",
        "max_length": "maxLength",
        "pattern": "pattern",
    }
    found = {word: getattr(kwarg, bound, None) for bound, word in words.items()}
    return {word: value for word, value in found.items() if value is not None}


# Lists


def _of_list(listing: Listing[Any], schemas: Schemas) -> list[Schema]:
    found = [ref("Limit"), ref("Cursor"), _sort(listing), _fields(listing)]
    if listing.search is not None:
        found.append(ref("Query"))
    for name, known in listing.filters.items():
        schema = _filtered(known.kind.python_type, schemas)
        for operator in known.operators:
            found.append(_filter(name, operator, schema))
    return found


def _sort(listing: Listing[Any]) -> Schema:
    orders = [order for name in listing.sort for order in (name, f"-{name}")]
    return {
        "name": "sort",
        "in": "query",
        "description": "The order; `-` reverses it.",
        "schema": {"type": "string", "enum": orders, "default": listing.default},
    }


def _fields(listing: Listing[Any]) -> Schema:
    return {
        "name": "fields",
        "in": "query",
        "description": "Just these fields of each item, separated by commas.",
        "style": "form",
        "explode": False,
        "schema": {"type": "array", "items": {"type": "string", "enum": list(listing.fields)}},
    }


def _filter(name: str, operator: str, schema: Schema) -> Schema:
    return {
        "name": name if operator == "eq" else f"{name}[{operator}]",
        "in": "query",
        "description": f"Only items whose `{name}` {_OPERATORS[operator]} this.",
        "schema": schema,
    }


def _filtered(kind: type, schemas: Schemas) -> Schema:
    schema = schemas.of(kind, taken=True)
    return schema | _INT4 if kind is int else schema
