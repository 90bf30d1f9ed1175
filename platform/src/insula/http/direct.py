"""The short way to handlers that ask for nothing Litestar would have to read or convert.

Most of GET is such: what they take is a path parameter, which the router has converted already, the
request, or a supply. Litestar would still extract, convert and copy their arguments: 13 µs.
"""

import inspect
from typing import Any

from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

_AT_HAND = frozenset({"request", "scope"})


class Direct:
    """An ASGI application around that of one handler (Litestar makes one for each): calls the
    handler itself where that is all there is to do."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._is_direct: bool | None = None
        self._handler: Any = None
        self._at_hand: tuple[str, ...] = ()
        self._in_path: tuple[str, ...] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._is_direct is None:
            self._is_direct = self._look_at(scope)
        if not self._is_direct:
            await self._app(scope, receive, send)
            return
        handler, given = self._handler, scope["path_params"]
        request = handler.resolve_request_class()(scope, receive, send)
        arguments: dict[str, Any] = {name: given[name] for name in self._in_path}
        for name in self._at_hand:
            arguments[name] = request if name == "request" else scope
        content = await handler.fn(**arguments)
        answer = await handler.to_response(app=scope["litestar_app"], data=content, request=request)
        await answer(scope, receive, send)

    def _look_at(self, scope: Scope) -> bool:
        """Whether the handler of this first request can be called without Litestar's help."""
        handler: Any = scope["route_handler"]
        if scope.get("method") != "GET" or not isinstance(handler, HTTPRouteHandler):
            return False  # only where there is no body to read, nor a form to close
        parameters = inspect.signature(handler.fn).parameters
        self._handler = handler
        self._at_hand = tuple(name for name in parameters if name in _AT_HAND)
        self._in_path = tuple(name for name in parameters if name not in _AT_HAND)
        given: dict[str, Any] = scope["path_params"]
        takes_as_given = all(
            name in given and parameters[name].annotation is type(given[name])
            for name in self._in_path
        )
        return takes_as_given and not _has_hooks(handler)


def _has_hooks(handler: HTTPRouteHandler) -> bool:
    """Whether Litestar has something to do before or after the handler."""
    inner = len(handler.resolve_middleware()) - len(handler.app.middleware)
    hooks = (
        handler.resolve_before_request(),
        handler.resolve_after_response(),
        handler.resolve_guards(),
        handler.resolve_return_dto(),
        handler.cache,
        handler.has_sync_callable,
    )
    return inner != 0 or any(hooks)
