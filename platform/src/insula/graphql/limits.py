"""How much one operation may ask for: told before any of it is done.

What is written is bounded first (tokens, fields, fragments, depth), since validation takes time
that grows faster than the document. Then what would be read is estimated: an object costs a point,
a field of the root five, a page as much as its items together.
"""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)

from insula.graphql.errors import GraphqlTooComplex
from insula.http.list_query import DEFAULT_LIMIT, MAX_LIMIT
from insula.i18n import say

MOST_TOKENS: Final = 4_000
MOST_CHARACTERS: Final = 100_000
MOST_FIELDS: Final = 1_000
MOST_FRAGMENTS: Final = 50
MOST_ALIKE: Final = 50
"""How often one selection may name the same field."""
DEEPEST: Final = 15
MOST_COST: Final = 5_000

_ROOT: Final = 5
_LIST: Final = 10
"""What a list is taken to hold that is no page."""


class Extent:
    """What a document writes down."""

    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            each.name.value: each
            for each in document.definitions
            if isinstance(each, FragmentDefinitionNode)
        }
        self._fields = 0
        self._heights: dict[str, int] = {}
        if len(self._fragments) > MOST_FRAGMENTS:
            raise GraphqlTooComplex(
                say(
                    "At most {most_fragments} fragments can be defined.",
                    most_fragments=MOST_FRAGMENTS,
                )
            )
        for definition in document.definitions:
            if isinstance(definition, FragmentDefinitionNode):
                self._height_of(definition.name.value)
            elif isinstance(definition, OperationDefinitionNode):
                self._check(self._height(definition.selection_set, 0))

    def _check(self, height: int) -> None:
        if height > DEEPEST:
            raise GraphqlTooComplex(
                say("Fields can be nested {deepest} deep at most.", deepest=DEEPEST)
            )

    def _height(self, selections: SelectionSetNode | None, above: int) -> int:
        """How deep a selection goes; fragments that contain themselves are for validation to
        find."""
        if selections is None:
            return 0
        self._check(above)
        self._count(selections)
        return max((self._of(each, above) for each in selections.selections), default=0)

    def _count(self, selections: SelectionSetNode) -> None:
        names = [_name(each) for each in selections.selections]
        self._fields += len(names)
        if self._fields > MOST_FIELDS:
            raise GraphqlTooComplex(
                say("A document has at most {most_fields} fields.", most_fields=MOST_FIELDS)
            )
        if names and Counter(names).most_common(1)[0][1] > MOST_ALIKE:
            raise GraphqlTooComplex(
                say(
                    "The same field can be selected {most_alike} times at most.",
                    most_alike=MOST_ALIKE,
                )
            )

    def _of(self, selection: Any, above: int) -> int:
        if isinstance(selection, FragmentSpreadNode):
            return self._height_of(selection.name.value)
        if isinstance(selection, InlineFragmentNode):
            return self._height(selection.selection_set, above + 1)
        return 1 + self._height(selection.selection_set, above + 1)

    def _height_of(self, fragment: str) -> int:
        if fragment not in self._heights and fragment in self._fragments:
            self._heights[fragment] = 0  # while it is looked at: a cycle ends here
            height = self._height(self._fragments[fragment].selection_set, 0)
            self._heights[fragment] = height
            self._check(height)
        return self._heights.get(fragment, 0)


def _name(selection: Any) -> str:
    return selection.name.value if isinstance(selection, FieldNode) else ""


class Cost:
    """What an operation would read, of a document that is valid."""

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]
    ) -> None:
        self._schema = schema
        self._variables = variables
        self._fragments = {
            each.name.value: each
            for each in document.definitions
            if isinstance(each, FragmentDefinitionNode)
        }
        self._costs: dict[str, int] = {}

    def of(self, operation: OperationDefinitionNode) -> int:
        root = self._schema.get_root_type(OperationType(operation.operation.value))
        return self._selection(operation.selection_set, root, is_root=True)

    def check(self, operation: OperationDefinitionNode) -> None:
        """Refuse an operation that costs too much.

        Raises:
            GraphqlTooComplex: it does.
        """
        if (cost := self.of(operation)) > MOST_COST:
            raise GraphqlTooComplex(
                say(
                    "This costs {cost} points of at most {most_cost}: ask for smaller pages.",
                    cost=cost,
                    most_cost=MOST_COST,
                )
            )

    def _selection(
        self, selections: SelectionSetNode | None, parent: Any, *, is_root: bool = False
    ) -> int:
        if selections is None:
            return 0
        of = partial(self._of, parent=parent, is_root=is_root)
        return sum(of(each) for each in selections.selections)

    def _of(self, selection: Any, parent: Any, is_root: bool) -> int:
        if isinstance(selection, FragmentSpreadNode):
            return self._fragment(selection.name.value, is_root)
        if isinstance(selection, InlineFragmentNode):
            condition = selection.type_condition
            named = self._schema.get_type(condition.name.value) if condition else parent
            return self._selection(selection.selection_set, named, is_root=is_root)
        return self._field(selection, parent) + (_ROOT if is_root else 0)

    def _fragment(self, name: str, is_root: bool) -> int:
        if name not in self._costs:
            fragment = self._fragments[name]
            named = self._schema.get_type(fragment.type_condition.name.value)
            self._costs[name] = self._selection(fragment.selection_set, named, is_root=is_root)
        return self._costs[name]

    def _field(self, field: FieldNode, parent: Any) -> int:
        if field.selection_set is None or not isinstance(
            parent, GraphQLObjectType | GraphQLInterfaceType
        ):
            return 0
        definition = parent.fields.get(field.name.value)
        if definition is None:  # introspection, whose depth is a rule of validation
            return _LIST * _LIST
        kind = get_named_type(definition.type)
        inner = 1 + self._selection(field.selection_set, kind)
        if kind.name.endswith("Connection"):
            return inner * self._size(field)
        if parent.name.endswith("Connection"):
            return inner  # its edges: counted by the page
        return inner * (_LIST if _is_list(definition.type) else 1)

    def _size(self, field: FieldNode) -> int:
        for argument in field.arguments or ():
            if argument.name.value in ("first", "last", "limit"):
                value: Any = None
                if isinstance(argument.value, IntValueNode):
                    value = int(argument.value.value[:6])
                elif isinstance(argument.value, VariableNode):
                    value = self._variables.get(argument.value.name.value)
                if isinstance(value, int):
                    return max(1, min(value, MAX_LIMIT))
        return DEFAULT_LIMIT


def _is_list(kind: Any) -> bool:
    if isinstance(kind, GraphQLNonNull):
        kind = kind.of_type
    return isinstance(kind, GraphQLList)
