"""What a module brings to ``/graphql``."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Classes made with ``@strawberry.type`` whose fields become fields of the schema's own root
    types, and the node types that ``node(id:)`` finds. Each root field names a right::

        GRAPH = Graph(query=Query, mutation=Mutation, nodes=(Note,))
    """

    query: type | None = None
    mutation: type | None = None
    subscription: type | None = None
    nodes: Sequence[type] = ()
    """What ``@node`` has made."""
