"""One operation, from what a client sent to what it is answered."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from graphql import ExecutionResult, OperationType

from insula.access import Rights
from insula.db import Database
from insula.graphql.context import Context
from insula.graphql.core import GRAPH as CORE
from insula.graphql.errors import GraphqlNotOverGet, formatted, refusal, retryable
from insula.graphql.persisted import PersistedQueries
from insula.graphql.schema import GraphSchema
from insula.graphql.types import Graph
from insula.http.exchange import Exchange
from insula.http.problem import Problem
from insula.module import Module

_TOO_LARGE: Final = 10_000_000


class GraphqlRequest(msgspec.Struct, rename={"operation_name": "operationName"}):
    """An operation (GraphQL over HTTP, section 5)."""

    query: str | None = None
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] | None = None


class Reply(msgspec.Struct):
    """An answer; without ``data``, nothing was run."""

    content: dict[str, Any]

    @property
    def was_run(self) -> bool:
        return "data" in self.content


class GraphService:
    """Everything at ``/graphql``. ``services`` are those that handlers ask for by name."""

    def __init__(
        self, modules: Mapping[str, Module], services: Mapping[str, Any], rights: Rights
    ) -> None:
        graphs: dict[str, Graph] = {"core": CORE}
        graphs |= {name: each.graphql for name, each in modules.items() if each.graphql}
        self.schema = GraphSchema(graphs)
        self.nodes = self.schema.nodes
        self._persisted = PersistedQueries(services["redis"])
        self._database: Database = services["database"]
        self._services = services
        self._rights = rights

    async def answer(self, exchange: Exchange, request: GraphqlRequest) -> Reply:
        """Run a query or a mutation. A mutation happens without an error or not at all.

        Raises:
            Problem: it cannot be sent like this, or is to be tried again.
        """
        assert exchange.tenant is not None
        try:
            text = await self._persisted.text_of(
                exchange.tenant.key, request.query, request.extensions
            )
            prepared = self.schema.prepare(text)
            if prepared.errors:
                listed = [formatted(error, exchange.trace_id) for error in prepared.errors]
                return Reply({"errors": listed})
            if prepared.refused is not None:
                raise prepared.refused
            assert prepared.document is not None
            variables = request.variables or {}
            operation = self.schema.operation_of(
                prepared.document, request.operation_name, variables
            )
        except Problem as problem:
            if request.query is None and not (request.extensions or {}).get("persistedQuery"):
                raise
            return Reply(refusal(problem, exchange.trace_id))
        kind = operation.operation
        if kind is OperationType.SUBSCRIPTION:
            raise GraphqlNotOverGet("Subscriptions go over WebSocket (graphql-transport-ws).")
        writes = kind is OperationType.MUTATION
        if writes and exchange.method in ("GET", "HEAD"):
            raise GraphqlNotOverGet("Mutations are sent by POST.")
        context = self.context(exchange, writes=writes)
        result = await self.schema.run(
            prepared.document, context, variables, request.operation_name
        )
        if (cause := retryable(result.errors)) is not None:
            raise cause
        if writes and result.errors and exchange.work is not None:
            await exchange.work.finish(success=False)
            result = ExecutionResult(None, result.errors)
        return Reply(content_of(result, exchange.trace_id))

    def context(self, exchange: Exchange, *, writes: bool) -> Context:
        """What resolvers are given: a mutation has the request's own transaction, a query reads
        statement by statement."""
        tenant = exchange.tenant
        assert tenant is not None
        if writes:
            assert exchange.work is not None
            work = exchange.work
        else:
            work = self._database.work(tenant.bucket, tenant.prelude, writes=False)
        return Context(
            work, exchange, self._services, writes=writes, privileged=self._rights.privileged
        )


def content_of(result: ExecutionResult, trace_id: str) -> dict[str, Any]:
    """A result as it is sent."""
    content: dict[str, Any] = {}
    if result.errors:
        content["errors"] = [formatted(error, trace_id) for error in result.errors]
        if result.data is None and all(error.path is None for error in result.errors):
            return content  # the variables did not fit: nothing was run
    content["data"] = result.data
    return content
