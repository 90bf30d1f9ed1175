"""``DELETE /api/v1/tenants/{slug}`` and its way back, of the operator API."""

from litestar import delete, post

from insula.access import OPERATOR
from insula.db import Database
from insula.http.problem import Unavailable
from insula.http.redis_line import RedisLine
from insula.settings import Settings
from insula.tenancy import deletion, lifecycle
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME
from insula.tenancy.epochs import publish_epoch
from insula.tenancy.errors import TenantNotDeleted, TenantNotFound
from insula.tenancy.schemas import TenantLine

_TAGS = ["Operator"]


@delete("/{slug:str}", right=OPERATOR, tags=_TAGS, status_code=200, problems=(TenantNotFound,))
async def delete_tenant(
    slug: str, catalogue: Database, redis: RedisLine, settings: Settings
) -> TenantLine:
    """Delete a tenant: from this moment on it is as if it did not exist, but for its slug, which
    stays taken. Until `purge_at` it can be brought back; then all of it goes for good."""
    async with catalogue.transaction(HOME, CATALOGUE_PRELUDE) as tx:
        tenant = await lifecycle.get_tenant(tx, slug)
        epoch = await deletion.delete(tx, tenant, days=settings.deletion_grace)
        line = await lifecycle.get_line(tx, slug)
    await publish_epoch(redis, tenant, epoch)
    return line


@post(
    "/{slug:str}/undelete",
    right=OPERATOR,
    tags=_TAGS,
    status_code=200,
    problems=(TenantNotFound, TenantNotDeleted, Unavailable),
)
async def undelete_tenant(
    slug: str, catalogue: Database, database: Database, redis: RedisLine
) -> TenantLine:
    """Bring a deleted tenant back as it was, suspended if it was. Everybody has to sign in anew."""
    await deletion.undelete(catalogue, database, redis, slug)
    return await lifecycle.get_line(catalogue.work(HOME, CATALOGUE_PRELUDE, writes=False), slug)
