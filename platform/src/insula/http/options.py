"""``OPTIONS``: which methods a path has."""

from litestar.types import Scope, Send

from insula.http.exchange import exchange_of


async def answer_options(scope: Scope, send: Send) -> None:
    """Answer for every route of the path: Litestar's own answer knows just one of them. What a
    browser wants to know besides, the gate adds."""
    allowed = scope["litestar_app"].state.allowed.of(exchange_of(scope).path).encode()
    await send({"type": "http.response.start", "status": 204, "headers": [(b"allow", allowed)]})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
