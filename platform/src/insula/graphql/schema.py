"""One schema of what the core and all modules bring."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    OperationDefinitionNode,
    execute,
    get_operation_ast,
    parse,
    recommended_rules,
    specified_rules,
    subscribe,
    validate,
)
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule
from strawberry.tools import merge_types
from strawberry.types.base import get_object_definition

from insula.graphql.context import Context
from insula.graphql.errors import GraphqlInvalid, GraphqlTooComplex
from insula.graphql.fields import Guard
from insula.graphql.limits import MOST_CHARACTERS, MOST_TOKENS, Cost, Extent
from insula.graphql.structs import NodeSpec
from insula.graphql.types import Graph
from insula.http.problem import Problem
from insula.i18n import say

_MOST_KEPT: Final = 500
_MOST_ERRORS: Final = 20
_RULES: Final = (
    *dict.fromkeys((*specified_rules, *recommended_rules)),
    MaybeNullValidationRule,
    OneOfInputValidationRule,
)


class GraphRejected(Exception):
    """What modules bring does not fit together; the message says what to mend."""


class Prepared:
    """A document that has been read: what can be said of it without its variables."""

    def __init__(
        self, document: DocumentNode | None, errors: list[GraphQLError], refused: Problem | None
    ) -> None:
        self.document = document
        self.errors = errors
        self.refused = refused


class GraphSchema(strawberry.Schema):
    """Runs documents that were read before: parsing and validation are kept."""

    def __init__(self, graphs: Mapping[str, Graph]) -> None:
        """``graphs`` by the name of their module; the core's is called ``core``."""
        specs = [cls.__graph_node__ for graph in graphs.values() for cls in graph.nodes]  # type: ignore[attr-defined]
        self.nodes: dict[str, tuple[str | None, NodeSpec]] = {}
        for module, graph in graphs.items():
            for cls in graph.nodes:
                spec: NodeSpec = cls.__graph_node__  # type: ignore[attr-defined]
                self.nodes[spec.name] = (None if module == "core" else module, spec)
        if len(self.nodes) != len(specs):
            raise GraphRejected("two node types have the same name")
        super().__init__(
            _merged("Query", {name: graph.query for name, graph in graphs.items()}),
            _merged("Mutation", {name: graph.mutation for name, graph in graphs.items()}),
            _merged("Subscription", {name: each.subscription for name, each in graphs.items()}),
            config=StrawberryConfig(default_resolver=_attribute),
            types=[cls for graph in graphs.values() for cls in graph.nodes],
        )
        self._kept: OrderedDict[str, Prepared] = OrderedDict()

    # Reading

    def prepare(self, text: str) -> Prepared:
        """The document of a text, with what is wrong with it."""
        known = self._kept.get(text)
        if known is not None:
            self._kept.move_to_end(text)
            return known
        prepared = self._kept[text] = self._read(text)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return prepared

    def _read(self, text: str) -> Prepared:
        if len(text) > MOST_CHARACTERS:
            too_long = GraphqlTooComplex(
                say(
                    "At most {most_characters} characters are read.",
                    most_characters=MOST_CHARACTERS,
                )
            )
            return Prepared(None, [], too_long)
        try:
            document = parse(
                text,
                max_lexical_tokens=MOST_TOKENS,
                max_comments=MOST_TOKENS,
                allow_empty_selection_sets=False,
            )
            Extent(document)
        except GraphQLError as error:
            return Prepared(None, [error], None)
        except Problem as problem:
            return Prepared(None, [], problem)
        errors = validate(self._schema, document, _RULES, max_errors=_MOST_ERRORS)
        return Prepared(document, errors, None)

    def operation_of(
        self, document: DocumentNode, name: str | None, variables: Mapping[str, Any]
    ) -> OperationDefinitionNode:
        """The operation that is to be run.

        Raises:
            GraphqlInvalid: the document has none of this name, or several and none is named.
            GraphqlTooComplex: it would read too much.
        """
        operation = get_operation_ast(document, name)
        if operation is None:
            raise GraphqlInvalid(
                f"There is no operation {name!r}."
                if name
                else "Say which operation: operationName."
            )
        Cost(self._schema, document, variables).check(operation)
        return operation

    # Running

    async def run(
        self, document: DocumentNode, context: Context, variables: dict[str, Any], name: str | None
    ) -> ExecutionResult:
        """Run a query or a mutation."""
        found = execute(
            self._schema,
            document,
            context_value=context,
            variable_values=variables,
            operation_name=name,
            executor_class=self.execution_context_class,
            hide_suggestions=False,
        )
        return found if isinstance(found, ExecutionResult) else await found

    async def follow(
        self, document: DocumentNode, context: Context, variables: dict[str, Any], name: str | None
    ) -> Any:
        """Begin a subscription: its results one by one, or the result that says why not."""
        found: Any = subscribe(
            self._schema,
            document,
            context_value=context,
            variable_values=variables,
            operation_name=name,
            executor_class=self.execution_context_class,
        )
        return await found if hasattr(found, "__await__") else found


def _attribute(source: Any, name: str) -> Any:
    """A field of a struct, or of what a JSON column has of one."""
    return source.get(name) if isinstance(source, dict) else getattr(source, name)


def _merged(root: str, parts: Mapping[str, type | None]) -> Any:
    """A root type with the fields of all parts; each field learns whose it is."""
    known: dict[str, str] = {}
    for module, cls in parts.items():
        definition = get_object_definition(cls) if cls else None
        for field in definition.fields if definition else ():
            if field.python_name in known:
                raise GraphRejected(
                    f"{module} and {known[field.python_name]} both bring {root}.{field.python_name}"
                )
            known[field.python_name] = module
            guards = [each for each in field.extensions if isinstance(each, Guard)]
            if not guards:
                raise GraphRejected(f"{module}: {root}.{field.python_name} names no right")
            for guard in guards:
                guard.module = None if module == "core" else module
    found = tuple(cls for cls in parts.values() if cls is not None)
    return merge_types(root, found) if found else None
