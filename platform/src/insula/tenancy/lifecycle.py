"""What the operator does with tenants; the `insula tenants` commands, later the operator API."""

from collections.abc import AsyncIterator

from sqlalchemy import BigInteger, bindparam, func, literal_column, select

from insula.db import Statement, Work
from insula.i18n import say
from insula.tenancy import provisioning
from insula.tenancy.errors import TenantNotFound
from insula.tenancy.schemas import TenantLine
from insula.tenancy.tables import TenantModule, TenantRow
from insula.tenancy.tenant import BY_SLUG, Tenant

_PAGE = 1000

_enabled = (
    select(func.array_agg(TenantModule.module))
    .where(TenantModule.tenant_id == TenantRow.id, TenantModule.enabled)
    .scalar_subquery()
)
_lines = select(
    TenantRow.id,
    TenantRow.number,
    TenantRow.slug,
    TenantRow.name,
    TenantRow.status,
    TenantRow.bucket,
    TenantRow.created_at,
    func.coalesce(_enabled, literal_column("'{}'::text[]")).label("modules"),
)
_LINE = Statement(_lines.where(TenantRow.slug == bindparam("slug")), TenantLine)
_LINES = Statement(
    _lines.where(TenantRow.number > bindparam("after", type_=BigInteger))
    .order_by(TenantRow.number)
    .limit(literal_column(str(_PAGE))),
    TenantLine,
)


async def list_tenants(catalogue: Work) -> AsyncIterator[TenantLine]:
    """Every tenant, in the order in which they were made."""
    after = 0
    while lines := await catalogue.many(_LINES, after=after):
        for line in lines:
            yield line
        after = lines[-1].number


async def get_line(catalogue: Work, slug: str) -> TenantLine:
    """One tenant as the operator sees it.

    Raises:
        TenantNotFound: nobody has this slug.
    """
    line = await catalogue.find(_LINE, slug=slug)
    if line is None:
        raise TenantNotFound(say("No tenant is called '{slug}'.", slug=slug))
    return line


async def get_tenant(catalogue: Work, slug: str) -> Tenant:
    """One tenant, ready to be bound.

    Raises:
        TenantNotFound: nobody has this slug.
    """
    record = await catalogue.find(BY_SLUG, slug=slug)
    if record is None:
        raise TenantNotFound(say("No tenant is called '{slug}'.", slug=slug))
    return Tenant(record)


async def delete(catalogue: Work, tenant: Tenant) -> int:
    """Delete a tenant with all it has, for good. Returns the epoch to publish.

    Suspend it first: a request that is under way would hold what has to go, and after ten seconds
    of waiting for it nothing is deleted.
    """
    await catalogue.run_script("SET LOCAL lock_timeout = '10s'")
    await provisioning.drop(catalogue, tenant)
    return tenant.epoch + 1
