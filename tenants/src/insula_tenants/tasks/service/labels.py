"""Labels: words that tasks wear. They need not be made first, only to get a colour."""

from uuid import UUID

from insula.db import Work

from insula_tenants.tasks.queries import around as queries
from insula_tenants.tasks.schemas.around import LabelChange


async def rename(tx: Work, name: str, to: str, user_id: UUID) -> LabelChange:
    """Rename a label in every task that the caller may change; tasks that have both keep one."""
    await tx.execute(queries.RENAME_LABEL, name=name, to=to)
    count = await tx.execute(queries.RELABEL, name=name, to=to, viewer=user_id)
    return LabelChange(count)


async def remove(tx: Work, name: str, user_id: UUID) -> None:
    """Take a label off every task that the caller may change, and forget its colour."""
    await tx.execute(queries.UNLABEL, name=name, viewer=user_id)
    await tx.execute(queries.DELETE_LABEL, name=name)
