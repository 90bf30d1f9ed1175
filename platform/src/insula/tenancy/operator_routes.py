"""``/api/v1/tenants``: signing up, which everybody may, and the operator API."""

from typing import Annotated, Any

from litestar import Request, Router, get, patch, post
from msgspec import UNSET, Meta, UnsetType

from insula.access import OPERATOR
from insula.db import Database, Work
from insula.http.listing import Page
from insula.http.redis_line import RedisLine
from insula.identity.schemas import Strict
from insula.settings import Settings
from insula.tenancy import lifecycle
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME
from insula.tenancy.deletion_routes import delete_tenant, undelete_tenant
from insula.tenancy.epochs import publish_epoch
from insula.tenancy.errors import SlugTaken, TenantNotFound
from insula.tenancy.lifecycle import TENANTS
from insula.tenancy.routes import create_tenant
from insula.tenancy.schemas import TenantLine
from insula.tenancy.tenant import Limits

_TAGS = ["Operator"]


class Suspension(Strict):
    reason: Annotated[str, Meta(max_length=500, examples=["The invoice is overdue."])] = ""
    """What those who are not let in are told."""


class NewLimits(Limits, frozen=True, forbid_unknown_fields=True):
    """What the operator sets; what is absent or null is what everybody has."""


class TenantUpdate(Strict):
    slug: Annotated[str, Meta(min_length=1, max_length=100, examples=["acme"])] | UnsetType = UNSET
    """A new one; the present one leads there for a while."""
    limits: NewLimits | UnsetType = UNSET


@get("/", right=OPERATOR, tags=_TAGS, listing=TENANTS)
async def list_tenants(request: Request[Any, Any, Any], catalogue: Database) -> Page[TenantLine]:
    """Every tenant."""
    return await TENANTS.page(_reading(catalogue), request)


@get("/{slug:str}", right=OPERATOR, tags=_TAGS, problems=(TenantNotFound,))
async def get_tenant(slug: str, catalogue: Database) -> TenantLine:
    """One tenant."""
    return await lifecycle.get_line(_reading(catalogue), slug)


@patch("/{slug:str}", right=OPERATOR, tags=_TAGS, problems=(TenantNotFound, SlugTaken))
async def update_tenant(
    slug: str,
    data: TenantUpdate,
    catalogue: Database,
    database: Database,
    redis: RedisLine,
    settings: Settings,
) -> TenantLine:
    """Rename a tenant, or set what it may; both or neither."""
    async with catalogue.transaction(HOME, CATALOGUE_PRELUDE) as tx:
        tenant = await lifecycle.get_tenant(tx, slug)
        epoch = tenant.epoch
        if data.slug is not UNSET:
            slug = data.slug
            epoch = await lifecycle.rename(tx, tenant, slug, days=settings.slug_days)
        if data.limits is not UNSET:
            async with database.transaction(tenant.bucket, tenant.prelude) as inside:
                epoch = await lifecycle.set_limits(tx, inside, tenant, data.limits)
        line = await lifecycle.get_line(tx, slug)
    await publish_epoch(redis, tenant, epoch)
    return line


@post(
    "/{slug:str}/suspend", right=OPERATOR, tags=_TAGS, status_code=200, problems=(TenantNotFound,)
)
async def suspend_tenant(
    slug: str, data: Suspension, catalogue: Database, redis: RedisLine
) -> TenantLine:
    """Let nobody of a tenant in from this moment on; its data is kept, its jobs and webhooks
    wait."""
    async with catalogue.transaction(HOME, CATALOGUE_PRELUDE) as tx:
        tenant = await lifecycle.get_tenant(tx, slug)
        epoch = await lifecycle.suspend(tx, tenant, data.reason)
        line = await lifecycle.get_line(tx, slug)
    await publish_epoch(redis, tenant, epoch)
    return line


@post("/{slug:str}/resume", right=OPERATOR, tags=_TAGS, status_code=200, problems=(TenantNotFound,))
async def resume_tenant(slug: str, catalogue: Database, redis: RedisLine) -> TenantLine:
    """Let a suspended tenant in again."""
    async with catalogue.transaction(HOME, CATALOGUE_PRELUDE) as tx:
        tenant = await lifecycle.get_tenant(tx, slug)
        epoch = await lifecycle.resume(tx, tenant)
        line = await lifecycle.get_line(tx, slug)
    await publish_epoch(redis, tenant, epoch)
    return line


def _reading(catalogue: Database) -> Work:
    return catalogue.work(HOME, CATALOGUE_PRELUDE, writes=False)


ROUTER = Router(
    path="/api/v1/tenants",
    route_handlers=[
        create_tenant,
        list_tenants,
        get_tenant,
        update_tenant,
        suspend_tenant,
        resume_tenant,
        delete_tenant,
        undelete_tenant,
    ],
)
