"""Live channels of the blog."""

from uuid import UUID

from insula.access import PUBLIC
from insula.db import Work
from insula.http.exchange import Caller
from insula.realtime import Channel

from insula_tenants.blog.queries import articles as queries


async def _authorize(tx: Work, caller: Caller | None, article_id: UUID) -> None:
    """Whoever may read the article may watch its comments come in."""
    await tx.one(queries.IS_PUBLIC, id=article_id)


CHANNELS = (Channel(pattern="blog/{article_id:uuid}", right=PUBLIC, authorize=_authorize),)
