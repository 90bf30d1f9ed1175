"""Telling the owners of a tenant what has become of a domain of theirs."""

from uuid import UUID

import msgspec

from insula.db import Database, Work
from insula.identity.owners import OWNERS
from insula.mail import send_mail
from insula.tenancy.domains import record_name, record_value
from insula.tenancy.tenant import BY_ID, Tenant


class Missing(msgspec.Struct, frozen=True):
    """The record of a domain is no longer there."""

    domain: str
    token: str
    days: int
    """Left to put it back."""

    template = "tenancy.domain_missing"
    reason = ""


class Lost(msgspec.Struct, frozen=True):
    """A domain is no longer the tenant's."""

    domain: str
    token: str
    reason: str
    """``missing``, or ``taken`` by somebody who has proved it."""
    days: int

    template = "tenancy.domain_lost"


async def tell_owners(
    catalogue: Work, tenants: Database, tenant_id: UUID, what: Missing | Lost
) -> None:
    """Mail, in a transaction of the tenant's. If it is gone meanwhile there is nobody to tell."""
    record = await catalogue.find(BY_ID, id=tenant_id)
    if record is None:
        return
    tenant = Tenant(record)
    context = {
        "domain": what.domain,
        "tenant": tenant.name,
        "name": record_name(what.domain),
        "value": record_value(what.token),
        "days": what.days,
        "reason": what.reason,
    }
    async with tenants.transaction(tenant.bucket, tenant.prelude) as tx:
        for owner in await tx.many(OWNERS):
            await send_mail(
                tx,
                template=what.template,
                to=owner.email,
                to_name=owner.name,
                context=context,
                locale=owner.locale or tenant.locale,
            )
