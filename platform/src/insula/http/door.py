"""The door: which tenant a request is for, who asks, and whether they may come in now.

Every request passes it once, by :class:`~insula.http.gate.Gate`. Who stays connected (WebSocket,
SSE) is held against it again and again: see :meth:`Door.readmit`.
"""

import contextlib
import hmac
import re
import time

from insula.access import Rights
from insula.db import Database, Work
from insula.http.address import network_of
from insula.http.admission import DOWN, Policy, Verdict, admit, epoch_key
from insula.http.exchange import Caller, Exchange
from insula.http.problem import (
    Forbidden,
    TokenExpired,
    TooManyRequests,
    Unauthenticated,
    WrongTenant,
)
from insula.http.redis_line import RedisDown, RedisLine
from insula.i18n import say
from insula.identity.revocations import Revocations
from insula.identity.tickets import Tickets
from insula.identity.tokens import AccessTokens, Claims, TokenRejected
from insula.keys import operator_token
from insula.settings import Settings
from insula.telemetry import metrics
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME
from insula.tenancy.errors import TenantMoved, TenantNotFound, TenantSuspended
from insula.tenancy.tenant import Directory, Limits, Tenant

SIGN_UP = "/api/v1/tenants"
_SCHEMES = ("bearer",)
# At least two labels, the last one not a number: what could be a tenant's domain.
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)[a-z0-9-]{2,63}")


def _host(exchange: Exchange) -> str:
    return exchange.header(b"host").lower().partition(":")[0]


class Door:
    """See the module's docstring. ``catalogue`` is a database of the provisioner's login."""

    def __init__(
        self,
        *,
        settings: Settings,
        tenants: Database,
        catalogue: Database,
        redis: RedisLine,
        directory: Directory,
        tokens: AccessTokens,
        tickets: Tickets,
        rights: Rights,
        revocations: Revocations,
    ) -> None:
        self._tenants = tenants
        self._catalogue = catalogue
        self._redis = redis
        self._directory = directory
        self._tokens = tokens
        self._tickets = tickets
        self._rights = rights
        self._revocations = revocations
        self._host_suffix = "." + settings.base_domain.lower()
        limit, burst = settings.rate_limit, settings.rate_burst
        self._by_user = Policy("user", limit, burst)
        self._by_address = Policy("address", limit, burst)
        self._settings = settings
        self._operator_token = operator_token(settings.secret_key).encode()
        self._own_policies: dict[tuple[int, int], tuple[Policy, Policy]] = {}
        self._by_sign_up = Policy("sign-up", settings.signup_limit, settings.signup_limit)

    async def admit(self, exchange: Exchange) -> None:
        """Let a request in.

        Raises:
            Unauthenticated, TokenExpired, WrongTenant, TenantNotFound, TenantSuspended,
            TooManyRequests: or not.
        """
        try:
            claims = await self._claims(exchange)
        except Unauthenticated:
            await self._count_guess(exchange)
            raise
        await self._admit(exchange, claims, cost=1)

    async def authenticate(self, exchange: Exchange, token: str) -> None:
        """Let somebody who is connected show an access token, as if it had come in the header.

        Raises:
            Problem: as :meth:`admit`.
        """
        exchange.extra = []
        try:
            claims = self._verify(token.encode())
        except Unauthenticated:
            await self._count_guess(exchange)
            raise
        if exchange.user not in ("", claims.sub):
            raise Forbidden("This is another user's token: connect anew.")
        await self._admit(exchange, claims, cost=1)

    async def readmit(self, exchange: Exchange, *, cost: int) -> None:
        """Hold somebody who is connected against what has changed since: token, session, rights,
        tenant; what they ask for now counts as ``cost`` requests.

        Raises:
            Problem: as :meth:`admit`.
        """
        exchange.extra = []  # headers of an answer that went out long ago
        claims, tenant = exchange.claims, exchange.tenant
        if claims is not None and claims.exp <= time.time():
            raise TokenExpired("The access token has expired.")
        if tenant is None and claims is None:
            await self._count_guess(exchange, cost=cost)
        else:
            await self._admit(exchange, claims, cost=cost)

    async def settle(self, exchange: Exchange, *, again: bool = False) -> None:
        """Wait while the tenant moves to another server; ``again``: read it again first, it may
        have moved unseen.

        Raises:
            TenantMoving: it takes longer than it should.
        """
        tenant = exchange.tenant
        if tenant is None or not (again or tenant.status == "moving"):
            return
        catalogue = self._catalogue.work(HOME, CATALOGUE_PRELUDE, writes=False)
        exchange.tenant = await self._directory.settled(tenant, catalogue)

    async def _admit(self, exchange: Exchange, claims: Claims | None, *, cost: int) -> None:
        tenant = exchange.tenant = await self._resolve(exchange, claims)
        policy, bucket = self._policy(exchange, claims)
        verdict = await self._ask(policy, bucket, tenant, claims, cost)
        exchange.policy, exchange.verdict = policy, verdict
        self._limit(policy, verdict, exchange)
        if tenant is not None:
            forgotten = verdict.epoch is None and not verdict.down
            tenant = await self._refresh(exchange, tenant, verdict)
            if forgotten:
                verdict = await self._ask(policy, bucket, tenant, claims, cost=0)
                exchange.verdict = verdict
            if tenant.status == "deleted":
                raise TenantNotFound
            self._lead_on(exchange, tenant)
            if tenant.status == "suspended":
                raise TenantSuspended(tenant.suspension)
        if claims is not None:
            if verdict.revoked or claims.iat < verdict.not_before:
                raise TokenExpired("The session was ended, or your rights have changed.")
            exchange.claims = claims
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

    async def _count_guess(self, exchange: Exchange, cost: int = 1) -> None:
        """Limit by address what no user or tenant is there to be limited for: a guessed token
        costs a signature check, a guessed tenant a query."""
        policy = self._by_address
        verdict = await self._ask(policy, network_of(exchange.address), None, None, cost)
        if not verdict.allowed:
            self._limit(policy, verdict, exchange)

    async def _claims(self, exchange: Exchange) -> Claims | None:
        header = exchange.headers.get(b"authorization")
        if header is None:
            return await self._tickets.claims_of(exchange.ticket) if exchange.ticket else None
        scheme, _, token = header.partition(b" ")
        schemes = exchange.dialect.schemes if exchange.dialect is not None else _SCHEMES
        if scheme.decode("latin-1").lower() not in schemes or not token:
            raise Unauthenticated(
                say("Authorization must be '{schemes} <access token>'.", schemes=schemes[0].title())
            )
        token = token.strip()
        if hmac.compare_digest(token, self._operator_token):
            exchange.is_operator = True
            return None
        return self._verify(token)

    def _verify(self, token: bytes) -> Claims:
        try:
            return self._tokens.verify(token)
        except TokenRejected as error:
            raise TokenExpired(say("The access token is {error}.", error=error)) from error

    async def _resolve(self, exchange: Exchange, claims: Claims | None) -> Tenant | None:
        """Host first, then header, then token; a token of another tenant opens nothing."""
        catalogue = self._catalogue.work(0, CATALOGUE_PRELUDE, writes=False)
        tenant = await self._of_domain(exchange, catalogue)
        if tenant is None:
            slug = self._slug(exchange)
            if slug is None and claims is None:
                return None
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

    async def _of_domain(self, exchange: Exchange, catalogue: Work) -> Tenant | None:
        """The tenant whose own domain the host is."""
        host = _host(exchange)
        if host.endswith(self._host_suffix) or _DOMAIN.fullmatch(host) is None:
            return None
        if not self._directory.has_looked_for(host):
            await self._count_guess(exchange)
        return await self._directory.by_domain(host, catalogue)

    def _slug(self, exchange: Exchange) -> str | None:
        host = _host(exchange)
        if host.endswith(self._host_suffix):
            return host[: -len(self._host_suffix)]
        return exchange.header(b"insula-tenant") or None

    def _lead_on(self, exchange: Exchange, tenant: Tenant) -> None:
        """Whoever uses a slug that the tenant has given up is told the present one.

        Raises:
            TenantMoved: the slug was in the host, so there is another address.
        """
        slug, host = self._slug(exchange), _host(exchange)
        if slug is None or slug == tenant.slug or host in tenant.domains:
            return
        if not host.endswith(self._host_suffix):
            exchange.extra.append((b"insula-tenant", tenant.slug.encode()))
            return
        scope = exchange.scope
        port = exchange.header(b"host").partition(":")[2]
        target = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        if query := scope["query_string"].decode("latin-1"):
            target += f"?{query}"
        authority = f"{tenant.slug}{self._host_suffix}" + (f":{port}" if port.isdigit() else "")
        raise TenantMoved(location=f"{scope.get('scheme', 'http')}://{authority}{target}")

    def _policy(self, exchange: Exchange, claims: Claims | None) -> tuple[Policy, str]:
        if exchange.path == SIGN_UP and exchange.method == "POST":  # also with a token: one
            return self._by_sign_up, network_of(exchange.address)  # sign-up would open the rest
        limits = exchange.tenant.limits if exchange.tenant is not None else None
        by_user, by_address = self._policies(limits)
        if claims is not None:
            return by_user, claims.sub
        return by_address, network_of(exchange.address)

    def _policies(self, limits: Limits | None) -> tuple[Policy, Policy]:
        """By user and by address: the tenant's own, where the operator has set some."""
        if limits is None or (limits.rate_limit is None and limits.rate_burst is None):
            return self._by_user, self._by_address
        rate = limits.rate_limit or self._settings.rate_limit
        burst = limits.rate_burst or self._settings.rate_burst
        if (own := self._own_policies.get((rate, burst))) is None:
            own = (Policy("user", rate, burst), Policy("address", rate, burst))
            self._own_policies[rate, burst] = own
        return own

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
            raise TooManyRequests(
                say("Try again in {wait} s.", wait=wait), headers={"Retry-After": wait}
            )

    async def _refresh(self, exchange: Exchange, tenant: Tenant, verdict: Verdict) -> Tenant:
        """Read a tenant again that has changed since it was cached."""
        if verdict.down or (verdict.epoch is not None and verdict.epoch <= tenant.epoch):
            return tenant
        self._directory.forget(tenant)
        catalogue = self._catalogue.work(0, CATALOGUE_PRELUDE, writes=False)
        fresh = await self._directory.by_id(tenant.key, catalogue)
        host = _host(exchange)
        if fresh is None or (host in tenant.domains and host not in fresh.domains):
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
