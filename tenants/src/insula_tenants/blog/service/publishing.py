"""Going public and coming back, now or at a time."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
from insula.db import Work
from insula.http.exchange import Caller
from insula.http.problem import FieldError, InvalidInput
from insula.jobs import Job, JobContext, cancel, enqueue

from insula_tenants.blog.events import ARTICLE_PUBLISHED, ARTICLE_UNPUBLISHED
from insula_tenants.blog.queries import articles as queries
from insula_tenants.blog.queries.articles import Stored
from insula_tenants.blog.schemas import Article, Publish, Unpublish
from insula_tenants.blog.service.articles import is_public, lock, tell


class Due(msgspec.Struct, frozen=True):
    """An article whose hour has come."""

    article_id: UUID


async def publish(
    tx: Work, article_id: UUID, wish: Publish, caller: Caller, if_match: str | None
) -> Article:
    """Show an article to readers, or plan to; ``until`` plans its end.

    Raises:
        InvalidInput: a time has no zone, or they are in the wrong order.
    """
    stored = await lock(tx, article_id, caller, if_match)
    now = datetime.now(UTC)
    at, until = _zoned(wish.at, "/at"), _zoned(wish.until, "/until")
    if until is not None and until <= max(at or now, now):
        raise InvalidInput(errors=(FieldError("/until", "must come after it is published"),))
    was_public = is_public(await tx.one(queries.GET, id=article_id), now)
    later = at is not None and at > now
    article = await tx.one(
        queries.update_columns(("published_at", "status", "unpublish_at")),
        article_id=article_id,
        status="scheduled" if later else "published",
        # Published again, it keeps its date, unless another one is given.
        published_at=at or (stored.published_at if was_public else None) or now,
        unpublish_at=until,
    )
    await plan(tx, article, caller.user_id)
    if not later and not was_public:
        await tell(tx, ARTICLE_PUBLISHED, article, caller.user_id)
    elif later and was_public:
        await tell(tx, ARTICLE_UNPUBLISHED, article, caller.user_id)
    return article


async def unpublish(
    tx: Work, article_id: UUID, wish: Unpublish, caller: Caller, if_match: str | None
) -> Article:
    """Make an article a draft again, or plan to."""
    await lock(tx, article_id, caller, if_match)
    at = _zoned(wish.at, "/at")
    before = await tx.one(queries.GET, id=article_id)
    if at is not None and at > datetime.now(UTC):
        article = await tx.one(
            queries.update_columns(("unpublish_at",)), article_id=article_id, unpublish_at=at
        )
        await plan(tx, article, caller.user_id)
        return article
    article = await _withdraw(tx, article_id)
    await plan(tx, article, caller.user_id)
    if is_public(before):
        await tell(tx, ARTICLE_UNPUBLISHED, article, caller.user_id)
    return article


async def _withdraw(tx: Work, article_id: UUID) -> Article:
    return await tx.one(
        queries.update_columns(("status", "unpublish_at")),
        article_id=article_id,
        status="draft",
        unpublish_at=None,
    )


def _zoned(moment: datetime | None, pointer: str) -> datetime | None:
    if moment is not None and moment.tzinfo is None:
        raise InvalidInput(errors=(FieldError(pointer, "needs a time zone, such as Z"),))
    return moment


async def plan(tx: Work, article: Article | Stored, actor: UUID) -> None:
    """Have the worker do, at their times, what the article says; one job for each."""
    wanted = (
        ("publish", PUBLISH, article.published_at if article.status == "scheduled" else None),
        ("unpublish", UNPUBLISH, article.unpublish_at),
    )
    for action, job, at in wanted:
        key = f"blog.{action}:{article.id}"
        if at is None:
            await cancel(tx, key=key)
        else:
            await enqueue(tx, job, Due(article.id), at=at, key=key, actor=actor)


async def plan_again(tx: Work) -> None:
    """Plan what an archive has brought: its jobs did not come along."""
    for article in await tx.many(queries.PLANNED):
        await plan(tx, article, article.author_id)


# What the jobs do: nothing, if somebody has changed the plan meanwhile


async def publish_due(context: JobContext, due: Due) -> None:
    """Make a scheduled article public."""
    async with context.transaction() as tx:
        stored = await tx.find(queries.LOCK, id=due.article_id)
        if stored is None or stored.status != "scheduled" or stored.published_at is None:
            return
        if stored.published_at > datetime.now(UTC):
            return
        article = await tx.one(
            queries.update_columns(("status",)), article_id=due.article_id, status="published"
        )
        await tell(tx, ARTICLE_PUBLISHED, article, stored.author_id)


async def unpublish_due(context: JobContext, due: Due) -> None:
    """Take an article away whose time is over."""
    async with context.transaction() as tx:
        stored = await tx.find(queries.LOCK, id=due.article_id)
        if stored is None or stored.unpublish_at is None:
            return
        if stored.unpublish_at > datetime.now(UTC):
            return
        article = await _withdraw(tx, due.article_id)
        await tell(tx, ARTICLE_UNPUBLISHED, article, stored.author_id)


PUBLISH = Job(name="blog.publish", args=Due, run=publish_due, summary="Publish a scheduled article")
UNPUBLISH = Job(
    name="blog.unpublish", args=Due, run=unpublish_due, summary="Take an article away on time"
)
JOBS = (PUBLISH, UNPUBLISH)
