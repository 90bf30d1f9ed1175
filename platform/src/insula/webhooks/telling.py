"""Telling the owners of a tenant that a webhook was given up."""

import msgspec
from sqlalchemy import literal_column, select

from insula.db import Statement, Work
from insula.identity.tables import UserRow
from insula.mail import send_mail
from insula.tenancy.tenant import Tenant
from insula.webhooks.schedule import DISABLE_AFTER
from insula.webhooks.schemas import Webhook


class Owner(msgspec.Struct, frozen=True):
    email: str
    name: str
    locale: str | None


_OWNERS = Statement(
    select(UserRow.email, UserRow.name, UserRow.locale)
    .where(UserRow.role == "owner", UserRow.status == "active")
    .order_by(UserRow.created_at)
    .limit(literal_column("10")),
    Owner,
)


async def tell_owners(tx: Work, tenant: Tenant, webhook: Webhook) -> None:
    """Mail, in the transaction that switches the webhook off."""
    context = {
        "url": webhook.url,
        "tenant": tenant.name,
        "reason": webhook.disabled_because,
        "days": DISABLE_AFTER.days,
        "id": webhook.id,
    }
    for owner in await tx.many(_OWNERS):
        await send_mail(
            tx,
            template="webhooks.disabled",
            to=owner.email,
            to_name=owner.name,
            context=context,
            locale=owner.locale or tenant.locale,
        )
