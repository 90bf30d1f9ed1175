"""``OPTIONS``: which methods there are, and for a browser what a script of another origin may send
(the CORS protocol of the Fetch standard)."""

from litestar.types import Scope, Send

from insula.http.exchange import exchange_of

# By name, since a * does not cover Authorization.
_MAY_SEND = (
    b"Accept-Language, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, "
    b"Insula-Tenant, traceparent"
)
_SECONDS = b"600"
"""For how long a browser may remember the answer; Chromium keeps none longer than two hours."""


async def answer_options(scope: Scope, send: Send) -> None:
    """Answer for every route of the path: Litestar's own answer knows just one of them."""
    exchange = exchange_of(scope)
    allowed = scope["litestar_app"].state.allowed.of(exchange.path).encode()
    headers = [(b"allow", allowed)]
    if b"access-control-request-method" in exchange.headers:
        headers += [
            (b"access-control-allow-methods", allowed),
            (b"access-control-allow-headers", _MAY_SEND),
            (b"access-control-max-age", _SECONDS),
        ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
