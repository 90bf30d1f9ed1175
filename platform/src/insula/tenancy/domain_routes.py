"""``/api/v1/domains``: a tenant's own host names."""

from typing import Annotated

import msgspec
import structlog
from litestar import Response, Router, delete, get, post
from litestar.params import QueryParameter

from insula.access import PUBLIC
from insula.db import Database, Work
from insula.http.redis_line import RedisLine
from insula.settings import Settings
from insula.tenancy import domains
from insula.tenancy.cells import CATALOGUE_PRELUDE
from insula.tenancy.dns import NameServers
from insula.tenancy.domains import Domain, DomainClaim, Rival
from insula.tenancy.epochs import publish_epoch, publish_epoch_of
from insula.tenancy.errors import (
    DomainTaken,
    DomainUnknown,
    DomainUnproved,
    DomainUnreachable,
    TooManyDomains,
)
from insula.tenancy.telling import Lost, tell_owners
from insula.tenancy.tenant import Tenant

log = structlog.get_logger("insula.domains")


class Host(msgspec.Struct):
    """Somewhere that this installation answers."""

    domain: str


@get("/", right="settings:read")
async def list_domains(tenant: Tenant, catalogue: Database) -> list[Domain]:
    """The host names that the tenant has claimed, and which of them are proved to be its own."""
    reading = catalogue.work(0, CATALOGUE_PRELUDE, writes=False)
    return await domains.list_domains(reading, tenant)


@post("/", right="settings:write", problems=(TooManyDomains,))
async def claim_domain(
    data: DomainClaim, tenant: Tenant, catalogue: Database, settings: Settings
) -> Response[Domain]:
    """Claim a host name. Put the answer's `record` into its DNS and point the host name here
    (CNAME or address); then verify it. Claiming twice changes nothing."""
    async with catalogue.transaction(0, CATALOGUE_PRELUDE) as tx:
        domain = await domains.claim(tx, tenant, data.name, base_domain=settings.base_domain)
    return Response(domain, headers={"Location": f"/api/v1/domains/{domain.name}"})


@get("/{name:str}", right="settings:read")
async def get_domain(name: str, tenant: Tenant, catalogue: Database) -> Domain:
    """One of them."""
    reading = catalogue.work(0, CATALOGUE_PRELUDE, writes=False)
    return domains.view(await domains.get(reading, tenant, name))


@post(
    "/{name:str}/verify",
    right="settings:write",
    status_code=200,
    problems=(DomainUnproved, DomainTaken, DomainUnreachable),
)
async def verify_domain(
    name: str,
    tenant: Tenant,
    catalogue: Database,
    database: Database,
    redis: RedisLine,
    name_servers: NameServers,
) -> Domain:
    """Look the record up. If it is there, requests for the host are the tenant's within seconds,
    and a gateway may have a certificate for it (`GET /api/v1/domains/ask`)."""
    reading = catalogue.work(0, CATALOGUE_PRELUDE, writes=False)
    claimed = await domains.get(reading, tenant, name)
    rival = await domains.find_rival(reading, tenant, claimed.name)
    await domains.prove(name_servers, claimed, rival)
    async with catalogue.transaction(0, CATALOGUE_PRELUDE) as tx:
        epoch, lost = await domains.win(tx, tenant, claimed.name)
        proved = domains.view(await domains.get(tx, tenant, claimed.name))
    await publish_epoch(redis, tenant, epoch)
    if lost is not None:
        loser, epoch = lost
        await publish_epoch_of(redis, str(loser.tenant_id), epoch)
        await _tell(reading, database, loser, claimed.name)
    return proved


async def _tell(reading: Work, database: Database, loser: Rival, name: str) -> None:
    """The domain has gone to another, whether or not who had it can be told."""
    try:
        await tell_owners(reading, database, loser.tenant_id, Lost(name, loser.token, "taken", 0))
    except Exception as error:
        log.warning("nobody can be told of a lost domain", domain=name, exc_info=error)


@delete("/{name:str}", right="settings:write")
async def give_domain_up(name: str, tenant: Tenant, catalogue: Database, redis: RedisLine) -> None:
    """Give a host name up: requests for it are nobody's from then on."""
    async with catalogue.transaction(0, CATALOGUE_PRELUDE) as tx:
        epoch = await domains.give_up(tx, tenant, name)
    await publish_epoch(redis, tenant, epoch)


@get("/ask", right=PUBLIC, tenantless=True, problems=(DomainUnknown,))
async def ask_domain(
    domain: Annotated[str, QueryParameter(max_length=253)],
    catalogue: Database,
    settings: Settings,
) -> Host:
    """Whether a certificate may be had for a host name: what Caddy's `on_demand_tls` asks before it
    gets one, so that nobody can have it get any number. None for a tenant that is suspended or
    deleted."""
    reading = catalogue.work(0, CATALOGUE_PRELUDE, writes=False)
    if not await domains.is_host(reading, domain, base_domain=settings.base_domain):
        raise DomainUnknown
    return Host(domain)


ROUTER = Router(
    path="/api/v1/domains",
    route_handlers=[
        list_domains,
        claim_domain,
        ask_domain,
        get_domain,
        verify_domain,
        give_domain_up,
    ],
    tags=["Domains"],
)
