"""The route table: every method of every path that is mounted."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin

from litestar import Litestar, Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import HeaderParameter, ParameterKwarg
from litestar.routes import HTTPRoute
from litestar.typing import FieldDefinition

from insula.access import OPERATOR, PUBLIC, SIGNED_IN
from insula.http.dialect import GATED, Dialect
from insula.http.listing import Listing
from insula.http.problem import Problem

# Names of arguments that Litestar fills with something else than a parameter.
_GIVEN = frozenset({"body", "cookies", "data", "headers", "query", "request", "scope", "state"})


@dataclass(frozen=True)
class Endpoint:
    """One method of one path, and what its handler says about it."""

    method: str
    route: HTTPRoute
    handler: HTTPRouteHandler

    @property
    def path(self) -> str:
        """The path as OpenAPI writes it: ``/api/v1/users/{user_id}``."""
        return self.route.path_format or "/"

    @property
    def is_behind_gate(self) -> bool:
        """Whether the gate looks for tenant, token and limits."""
        return self.path.startswith(GATED)

    @property
    def is_safe(self) -> bool:
        return self.method == "GET"

    @property
    def right(self) -> str:
        return str(self.handler.opt["right"])

    @property
    def scope(self) -> str | None:
        """The scope that a caller needs; None where signing in is enough, or not even needed."""
        return None if self.right in (PUBLIC, SIGNED_IN, OPERATOR) else self.right

    @property
    def is_public(self) -> bool:
        return self.right == PUBLIC

    @property
    def is_operators(self) -> bool:
        return self.right == OPERATOR

    @property
    def is_tenantless(self) -> bool:
        return bool(self.handler.opt.get("tenantless"))

    @property
    def module(self) -> str | None:
        return self.handler.opt.get("module")

    @property
    def dialect(self) -> Dialect | None:
        return self.handler.opt.get("dialect")

    @property
    def has_ranges(self) -> bool:
        """Whether it sends parts of its content on request."""
        return bool(self.handler.opt.get("ranges"))

    @property
    def reads_body_itself(self) -> bool:
        """Whether it takes the body as it comes."""
        return bool(self.handler.opt.get("body_limit"))

    @property
    def keeps_key(self) -> bool:
        """Whether it honours ``Idempotency-Key``."""
        may = self.method == "POST" and self.is_behind_gate and not self.is_operators
        return may and (not self.reads_body_itself or bool(self.handler.opt.get("keyed")))

    @property
    def listing(self) -> Listing[Any] | None:
        return self.handler.opt.get("listing")

    @property
    def problems(self) -> tuple[type[Problem], ...]:
        """What it raises of its own, from ``problems=`` in the decorator."""
        return tuple(self.handler.opt.get("problems", ()))

    @property
    def body(self) -> FieldDefinition | None:
        return self.handler.parsed_fn_signature.parameters.get("data")

    @property
    def answer(self) -> Any:
        """The type of a good answer's content."""
        annotation = self.handler.parsed_return_field.annotation
        if get_origin(annotation) in (Union, UnionType):  # the first is JSON: see `produces`
            annotation = get_args(annotation)[0]
        if get_origin(annotation) is Response:
            return get_args(annotation)[0]
        return annotation

    @property
    def produces(self) -> tuple[str, ...]:
        """Media types that a client may ask for instead, from ``produces=`` in the decorator."""
        return tuple(self.handler.opt.get("produces", ()))

    @property
    def docstring(self) -> str:
        return self.handler.description or self.handler.fn.__doc__ or ""

    def parameters(self) -> Iterator[tuple[str, FieldDefinition]]:
        """The arguments that come from header, query or cookie."""
        injected = self.handler.resolve_dependencies().keys() | self.route.path_parameters.keys()
        given = _GIVEN | injected
        for name, field in self.handler.parsed_fn_signature.parameters.items():
            if name not in given:
                yield name, field

    def takes_header(self, header: str) -> bool:
        """Whether an argument is filled from this request header."""
        return any(
            header_of(field.kwarg_definition).lower() == header.lower()
            for _, field in self.parameters()
        )


def header_of(kwarg: Any) -> str:
    """The request header that fills an argument; empty if none does."""
    if isinstance(kwarg, HeaderParameter):
        return kwarg.name or ""
    return (kwarg.header or "") if isinstance(kwarg, ParameterKwarg) else ""


def endpoints(app: Litestar) -> list[Endpoint]:
    """Everything that a client can call and that is not a page for people, in mounting order."""
    return [
        Endpoint(method, route, handler)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method, (handler, _) in sorted(route.route_handler_map.items())
        if handler.resolve_include_in_schema()
    ]


def operation_ids(found: list[Endpoint]) -> dict[Endpoint, str]:
    """The handler's name, behind the module's where several modules use the same one.

    Raises:
        ValueError: two operations are left with the same name.
    """
    uses = Counter(each.handler.handler_name for each in found)
    names = {each: _operation_id(each, uses) for each in found}
    if clashes := [name for name, count in Counter(names.values()).items() if count > 1]:
        raise ValueError(f"handlers need names of their own: {', '.join(sorted(clashes))}")
    return names


def _operation_id(endpoint: Endpoint, uses: Counter[str]) -> str:
    name = endpoint.handler.handler_name
    return name if uses[name] == 1 else f"{endpoint.module or 'core'}_{name}"
