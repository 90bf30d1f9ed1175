"""Live channels of the blog."""

from typing import Any
from uuid import UUID

from insula.db import RowNotFound, Work
from insula.realtime import Channel

from insula_tenants.blog.queries import articles as queries


async def _authorize(tx: Work, caller: Any, article_id: str) -> None:
    """Whoever may read the article may watch its comments come in."""
    try:
        wanted = UUID(article_id)
    except ValueError as error:
        raise RowNotFound from error
    if await tx.find(queries.IS_PUBLIC, id=wanted) is None:
        raise RowNotFound


CHANNELS = (Channel(pattern="blog/{article_id}", authorize=_authorize),)
