"""Deleting a tenant, in two steps.

First it is marked, and from then on everything answers as if it did not exist; its slug stays
taken, its jobs, events and webhooks rest. Until ``purge_at`` the operator can bring it back. Then
it is purged (:mod:`insula.tenancy.purging`).
"""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import Integer, bindparam, func, select, update

from insula.db import Database, Statement, Work
from insula.http.problem import Unavailable
from insula.http.redis_line import RedisLine
from insula.i18n import say
from insula.identity import queries
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME
from insula.tenancy.epochs import forget_epoch
from insula.tenancy.errors import TenantNotDeleted, TenantNotFound
from insula.tenancy.tables import TenantRow
from insula.tenancy.tenant import Tenant, prelude


class Doomed(msgspec.Struct, frozen=True):
    """A tenant that is deleted."""

    id: UUID
    number: int
    slug: str
    bucket: int
    purge_at: datetime


_DELETE = Statement(
    update(TenantRow)
    .where(
        TenantRow.id == bindparam("tenant_id"),
        (TenantRow.status == "active") | (TenantRow.status == "suspended"),
    )
    .values(
        status="deleted",
        status_before=TenantRow.status,
        deleted_at=func.now(),
        purge_at=func.now() + func.make_interval(0, 0, 0, bindparam("days", type_=Integer)),
        epoch=TenantRow.epoch + 1,
        updated_at=func.now(),
    )
    .returning(TenantRow.epoch),
    int,
)
_UNDELETE = Statement(
    update(TenantRow)
    .where(
        TenantRow.id == bindparam("tenant_id"),
        TenantRow.status == "deleted",
        TenantRow.purge_at > func.now(),
    )
    .values(
        status=TenantRow.status_before,
        status_before=None,
        deleted_at=None,
        purge_at=None,
        epoch=TenantRow.epoch + 1,
        updated_at=func.now(),
    )
    .returning(TenantRow.epoch),
    int,
)
DOOMED = select(
    TenantRow.id,
    TenantRow.number,
    TenantRow.slug,
    TenantRow.bucket,
    TenantRow.purge_at,
).where(TenantRow.status == "deleted")
_FIND = Statement(DOOMED.where(TenantRow.slug == bindparam("slug")), Doomed)
_EXISTS = Statement(select(TenantRow.id).where(TenantRow.slug == bindparam("slug")), UUID)


async def delete(catalogue: Work, tenant: Tenant, *, days: int) -> int:
    """Let a tenant be as if it did not exist, and go for good in so many days. Returns the epoch to
    publish.

    Raises:
        TenantNotFound: it is deleted already, or being moved.
    """
    epoch = await catalogue.find(_DELETE, tenant_id=tenant.id, days=days)
    if epoch is None:
        raise TenantNotFound(say("{slug} is being moved or deleted.", slug=tenant.slug))
    return epoch


async def undelete(catalogue: Database, tenants: Database, redis: RedisLine, slug: str) -> None:
    """Bring a deleted tenant back, suspended if it was. Nobody is signed in any more: sessions end
    first, and replicas are made to read which did before they let anybody in.

    Raises:
        TenantNotFound, TenantNotDeleted: there is nothing to bring back.
        Unavailable: Redis cannot be told.
    """
    async with catalogue.transaction(HOME, CATALOGUE_PRELUDE) as tx:
        doomed = await find(tx, slug)
        async with tenants.transaction(doomed.bucket, prelude(doomed.number)) as inside:
            await inside.execute(queries.REVOKE_ALL, reason="the tenant was deleted")
        if not await forget_epoch(redis, doomed.id):
            raise Unavailable("Redis has to be told, and does not answer.")
        if await tx.find(_UNDELETE, tenant_id=doomed.id) is None:
            raise TenantNotFound(say("The time of grace of {slug} is over.", slug=slug))
    await forget_epoch(redis, doomed.id)


async def find(catalogue: Work, slug: str) -> Doomed:
    """A deleted tenant.

    Raises:
        TenantNotFound, TenantNotDeleted: or none.
    """
    if (doomed := await catalogue.find(_FIND, slug=slug)) is not None:
        return doomed
    if await catalogue.find(_EXISTS, slug=slug) is None:
        raise TenantNotFound(say("No tenant is called '{slug}'.", slug=slug))
    raise TenantNotDeleted
