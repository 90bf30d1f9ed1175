"""Assembles the application; the only place that knows everything."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Request, Response, Router
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.routes import BaseRoute
from litestar.types import ASGIApp, Middleware

from insula import collector, health
from insula.access import CORE_SCOPES, Rights
from insula.events import EventType
from insula.events.routes import REWOUND
from insula.events.routes import ROUTER as EVENTS
from insula.files.routes import ROUTER as FILES
from insula.foundation import Foundation
from insula.graphql import sockets as graphql_socket
from insula.graphql.routes import ROUTER as GRAPHQL
from insula.graphql.service import GraphService
from insula.graphql.sockets import GraphSocket
from insula.http.allow import AllowedMethods
from insula.http.authority import Authority
from insula.http.dialect import Dialects
from insula.http.direct import Direct
from insula.http.docs import documentation
from insula.http.door import Door
from insula.http.drain import Drain
from insula.http.errors import is_retryable, to_problem
from insula.http.exchange import exchange_of, refusal
from insula.http.gate import Gate
from insula.http.idempotency import Idempotency
from insula.http.openapi import Tag
from insula.http.problem import MethodNotAllowed
from insula.http.reply import Reply
from insula.http.supplies import supply
from insula.http.uploads import Uploads
from insula.identity.revocations import Revocations
from insula.identity.routes import ROUTER as IDENTITY
from insula.identity.sessions import Sessions
from insula.identity.throttle import LoginThrottle
from insula.identity.tickets import Tickets
from insula.identity.tokens import AccessTokens
from insula.jobs.events import EVENTS as JOB_EVENTS
from insula.jobs.routes import ROUTER as JOBS
from insula.mail.captured import CapturedMail, captured_in
from insula.mail.page import dev_mail
from insula.module import Module, discover
from insula.portability.receipts import Receipts
from insula.portability.routes import ROUTER as PORTABILITY
from insula.realtime import socket as live_socket
from insula.realtime.core_channels import CORE_CHANNELS
from insula.realtime.directory import Channels
from insula.realtime.keeper import Keeper
from insula.realtime.routes import ROUTER as REALTIME
from insula.realtime.service import Live
from insula.realtime.socket import LiveSocket
from insula.search.box import SearchBox
from insula.search.routes import ROUTER as SEARCH
from insula.settings import Settings
from insula.tenancy.domain_routes import ROUTER as DOMAINS
from insula.tenancy.fleet_routes import ROUTER as FLEET
from insula.tenancy.operator_routes import ROUTER as OPERATOR
from insula.tenancy.routes import ROUTER as TENANCY
from insula.webhooks.events import ENDPOINT_DISABLED
from insula.webhooks.routes import ROUTER as WEBHOOKS
from insula.webhooks.service import Webhooks
from insula.webhooks.signing import Secrets

CORE_EVENTS: tuple[EventType[Any], ...] = (REWOUND, ENDPOINT_DISABLED, *JOB_EVENTS)
"""What the core itself emits; webhooks may ask for it."""


def create_app() -> ASGIApp:
    """The ASGI application of one worker, set up from the environment."""
    return build(Settings.load(), discover())


def build(settings: Settings, modules: dict[str, Module]) -> ASGIApp:
    """The gate with everything behind it.

    Raises:
        SettingsError: see :class:`Foundation`.
    """
    foundation = Foundation(settings, modules)
    redis, tenants = foundation.redis, foundation.tenants
    drain = Drain()
    rights = Rights(CORE_SCOPES + tuple(s for m in modules.values() for s in m.scopes))
    tokens = AccessTokens(settings.secret_key, seconds=settings.access_token_seconds)
    revocations = Revocations(
        redis, max(settings.access_token_seconds, settings.lasting_token_seconds)
    )
    sessions = Sessions(
        tokens,
        revocations,
        refresh_seconds=settings.refresh_token_seconds,
        lasting_seconds=settings.lasting_token_seconds,
    )
    tickets = Tickets(redis)
    door = Door(
        settings=settings,
        tenants=tenants,
        catalogue=foundation.catalogue,
        redis=redis,
        directory=foundation.directory,
        tokens=tokens,
        tickets=tickets,
        rights=rights,
        revocations=revocations,
    )
    live = Live(settings, redis, tenants, door, _channels(modules), drain)
    kinds: list[EventType[Any]] = [*CORE_EVENTS]
    kinds += (kind for module in modules.values() for kind in module.events)
    keeper = Keeper(
        live,
        recheck_seconds=settings.live_recheck_seconds,
        heartbeat_seconds=settings.live_heartbeat_seconds,
    )
    services = foundation.services | {
        "tickets": tickets,
        "live": live,
        "drain": drain,
        "sessions": sessions,
        "webhooks": Webhooks(Secrets(settings.secret_key), foundation.egress, kinds),
        "throttle": LoginThrottle(redis, settings.login_limit),
        "search_box": SearchBox(modules),
        "receipts": Receipts(settings.secret_key),
    }
    services["graph"] = GraphService(modules, services, rights)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        await foundation.open()
        keeper.start()
        collector.freeze()
        try:
            yield
        finally:
            await keeper.close()
            gate.close()
            await foundation.close()

    app = _litestar(modules, services, rights, lifespan)
    gate = Gate(
        app,
        settings=settings,
        tenants=tenants,
        catalogue=foundation.catalogue,
        door=door,
        tracing=foundation.tracing,
        idempotency=Idempotency(settings.secret_key),
        uploads=Uploads(app),
        ticketed=_ticketed(app),
        dialects=_dialects(modules),
        sockets={
            live_socket.PATH: LiveSocket(live),
            graphql_socket.PATH: GraphSocket(live, services["graph"]),
        },
        drain=drain,
    )
    return gate


def _litestar(
    modules: dict[str, Module], services: dict[str, Any], rights: Rights, lifespan: Any
) -> Litestar:
    tags = [Tag(module.title, module.summary) for module in modules.values()]
    routers = [
        health.ROUTER,
        IDENTITY,
        TENANCY,
        OPERATOR,
        FLEET,
        DOMAINS,
        REALTIME,
        EVENTS,
        SEARCH,
        FILES,
        WEBHOOKS,
        GRAPHQL,
        JOBS,
        PORTABILITY,
        *(router for module in modules.values() for router in module.routers),
        *_development(services["settings"]),
        documentation(tags, rights.scopes.values()),
    ]
    app = Litestar(
        route_handlers=[supply(router, frozenset(services)) for router in routers],
        state=State(services, deep_copy=False),
        response_class=Reply,
        middleware=[_guarded(rights)],
        exception_handlers={Exception: _answer_problem, 500: _answer_problem},
        lifespan=[lifespan],
        openapi_config=None,
        request_max_body_size=None,  # the gate and upload routes have limits of their own
        logging_config=None,
    )
    app.state.allowed = AllowedMethods(app)
    return app


def _development(settings: Settings) -> list[Router]:
    """Pages that no production has."""
    if settings.mail_capture and not settings.smtp_url:
        return [dev_mail(CapturedMail(captured_in(settings)))]
    return []


def _guarded(rights: Rights) -> Middleware:
    """The way to every handler: first its right, then the handler itself."""

    def around(app: ASGIApp) -> ASGIApp:
        return Authority(Direct(app), rights)

    return around


def _answer_problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    exchange = exchange_of(request.scope)
    if is_retryable(error):
        exchange.retry = True
    problem = to_problem(error)
    if isinstance(problem, MethodNotAllowed):
        problem.headers["Allow"] = request.app.state.allowed.of(exchange.path)
    status, media_type, body = refusal(exchange, problem)
    return Response(body, status_code=status, headers=problem.headers, media_type=media_type)


def _dialects(modules: dict[str, Module]) -> Dialects:
    routers = (router for module in modules.values() for router in module.compat)
    return Dialects(
        [(router.path, router.opt["dialect"]) for router in routers if "dialect" in router.opt]
    )


def _channels(modules: dict[str, Module]) -> Channels:
    families = [
        (module.name, channel) for module in modules.values() for channel in module.channels
    ]
    return Channels([*((None, channel) for channel in CORE_CHANNELS), *families])


def _ticketed(app: Litestar) -> frozenset[str]:
    """Routes that take a ``?ticket=`` where there is no token."""
    return frozenset(r.path for r, handler in _handlers(app) if handler.opt.get("ticketed"))


def _handlers(app: Litestar) -> Iterator[tuple[BaseRoute, HTTPRouteHandler]]:
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            if isinstance(handler, HTTPRouteHandler):
                yield route, handler
