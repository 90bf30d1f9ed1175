"""``/graphql``: GraphQL over HTTP."""

from typing import Annotated, Any

import msgspec
from litestar import Response, Router, get, post
from litestar.params import QueryParameter

from insula.access import PUBLIC
from insula.graphql.errors import GraphqlNotOverGet
from insula.graphql.negotiation import RESPONSE, choose
from insula.graphql.service import Content, GraphqlRequest, GraphService
from insula.http.exchange import Exchange
from insula.http.problem import BadRequest, NotAcceptable
from insula.i18n import say

_encode = msgspec.json.Encoder().encode
Text = Annotated[str | None, QueryParameter(description="The document.", name="query")]
Variables = Annotated[str | None, QueryParameter(description="A JSON object.", name="variables")]
Name = Annotated[
    str | None, QueryParameter(description="Which operation of several.", name="operationName")
]
Extensions = Annotated[str | None, QueryParameter(description="A JSON object.", name="extensions")]


class GraphqlAnswer(msgspec.Struct, omit_defaults=True):
    """What was found, and what went wrong on the way."""

    data: dict[str, Any] | None = None
    errors: list[dict[str, Any]] = []


@get("/graphql", right=PUBLIC, produces=(RESPONSE,), problems=(GraphqlNotOverGet, NotAcceptable))
async def graphql_query(
    exchange: Exchange,
    graph: GraphService,
    text: Text = None,
    variables: Variables = None,
    name: Name = None,
    extensions: Extensions = None,
) -> Response[GraphqlAnswer]:
    """Run a GraphQL query. Each field says which right it needs."""
    media_type = choose(exchange.header(b"accept"))
    request = GraphqlRequest(
        text, _object("variables", variables), name, _object("extensions", extensions)
    )
    return _answered(await graph.answer(exchange, request), media_type)


@post(
    "/graphql",
    right=PUBLIC,
    status_code=200,
    produces=(RESPONSE,),
    problems=(GraphqlNotOverGet, NotAcceptable),
)
async def graphql(
    data: GraphqlRequest, exchange: Exchange, graph: GraphService
) -> Response[GraphqlAnswer]:
    """Run a GraphQL query or mutation. A mutation is one transaction: it happens without an error
    or not at all. Errors carry their problem type in `extensions`."""
    media_type = choose(exchange.header(b"accept"))
    return _answered(await graph.answer(exchange, data), media_type)


def _answered(content: Content, media_type: str) -> Response[GraphqlAnswer]:
    status = 400 if media_type == RESPONSE and "data" not in content else 200
    body: Any = _encode(content)
    return Response(body, status_code=status, media_type=f"{media_type}; charset=utf-8")


def _object(name: str, text: str | None) -> dict[str, Any] | None:
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=dict[str, Any] | None)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise BadRequest(say("{name} must be a JSON object.", name=name)) from error


ROUTER = Router(path="/", route_handlers=[graphql_query, graphql], tags=["GraphQL"])
