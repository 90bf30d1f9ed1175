"""Errors as GraphQL says them: the message for people, the problem type in ``extensions``."""

from typing import Any

import msgspec
from graphql import GraphQLError

from insula.http.errors import RETRYABLE, to_problem
from insula.http.exchange import Exchange
from insula.http.problem import TYPE_BASE, Problem


class GraphqlInvalid(Problem):
    """The document is no GraphQL, or asks for what the schema does not have; ``locations`` says
    where. The schema is there by introspection."""

    status, slug, title = 400, "graphql-invalid", "The GraphQL document is not valid"


class GraphqlTooComplex(Problem):
    """The operation asks for too much at once: it is nested too deeply, has too many fields or
    fragments, or would read too many things. Ask for smaller pages, or in several requests."""

    status, slug, title = 400, "graphql-too-complex", "The GraphQL operation is too complex"


class GraphqlNotOverGet(Problem):
    """Only queries may be sent by GET: send mutations by POST, subscriptions over WebSocket."""

    status, slug, title = 405, "graphql-not-over-get", "This operation cannot be sent so"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, headers={"Allow": "POST"})


class PersistedQueryNotFound(Problem):
    """Nobody has sent the query of this hash lately: send it once with its text, and it is kept
    for a day (Apollo's automatic persisted queries)."""

    status, slug, title = 400, "persisted-query-not-found", "PersistedQueryNotFound"


def retryable(errors: list[GraphQLError] | None) -> Exception | None:
    """The cause for which the whole operation may be tried again, if there is one."""
    for error in errors or ():
        if isinstance(error.original_error, RETRYABLE):
            cause: Exception = error.original_error
            return cause
    return None


def formatted(error: GraphQLError, exchange: Exchange) -> dict[str, Any]:
    """An error as the answer lists it; what nobody foresaw is logged and opaque."""
    found: dict[str, Any] = dict(error.formatted)
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    if error.path is None and (cause is None or isinstance(cause, GraphQLError)):
        found["extensions"] = _said(GraphqlInvalid(), exchange)
        return found
    problem = to_problem(cause or error)
    problem.localise(exchange.locale)
    found["message"] = problem.detail or problem.title
    found["extensions"] = _said(problem, exchange)
    return found


def error_of(problem: Problem, exchange: Exchange) -> dict[str, Any]:
    """A problem with the operation as a whole."""
    problem.localise(exchange.locale)
    return {"message": problem.detail or problem.title, "extensions": _said(problem, exchange)}


def _said(problem: Problem, exchange: Exchange) -> dict[str, Any]:
    said: dict[str, Any] = {
        "code": problem.slug.replace("-", "_").upper(),  # where Apollo's clients look
        "type": TYPE_BASE + problem.slug,
        "title": problem.title,
        "status": problem.status,
        "trace_id": exchange.trace_id,
    }
    if problem.errors:
        said["errors"] = msgspec.to_builtins(problem.errors)
    return said
