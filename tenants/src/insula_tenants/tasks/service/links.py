"""Capability URLs by which Todo-Backend clients reach one project without an account."""

import hashlib
import secrets
from uuid import UUID

from insula.db import RowNotFound, Work
from insula.db.ids import new_id

from insula_tenants.tasks.queries import around as queries
from insula_tenants.tasks.schemas.around import LinkLine
from insula_tenants.tasks.service.projects import inbox
from insula_tenants.tasks.service.standing import writing


async def issue(tx: Work, project_id: UUID | None, user_id: UUID) -> tuple[UUID, UUID, str]:
    """The link's id, its project, and its token, shown this once. What comes over the link is done
    in the name of who issued it, with their rights."""
    if project_id is None:
        project_id = (await inbox(tx, user_id)).id
    await writing(tx, project_id, user_id)
    link_id, token = new_id(), secrets.token_urlsafe(32)
    await tx.execute(
        queries.INSERT_LINK,
        id=link_id,
        project_id=project_id,
        user_id=user_id,
        digest=_digest(token),
    )
    return link_id, project_id, token


async def withdraw(tx: Work, link_id: UUID, user_id: UUID) -> None:
    """The link stops working at once."""
    if await tx.execute(queries.DELETE_LINK, id=link_id, viewer=user_id) == 0:
        raise RowNotFound


async def follow(tx: Work, token: str) -> LinkLine:
    """What a token opens; unknown and withdrawn ones look the same."""
    return await tx.one(queries.FIND_LINK, digest=_digest(token))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
