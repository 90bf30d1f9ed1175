"""What the operator does with tenants, by the `insula tenants` commands and the operator API.

Whatever changes one returns the tenant's new epoch, to be published once it is committed.
"""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import BigInteger, bindparam, func, literal_column, select, update
from sqlalchemy import delete as remove
from sqlalchemy.dialects.postgresql import insert as upsert

from insula.db import Statement, Work, binds
from insula.files import queries as files
from insula.http.listing import Listing
from insula.i18n import say
from insula.tenancy.errors import SlugTaken, TenantNotFound
from insula.tenancy.schemas import TenantLine, check_slug
from insula.tenancy.tables import FormerSlug, TenantModule, TenantRow
from insula.tenancy.tenant import BY_SLUG, Limits, Tenant

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
    TenantRow.suspension,
    TenantRow.limits,
    TenantRow.purge_at,
)
TENANTS = Listing(
    _lines,
    TenantLine,
    key=TenantRow.id,
    sort={"created_at": TenantRow.created_at, "slug": TenantRow.slug, "name": TenantRow.name},
    default="-created_at",
    filters={
        "created_at": TenantRow.created_at,
        "slug": TenantRow.slug,
        "status": TenantRow.status,
        "bucket": TenantRow.bucket,
    },
)
_LINE = Statement(_lines.where(TenantRow.slug == bindparam("slug")), TenantLine)
_mine = TenantRow.id == bindparam("tenant_id")


def _change(**values: Any) -> Statement[int]:
    """One that also raises the epoch, and answers with it; of a tenant that is neither moving nor
    deleted."""
    return Statement(
        update(TenantRow)
        .where(_mine, (TenantRow.status == "active") | (TenantRow.status == "suspended"))
        .values(**values, epoch=TenantRow.epoch + 1, updated_at=func.now())
        .returning(TenantRow.epoch),
        int,
    )


_SUSPEND = _change(status=literal_column("'suspended'"), suspension=bindparam("reason"))
_RESUME = _change(status=literal_column("'active'"), suspension=None)
_RENAME = _change(slug=bindparam("new_slug"))
_SET_LIMITS = _change(limits=bindparam("new_limits"))
_FORMER_OWNER = Statement(
    select(FormerSlug.tenant_id).where(
        FormerSlug.slug == bindparam("former"), FormerSlug.until > func.now()
    ),
    UUID,
)
_FORGET_SLUG = Statement(remove(FormerSlug).where(FormerSlug.slug == bindparam("former")))
_former = upsert(FormerSlug).values(
    **binds("slug", "tenant_id"), until=func.now() + func.make_interval(0, 0, 0, bindparam("days"))
)
_REMEMBER_SLUG = Statement(
    _former.on_conflict_do_update(
        index_elements=[FormerSlug.slug],
        set_={"tenant_id": _former.excluded.tenant_id, "until": _former.excluded.until},
    )
)
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
        TenantNotFound: nobody has this slug, or whoever has it is deleted.
    """
    record = await catalogue.find(BY_SLUG, slug=slug)
    if record is None:
        raise TenantNotFound(say("No tenant is called '{slug}'.", slug=slug))
    if record.status == "deleted":
        raise TenantNotFound(say("{slug} is deleted, and can be brought back.", slug=slug))
    return Tenant(record)


async def suspend(catalogue: Work, tenant: Tenant, reason: str) -> int:
    """Let nobody of the tenant in; whoever tries is told the ``reason``."""
    return await _one(catalogue, _SUSPEND, tenant, reason=reason or None)


async def resume(catalogue: Work, tenant: Tenant) -> int:
    """Let them in again."""
    return await _one(catalogue, _RESUME, tenant)


async def rename(catalogue: Work, tenant: Tenant, slug: str, *, days: int) -> int:
    """Give a tenant another slug. The present one leads there for so many days, in which nobody
    else can have it.

    Raises:
        InvalidInput, SlugTaken: see there.
    """
    check_slug(slug)
    if slug == tenant.slug:
        return tenant.epoch
    await check_free(catalogue, slug, besides=tenant.id)
    try:
        epoch = await _one(catalogue, _RENAME, tenant, new_slug=slug)
    except asyncpg.UniqueViolationError as error:
        raise SlugTaken(slug) from error
    await catalogue.execute(_FORGET_SLUG, former=slug)
    await catalogue.execute(_REMEMBER_SLUG, slug=tenant.slug, tenant_id=tenant.id, days=days)
    return epoch


async def check_free(catalogue: Work, slug: str, *, besides: UUID | None = None) -> None:
    """Whether a slug leads to nobody who has given it up, ``besides`` this tenant.

    Raises:
        SlugTaken: it does.
    """
    owner = await catalogue.find(_FORMER_OWNER, former=slug)
    if owner is not None and owner != besides:
        raise SlugTaken(slug)


async def set_limits(catalogue: Work, inside: Work, tenant: Tenant, limits: Limits) -> int:
    """Set what the tenant may, instead of what everybody may. ``inside`` is a transaction of the
    tenant's: what its files may take is kept beside what they take."""
    await inside.execute(files.SET_QUOTA, quota=limits.files_quota)
    return await _one(catalogue, _SET_LIMITS, tenant, new_limits=msgspec.to_builtins(limits))


async def _one(catalogue: Work, statement: Statement[int], tenant: Tenant, **values: Any) -> int:
    epoch = await catalogue.find(statement, tenant_id=tenant.id, **values)
    if epoch is None:
        raise TenantNotFound(say("{slug} is being moved or deleted.", slug=tenant.slug))
    return epoch
