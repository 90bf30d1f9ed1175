"""Who may call a route: the right that it names, held against the caller's scopes."""

from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

from insula.access import OPERATOR, PUBLIC, SIGNED_IN, Rights
from insula.http.exchange import Caller, Exchange, exchange_of
from insula.http.options import answer_options
from insula.http.problem import Forbidden, Unauthenticated, Unavailable
from insula.i18n import say
from insula.tenancy.errors import ModuleDisabled, TenantRequired


def require_right(caller: Caller | None, right: str) -> None:
    """Hold a right against somebody's scopes.

    Raises:
        Unauthenticated, Forbidden: they don't have it.
    """
    if right == PUBLIC:
        return
    if caller is None:
        raise Unauthenticated
    if right != SIGNED_IN and right not in caller.scopes:
        raise Forbidden(
            say(
                "This needs the scope '{right}', which {role} does not have.",
                right=right,
                role=caller.role,
            )
        )


class Authority:
    """Stands in front of every handler, and before its arguments are read. A route without a
    right cannot be called.

    A middleware, since Litestar copies the handler for each guard that it asks: 10 µs a request.
    """

    def __init__(self, app: ASGIApp, rights: Rights) -> None:
        self._app = app
        self._rights = rights

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on.

        Raises:
            TenantRequired, ModuleDisabled, Unauthenticated, Forbidden, Unavailable: or not.
        """
        opt = scope["route_handler"].opt
        if scope.get("method") == "OPTIONS" and "right" not in opt:  # Litestar's own handler
            await answer_options(scope, send)
            return
        self._check(exchange_of(scope), opt)
        await self._app(scope, receive, send)

    def _check(self, exchange: Exchange, opt: dict[str, Any]) -> None:
        right = opt["right"]
        if right == OPERATOR:
            _check_operator(exchange)
        else:
            require_right(exchange.caller, right)
        if right == PUBLIC and exchange.tenant is None and not opt.get("tenantless"):
            raise TenantRequired
        verdict = exchange.verdict
        if right in self._rights.privileged and verdict is not None and verdict.down:
            raise Unavailable("Revocations cannot be checked right now, so this right is closed.")
        module = opt.get("module")
        if module is not None and (
            exchange.tenant is None or module not in exchange.tenant.modules
        ):
            raise ModuleDisabled(
                say("{module} is off: PUT /api/v1/modules/{module} switches it on.", module=module)
            )


def _check_operator(exchange: Exchange) -> None:
    if exchange.is_operator:
        return
    if exchange.caller is None:
        raise Unauthenticated(say("This is for the operator: `insula operator token`."))
    raise Forbidden(say("This is for the operator of the installation."))
