"""The gate: one ASGI middleware in front of every route.

In order: trace context, tenant, caller, one call to Redis (rate limit, revocation, epoch), body,
unit of work, idempotency; behind the handler: commit, validators, headers, metrics, access log.
A stack of plugins doing the same cost six times as much (DESIGN.md section 3).
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, cast

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from insula.db import Database
from insula.http.address import client_address
from insula.http.answer import Answer
from insula.http.body import ClientDisconnected, Unread, check_json, paced, read_body
from insula.http.dialect import GATED, Dialects
from insula.http.door import SIGN_UP, Door
from insula.http.drain import Drain
from insula.http.errors import DATABASE_ERRORS, is_retryable, to_problem
from insula.http.exchange import KEY, Exchange
from insula.http.idempotency import HEADER as IDEMPOTENCY_HEADER
from insula.http.idempotency import Idempotency
from insula.http.problem import BadRequest, UnsupportedMediaType
from insula.http.sockets import Handler as SocketHandler
from insula.http.sockets import Sockets, ticket_of
from insula.http.upload_keys import UploadKeys
from insula.http.uploads import Uploads
from insula.settings import Settings
from insula.telemetry import metrics
from insula.telemetry.access_log import AccessLog
from insula.telemetry.context import traceparent
from insula.telemetry.tracing import Tracing, new_span_id, new_trace_id, read_traceparent
from insula.tenancy.cells import CATALOGUE_PRELUDE

log = structlog.get_logger("insula.gate")

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_PRIVATE: list[tuple[bytes, bytes]] = [
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"Authorization, Insula-Tenant, Accept-Language"),
]
# Any origin may call with a bearer token: there is no cookie that a browser could add by itself.
_CORS: list[tuple[bytes, bytes]] = [
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        b"Accept-Ranges, Content-Digest, Content-Disposition, Content-Range, ETag, "
        b"Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Repr-Digest, "
        b"Retry-After, Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, "
        b"Tus-Version, Upload-Expires, Upload-Length, Upload-Metadata, Upload-Offset",
    ),
]
_PREFLIGHT: list[tuple[bytes, bytes]] = [
    (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"),
    (
        b"access-control-allow-headers",
        b"Authorization, Content-Digest, Content-Disposition, Content-Type, Idempotency-Key, "
        b"If-Match, If-None-Match, If-Range, Insula-Tenant, Range, Repr-Digest, Traceparent, "
        b"Tus-Resumable, Upload-Checksum, Upload-Length, Upload-Metadata, Upload-Offset, "
        b"Voting-Token, X-Requested-With",
    ),
    (b"access-control-max-age", b"600"),
]
_ATTEMPTS = 10
"""At the handler: each of a bucket's connections may have plans that a migration made invalid, and
the next attempt may come to another of them."""


class Gate:
    """See the module's docstring. ``catalogue`` is a database of the provisioner's login."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: Settings,
        tenants: Database,
        catalogue: Database,
        door: Door,
        tracing: Tracing,
        idempotency: Idempotency,
        uploads: Uploads,
        ticketed: frozenset[str],
        dialects: Dialects,
        sockets: Mapping[str, SocketHandler],
        drain: Drain,
    ) -> None:
        self._app = app
        self._settings = settings
        self._tenants = tenants
        self._catalogue = catalogue
        self._door = door
        self._idempotency = idempotency
        self._uploads = uploads
        self._upload_keys = UploadKeys(idempotency, uploads, settings.file_limit)
        self._ticketed = ticketed
        self._dialects = dialects
        self._drain = drain
        self._tracing = tracing
        self._access_log = AccessLog() if settings.access_log else None
        self._trusted = frozenset(
            address.strip() for address in settings.trusted_proxies.split(",")
        )
        self._sockets = Sockets(
            app,
            door,
            handlers=sockets,
            drain=drain,
            trusted=self._trusted,
            access_log=self._access_log,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.WEBSOCKET:
            await self._sockets(scope, receive, send)
            return
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope)
        answer = Answer(exchange, send)
        span = self._begin_trace(exchange)
        try:
            await self._serve(exchange, answer, receive)
        except ClientDisconnected:
            exchange.status = 499
        except asyncio.CancelledError:
            exchange.status = 499
            raise
        except Exception as error:
            await answer.problem(to_problem(error))
        finally:
            if exchange.work is not None:
                exchange.work.abandon()
            self._observe(exchange, span)
            # They refer to each other: else each request leaves 13 objects to the collector.
            scope.pop(KEY, None)  # type: ignore[misc]

    # Before the handler

    def _begin_trace(self, exchange: Exchange) -> Any:
        header = exchange.headers.get(b"traceparent")
        parent = read_traceparent(header.decode("latin-1")) if header else None
        if self._tracing.samples(parent):
            span = self._tracing.start(exchange.method, parent)
            context = span.get_span_context()
            exchange.trace_id = f"{context.trace_id:032x}"
            traceparent.set(f"00-{exchange.trace_id}-{context.span_id:016x}-01")
            return span
        exchange.trace_id = parent[0] if parent else new_trace_id()
        traceparent.set(f"00-{exchange.trace_id}-{parent[1] if parent else new_span_id()}-00")
        return None

    async def _serve(self, exchange: Exchange, answer: Answer, receive: Receive) -> None:
        scope = exchange.scope
        scope[KEY] = exchange  # type: ignore[literal-required]
        exchange.address = client_address(scope, self._trusted)
        exchange.dialect = self._dialects.of(exchange.path)
        if exchange.method == "HEAD":
            scope["method"] = "GET"
        if b"origin" in exchange.headers:
            exchange.extra += _CORS
            if b"access-control-request-method" in exchange.headers:
                exchange.extra += _PREFLIGHT
        if self._drain.active and scope["http_version"].startswith("1"):
            exchange.extra.append((b"connection", b"close"))
        if "\0" in exchange.path or b"%00" in scope["query_string"]:
            raise BadRequest("U+0000 is not allowed in a URL.")
        if not exchange.path.startswith(GATED):
            await self._app(scope, receive, answer)
            return
        if exchange.method == "OPTIONS":
            await self._app(scope, receive, answer)
            return
        exchange.extra += _PRIVATE
        if exchange.method not in _SAFE and b"expect" not in exchange.headers:
            answer.unread = Unread(receive)
            receive = answer.unread.receive
        if exchange.path in self._ticketed:
            exchange.ticket = ticket_of(exchange)
        await self._door.admit(exchange)
        await self._read(exchange, receive)
        await self._dispatch(exchange, answer, receive)

    async def _read(self, exchange: Exchange, receive: Receive) -> None:
        if exchange.method in _SAFE or self._uploads.takes(exchange.method, exchange.path):
            return
        declared = exchange.headers.get(b"content-length")
        body = await read_body(receive, declared, self._settings.body_limit)
        exchange.body = body
        if body:
            kind = exchange.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
            if kind not in (b"application/json", b"application/merge-patch+json"):
                raise UnsupportedMediaType("Send application/json.")
            check_json(body)

    # The handler

    async def _dispatch(self, exchange: Exchange, answer: Answer, receive: Receive) -> None:
        """Run the handler in a unit of work; again, if a migration changed a cached plan under it,
        or the tenant has gone to another server, and the body is at hand."""
        if exchange.method not in _SAFE:
            await self._door.settle(exchange)
        if self._uploads.takes(exchange.method, exchange.path):
            exchange.work = self._work(exchange)
            body = await self._upload_keys.begin(exchange, answer, paced(receive))
            if not answer.is_done:
                await self._app(exchange.scope, body, answer)
            return
        scope = exchange.scope
        fresh = dict(scope)
        for attempt in range(_ATTEMPTS):
            exchange.retry = False
            work = exchange.work = self._work(exchange)
            may_retry = attempt < _ATTEMPTS - 1
            try:
                name = await self._claim(exchange, answer)
            except DATABASE_ERRORS as error:
                if not (may_retry and is_retryable(error)):
                    raise
                exchange.retry = True
            else:
                if answer.is_done:
                    return
                answer.begin(self._idempotency, name, may_retry=may_retry)
                await self._app(scope, _replay(exchange.body, receive), answer)
            if not exchange.retry:
                return
            if work is not None:
                await work.finish(success=False)
            await self._door.settle(exchange, again=True)
            scope = cast(HTTPScope, {**fresh, "state": {}})  # where Litestar keeps an attempt
            await asyncio.sleep(0.01 * attempt)

    def _work(self, exchange: Exchange) -> Any:
        writes = exchange.method not in _SAFE
        if exchange.path == SIGN_UP:  # also for somebody who is signed in to another tenant
            return self._catalogue.work(0, CATALOGUE_PRELUDE, writes=writes)
        if exchange.tenant is not None:
            return self._tenants.work(
                exchange.tenant.bucket, exchange.tenant.prelude, writes=writes
            )
        return None

    async def _claim(self, exchange: Exchange, answer: Answer) -> str:
        """Claim the request's idempotency key, if it has one; replay the first answer if there is
        one. Returns the key under which this answer is to be kept."""
        header = exchange.headers.get(IDEMPOTENCY_HEADER)
        if header is None or exchange.method != "POST" or exchange.work is None:
            return ""
        name = self._idempotency.name(exchange.user, exchange.method, exchange.path, header)
        fingerprint = self._idempotency.fingerprint(exchange.scope["query_string"], exchange.body)
        first = await self._idempotency.claim(exchange.work, name, fingerprint)
        if first is None:
            return name
        await exchange.work.finish(success=False)
        await answer.replay(first)
        return name

    # Afterwards

    def _observe(self, exchange: Exchange, span: Any) -> None:
        seconds = time.perf_counter() - exchange.started
        route = exchange.scope.get("path_template") or "-"
        metrics.observe(exchange.method, str(route), exchange.status, seconds)
        if self._access_log is not None:
            self._access_log.write(exchange, seconds)
        if span is not None:
            span.update_name(f"{exchange.method} {route}")
            span.set_attribute("http.response.status_code", exchange.status)
            if exchange.tenant is not None:
                span.set_attribute("insula.tenant", exchange.tenant.slug)
            span.end()

    def close(self) -> None:
        """Flush what is buffered."""
        if self._access_log is not None:
            self._access_log.flush()


def _replay(body: bytes, rest: Receive) -> Receive:
    """A ``receive`` that yields a body already read, then waits for the client to go."""
    sent = False

    async def receive() -> Any:
        nonlocal sent
        if not sent:
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}
        while True:
            message = await rest()
            if message["type"] == "http.disconnect":  # or a body that came with a GET
                return message

    return receive
