"""What handlers may ask for by name: ``tx``, ``caller``, ``tenant``, ``exchange`` and services.

All of it exists before a handler is called, so a wrapper hands it over. Litestar's own injection
runs a handler's two dependencies in two tasks: 50 µs, as much as a statement.
"""

import functools
import inspect
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from litestar import Router
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import Scope

from insula.http.exchange import Exchange, exchange_of

_TAKEN: dict[str, Callable[[Exchange], Any]] = {
    "tx": attrgetter("work"),
    "caller": attrgetter("caller"),
    "tenant": attrgetter("tenant"),
    "exchange": lambda exchange: exchange,
}
_SCOPE = inspect.Parameter("scope", inspect.Parameter.KEYWORD_ONLY, annotation=Scope)
_MARK = "__insula_supplied__"


def supply(router: Router, services: frozenset[str]) -> Router:
    """Have the router's handlers called with what they name; ``services`` are found in the
    application's state. A router may be supplied more than once."""
    for route in router.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                _supply(handler, services)
    return router


def _supply(handler: HTTPRouteHandler, services: frozenset[str]) -> None:
    call, signature = handler.fn, inspect.signature(handler.fn)
    supplies = [name for name in signature.parameters if name in _TAKEN or name in services]
    if not supplies or hasattr(call, _MARK):
        return
    taken = [(name, _TAKEN[name]) for name in supplies if name in _TAKEN]
    served = [name for name in supplies if name not in _TAKEN]

    @functools.wraps(call)
    async def supplied(scope: Scope, **arguments: Any) -> Any:
        exchange = exchange_of(scope)
        for name, take in taken:
            arguments[name] = take(exchange)
        for name in served:
            arguments[name] = scope["litestar_app"].state[name]
        return await call(**arguments)

    _present(supplied, signature, supplies)
    handler(supplied)


def _present(supplied: Any, signature: inspect.Signature, supplies: list[str]) -> None:
    """Show Litestar a handler that takes the scope, and what only Litestar can give."""
    kept = [p for name, p in signature.parameters.items() if name not in supplies]
    supplied.__signature__ = signature.replace(parameters=[*kept, _SCOPE])
    hints = {name: hint for name, hint in supplied.__annotations__.items() if name not in supplies}
    supplied.__annotations__ = {**hints, "scope": Scope}
    setattr(supplied, _MARK, True)
