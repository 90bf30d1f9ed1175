"""The gate: one ASGI middleware in front of every route.

In order: trace context, tenant, caller, one call to Redis (rate limit, revocation, epoch), body,
unit of work, idempotency; behind the handler: commit, validators, headers, metrics, access log.
A stack of plugins doing the same cost six times as much (DESIGN.md section 3).
"""

import asyncio
import contextlib
import time
from typing import Any, cast

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from insula.access import Rights
from insula.db import Database
from insula.http.address import client_address, network_of
from insula.http.admission import DOWN, Policy, Verdict, admit, epoch_key
from insula.http.answer import Answer
from insula.http.body import ClientDisconnected, check_json, paced, read_body
from insula.http.dialect import GATED, Dialects
from insula.http.drain import Drain
from insula.http.errors import to_problem
from insula.http.exchange import KEY, Caller, Exchange
from insula.http.idempotency import HEADER as IDEMPOTENCY_HEADER
from insula.http.idempotency import Idempotency
from insula.http.problem import (
    BadRequest,
    TokenExpired,
    TooManyRequests,
    Unauthenticated,
    UnsupportedMediaType,
    WrongTenant,
)
from insula.http.redis_line import RedisDown, RedisLine
from insula.identity.revocations import Revocations
from insula.identity.tokens import AccessTokens, Claims, TokenRejected
from insula.settings import Settings
from insula.telemetry import metrics
from insula.telemetry.access_log import AccessLog
from insula.telemetry.context import traceparent
from insula.telemetry.tracing import Tracing, new_span_id, new_trace_id, read_traceparent
from insula.tenancy.errors import TenantNotFound, TenantSuspended
from insula.tenancy.provisioning import CATALOGUE_PRELUDE
from insula.tenancy.tenant import Directory, Tenant

log = structlog.get_logger("insula.gate")

SIGN_UP = "/api/v1/tenants"
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
        b"ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, Idempotency-Replayed",
    ),
]
_PREFLIGHT: list[tuple[bytes, bytes]] = [
    (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"),
    (
        b"access-control-allow-headers",
        b"Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Insula-Tenant, "
        b"Traceparent, X-Requested-With",
    ),
    (b"access-control-max-age", b"600"),
]
_SCHEMES = ("bearer",)
_ATTEMPTS = 3


class Gate:
    """See the module's docstring. ``catalogue`` is a database of the provisioner's login."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: Settings,
        tenants: Database,
        catalogue: Database,
        redis: RedisLine,
        directory: Directory,
        tracing: Tracing,
        tokens: AccessTokens,
        rights: Rights,
        revocations: Revocations,
        idempotency: Idempotency,
        uploads: dict[str, int],
        dialects: Dialects,
        drain: Drain,
    ) -> None:
        self._app = app
        self._settings = settings
        self._tenants = tenants
        self._catalogue = catalogue
        self._redis = redis
        self._directory = directory
        self._tokens = tokens
        self._rights = rights
        self._revocations = revocations
        self._idempotency = idempotency
        self._uploads = uploads
        self._dialects = dialects
        self._drain = drain
        self._tracing = tracing
        self._access_log = AccessLog() if settings.access_log else None
        self._trusted = frozenset(
            address.strip() for address in settings.trusted_proxies.split(",")
        )
        self._host_suffix = "." + settings.base_domain.lower()
        limit, burst = settings.rate_limit, settings.rate_burst
        self._by_user = Policy("user", limit, burst)
        self._by_address = Policy("address", limit, burst)
        self._by_sign_up = Policy("sign-up", settings.signup_limit, settings.signup_limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
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
        await self._admit(exchange)
        await self._read(exchange, receive)
        await self._dispatch(exchange, answer, receive)

    async def _admit(self, exchange: Exchange) -> None:
        try:
            claims = self._claims(exchange)
        except Unauthenticated:
            await self._count_guess(exchange)
            raise
        tenant = exchange.tenant = await self._resolve(exchange, claims)
        policy, bucket = self._policy(exchange, claims)
        verdict = await self._ask(policy, bucket, tenant, claims)
        exchange.policy, exchange.verdict = policy, verdict
        self._limit(policy, verdict, exchange)
        if tenant is not None:
            forgotten = verdict.epoch is None and not verdict.down
            tenant = await self._refresh(exchange, tenant, verdict)
            if forgotten:
                verdict = await self._ask(policy, bucket, tenant, claims, cost=0)
                exchange.verdict = verdict
            if tenant.status == "suspended":
                raise TenantSuspended
        if claims is not None:
            if verdict.revoked or claims.iat < verdict.not_before:
                raise TokenExpired("The session was ended, or your rights have changed.")
            exchange.user = claims.sub
            exchange.caller = Caller(
                claims.user_id, claims.session_id, claims.role, self._rights.of(claims.role)
            )

    async def _ask(
        self,
        policy: Policy,
        bucket: str,
        tenant: Tenant | None,
        claims: Claims | None,
        cost: int = 1,
    ) -> Verdict:
        return await admit(
            self._redis,
            policy,
            bucket,
            tenant=tenant.key if tenant else "",
            session=claims.sid if claims else "",
            user=claims.sub if claims else "",
            cost=cost,
        )

    async def _count_guess(self, exchange: Exchange) -> None:
        """Limit by address what no user or tenant is there to be limited for: a guessed token
        costs a signature check, a guessed tenant a query."""
        policy = self._by_address
        verdict = await self._ask(policy, network_of(exchange.address), None, None)
        if not verdict.allowed:
            self._limit(policy, verdict, exchange)

    def _claims(self, exchange: Exchange) -> Claims | None:
        header = exchange.headers.get(b"authorization")
        if header is None:
            return None
        scheme, _, token = header.partition(b" ")
        schemes = exchange.dialect.schemes if exchange.dialect is not None else _SCHEMES
        if scheme.decode("latin-1").lower() not in schemes or not token:
            raise Unauthenticated(f"Authorization must be '{schemes[0].title()} <access token>'.")
        try:
            return self._tokens.verify(token.strip())
        except TokenRejected as error:
            raise TokenExpired(f"The access token is {error}.") from error

    async def _resolve(self, exchange: Exchange, claims: Claims | None) -> Tenant | None:
        """Host first, then header, then token; a token of another tenant opens nothing."""
        slug = self._named(exchange)
        if slug is None and claims is None:
            return None
        catalogue = self._catalogue.work(0, CATALOGUE_PRELUDE, writes=False)
        if slug is None:
            assert claims is not None
            tenant = await self._directory.by_id(claims.tid, catalogue)
        else:
            if not self._directory.knows(slug):
                await self._count_guess(exchange)
            tenant = await self._directory.by_slug(slug, catalogue)
        if tenant is None:
            raise TenantNotFound
        if claims is not None and claims.tid != tenant.key:
            raise WrongTenant
        return tenant

    def _named(self, exchange: Exchange) -> str | None:
        host = exchange.header(b"host").lower().partition(":")[0]
        if host.endswith(self._host_suffix):
            return host[: -len(self._host_suffix)]
        return exchange.header(b"insula-tenant") or None

    def _policy(self, exchange: Exchange, claims: Claims | None) -> tuple[Policy, str]:
        if exchange.path == SIGN_UP and exchange.method == "POST":  # also with a token: one
            return self._by_sign_up, network_of(exchange.address)  # sign-up would open the rest
        if claims is not None:
            return self._by_user, claims.sub
        return self._by_address, network_of(exchange.address)

    def _limit(self, policy: Policy, verdict: Verdict, exchange: Exchange) -> None:
        if verdict is DOWN:
            metrics.REDIS_DOWN.inc()
            return
        exchange.extra += [
            (b"ratelimit-policy", policy.header),
            (
                b"ratelimit",
                policy.standing % (verdict.remaining, -(-verdict.reset // 1)),
            ),
        ]
        if not verdict.allowed:
            metrics.LIMITED.labels(policy.name).inc()
            wait = str(max(1, int(-(-verdict.retry // 1))))
            raise TooManyRequests(f"Try again in {wait} s.", headers={"Retry-After": wait})

    async def _refresh(self, exchange: Exchange, tenant: Tenant, verdict: Verdict) -> Tenant:
        """Read a tenant again that has changed since it was cached."""
        if verdict.down or (verdict.epoch is not None and verdict.epoch <= tenant.epoch):
            return tenant
        self._directory.forget(tenant)
        catalogue = self._catalogue.work(0, CATALOGUE_PRELUDE, writes=False)
        fresh = await self._directory.by_id(tenant.key, catalogue)
        if fresh is None or fresh.slug != tenant.slug:
            raise TenantNotFound
        if verdict.epoch is None and self._redis.is_up:
            # Redis is new or has lost its memory, revocations included: those come first, since
            # the epoch stands for all of it.
            await self._revocations.restore(
                self._tenants.work(fresh.bucket, fresh.prelude, writes=False)
            )
            with contextlib.suppress(RedisDown):
                self._redis.call("SET", epoch_key(fresh.key), str(fresh.epoch), "NX")
        exchange.tenant = fresh
        return fresh

    async def _read(self, exchange: Exchange, receive: Receive) -> None:
        if exchange.method in _SAFE or exchange.path in self._uploads:
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
        """Run the handler in a unit of work; again, if a migration changed a cached plan under it
        and the body is at hand."""
        if exchange.path in self._uploads:
            exchange.work = self._work(exchange)
            await self._app(exchange.scope, paced(receive), answer)
            return
        scope = exchange.scope
        fresh = dict(scope)
        for attempt in range(_ATTEMPTS):
            exchange.retry = False
            work = exchange.work = self._work(exchange)
            name = await self._claim(exchange, answer)
            if answer.is_done:
                return
            answer.begin(self._idempotency, name, may_retry=attempt < _ATTEMPTS - 1)
            await self._app(scope, _replay(exchange.body), answer)
            if not exchange.retry:
                return
            if work is not None:
                await work.finish(success=False)
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


def _replay(body: bytes) -> Receive:
    """A ``receive`` that yields a body already read, then waits like an idle client."""
    sent = False

    async def receive() -> Any:
        nonlocal sent
        if sent:
            await asyncio.Event().wait()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
