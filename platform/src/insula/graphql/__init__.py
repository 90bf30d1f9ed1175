"""GraphQL at ``/graphql``, beside REST: the same services, rights and tenants.

A module's ``graphql.py``::

    async def _author(root: strawberry.Parent[schemas.NoteLine], info: Info) -> User | None:
        return await info.context.load(load_users, root.author_id)

    @node(schemas.Note, load=load_notes, right=READ, line=schemas.NoteLine)
    class Note:
        \"""A note.\"""

        author: User | None = field(right="users:read")(_author)

    @strawberry.type
    class Query:
        notes = connection(queries.LIST, Note, right=READ)

    GRAPH = Graph(query=Query, nodes=(Note,))
"""

from insula.graphql.connection import Connection, connection
from insula.graphql.context import Context, Info
from insula.graphql.fields import field, subscription
from insula.graphql.ids import key_of
from insula.graphql.structs import Node, input_of, node, of_struct, read
from insula.graphql.types import Graph

__all__ = [
    "Connection",
    "Context",
    "Graph",
    "Info",
    "Node",
    "connection",
    "field",
    "input_of",
    "key_of",
    "node",
    "of_struct",
    "read",
    "subscription",
]
