"""Telling the owners of a tenant that a webhook was given up."""

from insula.db import Work
from insula.identity.owners import OWNERS
from insula.mail import send_mail
from insula.tenancy.tenant import Tenant
from insula.webhooks.schedule import DISABLE_AFTER
from insula.webhooks.schemas import Webhook


async def tell_owners(tx: Work, tenant: Tenant, webhook: Webhook) -> None:
    """Mail, in the transaction that switches the webhook off."""
    context = {
        "url": webhook.url,
        "tenant": tenant.name,
        "reason": webhook.disabled_because,
        "days": DISABLE_AFTER.days,
        "id": webhook.id,
    }
    for owner in await tx.many(OWNERS):
        await send_mail(
            tx,
            template="webhooks.disabled",
            to=owner.email,
            to_name=owner.name,
            context=context,
            locale=owner.locale or tenant.locale,
        )
