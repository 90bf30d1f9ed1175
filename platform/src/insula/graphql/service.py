"""One operation, from what a client sent to what it is answered."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import msgspec
from graphql import DocumentNode, ExecutionResult, OperationType

from insula.access import Rights
from insula.db import Database, Work
from insula.graphql.context import Context
from insula.graphql.core import GRAPH as CORE
from insula.graphql.errors import GraphqlNotOverGet, error_of, formatted, retryable
from insula.graphql.feed import watch
from insula.graphql.persisted import PersistedQueries
from insula.graphql.schema import GraphSchema
from insula.graphql.told import Told
from insula.graphql.types import Graph
from insula.http.exchange import Exchange
from insula.http.problem import BadRequest, Problem
from insula.module import Module


class GraphqlRequest(msgspec.Struct, rename={"operation_name": "operationName"}):
    """An operation (GraphQL over HTTP, section 5)."""

    query: str | None = None
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] | None = None


class Asked(msgspec.Struct):
    """An operation that can be run."""

    document: DocumentNode
    kind: OperationType
    variables: dict[str, Any]
    name: str | None


Content = dict[str, Any]
"""An answer as it is sent; without ``data``, nothing was run."""


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

    # HTTP

    async def answer(self, exchange: Exchange, request: GraphqlRequest) -> Content:
        """Run a query or a mutation. A mutation happens without an error or not at all.

        Raises:
            Problem: it cannot be sent like this, or is to be tried again.
        """
        asked = await self._read(exchange, request)
        if not isinstance(asked, Asked):
            return asked
        if asked.kind is OperationType.SUBSCRIPTION:
            raise GraphqlNotOverGet("Subscriptions go over WebSocket (graphql-transport-ws).")
        if asked.kind is OperationType.QUERY:
            return await self._query(exchange, asked)
        if exchange.method in ("GET", "HEAD"):
            raise GraphqlNotOverGet("Mutations are sent by POST.")
        assert exchange.work is not None
        content, succeeded = await self._mutate(exchange, asked, exchange.work)
        if not succeeded:
            await exchange.work.finish(success=False)
        return content

    # WebSocket

    async def results(
        self, exchange: Exchange, request: GraphqlRequest
    ) -> AsyncGenerator[Content, None]:
        """Run an operation of any kind: its answer, or one for each event."""
        asked = await self._read(exchange, request)
        if not isinstance(asked, Asked):
            yield asked
        elif asked.kind is OperationType.QUERY:
            yield await self._query(exchange, asked)
        elif asked.kind is OperationType.MUTATION:
            yield await self._mutate_alone(exchange, asked)
        else:
            async with aclosing(self._follow(exchange, asked)) as contents:
                async for content in contents:
                    yield content

    def watch(self, exchange: Exchange, channel: str) -> AsyncGenerator[Told, None]:
        """What a live channel says: see :func:`insula.graphql.feed.watch`."""
        return watch(self._services["live"], exchange, channel)

    def refusal(self, problem: Problem, exchange: Exchange) -> list[dict[str, Any]]:
        """A problem as the errors of an answer."""
        return [error_of(problem, exchange)]

    # Reading

    async def _read(self, exchange: Exchange, request: GraphqlRequest) -> Asked | Content:
        """The operation that is meant; or what to answer, if there is none."""
        assert exchange.tenant is not None
        extensions = request.extensions or {}
        if request.query is None and "persistedQuery" not in extensions:
            raise BadRequest("There is no query.")
        try:
            text = await self._persisted.text_of(exchange.tenant.key, request.query, extensions)
            prepared = self.schema.prepare(text)
            if prepared.errors:
                return {"errors": [formatted(each, exchange) for each in prepared.errors]}
            if prepared.refused is not None:
                raise prepared.refused
            assert prepared.document is not None
            variables, name = request.variables or {}, request.operation_name
            operation = self.schema.operation_of(prepared.document, name, variables)
        except Problem as problem:
            return {"errors": self.refusal(problem, exchange)}
        return Asked(prepared.document, operation.operation, variables, name)

    # Running

    async def _query(self, exchange: Exchange, asked: Asked) -> Content:
        result = await self._run(asked, self._context(exchange, self._reading(exchange)))
        return _content_of(result, exchange)

    async def _mutate(self, exchange: Exchange, asked: Asked, work: Work) -> tuple[Content, bool]:
        """What to answer, and whether to commit."""
        result = await self._run(asked, self._context(exchange, work, writes=True))
        if result.errors:
            result = ExecutionResult(None, result.errors)
        return _content_of(result, exchange), not result.errors

    async def _mutate_alone(self, exchange: Exchange, asked: Asked) -> Content:
        """A mutation in a transaction of its own."""
        tenant = exchange.tenant
        assert tenant is not None
        work = self._database.work(tenant.bucket, tenant.prelude, writes=True)
        try:
            content, succeeded = await self._mutate(exchange, asked, work)
            await work.finish(success=succeeded)
        finally:
            work.abandon()  # of what was finished, nothing is left
        return content

    async def _run(self, asked: Asked, context: Context) -> ExecutionResult:
        result = await self.schema.run(asked.document, context, asked.variables, asked.name)
        if (cause := retryable(result.errors)) is not None:
            raise cause
        return result

    async def _follow(self, exchange: Exchange, asked: Asked) -> AsyncGenerator[Content, None]:
        context = self._context(exchange, self._reading(exchange))
        found = await self.schema.follow(asked.document, context, asked.variables, asked.name)
        if isinstance(found, ExecutionResult):
            yield {"errors": [formatted(each, exchange) for each in found.errors or ()]}
            return
        try:
            async for result in found:
                yield _content_of(result, exchange)
                context.forget()
        finally:
            await found.aclose()

    def _reading(self, exchange: Exchange) -> Work:
        tenant = exchange.tenant
        assert tenant is not None
        return self._database.work(tenant.bucket, tenant.prelude, writes=False)

    def _context(self, exchange: Exchange, work: Work, *, writes: bool = False) -> Context:
        privileged = self._rights.privileged
        return Context(work, exchange, self._services, writes=writes, privileged=privileged)


def _content_of(result: ExecutionResult, exchange: Exchange) -> Content:
    """A result as it is sent."""
    content: Content = {}
    if result.errors:
        content["errors"] = [formatted(error, exchange) for error in result.errors]
        if result.data is None and all(error.path is None for error in result.errors):
            return content  # the variables did not fit: nothing was run
    content["data"] = result.data
    return content
