"""Articles: written, changed, found by every address they ever had."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from insula.db import RowNotFound, Work
from insula.db.ids import new_id
from insula.events import EventType, emit
from insula.http.conditional import require_match
from insula.http.exchange import Caller
from insula.jobs import cancel
from msgspec import UNSET

from insula_tenants.blog.content import candidates, render, slug_of, tags_of
from insula_tenants.blog.errors import NotYourArticle, SlugTaken
from insula_tenants.blog.events import (
    ARTICLE_DELETED,
    ARTICLE_PUBLISHED,
    ARTICLE_UPDATED,
    ArticleEvent,
)
from insula_tenants.blog.permissions import MANAGE, WRITE
from insula_tenants.blog.queries import articles as queries
from insula_tenants.blog.schemas import Article, ArticleCreate, ArticleUpdate
from insula_tenants.blog.service import covers
from insula_tenants.blog.service.people import ensure_author

_READ = ("title", "summary", "body", "format", "tags")
"""What readers read: a change of it is a revision."""


async def create(tx: Work, new: ArticleCreate, author_id: UUID) -> Article:
    """Write an article."""
    await ensure_author(tx, author_id)
    fields = msgspec.structs.asdict(new)
    publish = fields.pop("publish")
    wanted = fields.pop("slug")
    fields |= {
        "status": "published" if publish else "draft",
        "published_at": datetime.now(UTC) if publish else None,
    }
    article = await insert(tx, fields, author_id, slug=None if wanted is UNSET else wanted)
    if publish:
        await tell(tx, ARTICLE_PUBLISHED, article, author_id)
    return article


_UNSAID: dict[str, Any] = {
    "unpublish_at": None, "source": None, "created": None, "updated": None, "comments_open": True,
    "cover_file_id": None, "cover_url": None, "meta_title": None, "meta_description": None,
    "canonical_url": None, "custom": {}, "format": "markdown", "summary": "",
}  # fmt: skip


async def insert(
    tx: Work, fields: dict[str, Any], author_id: UUID, *, slug: str | None = None
) -> Article:
    """Store a new article with its first revision and a slug: ``slug`` or one made of the title,
    with a number behind it where another article has it, or had it.

    Raises:
        SlugTaken: others took every one that was tried.
        InvalidInput: there is no such cover.
    """
    article_id = new_id()
    row = _UNSAID | fields | {"id": article_id, "author_id": author_id}
    if row["cover_file_id"] is not None:
        await covers.require(tx, row["cover_file_id"])
    row["tags"] = tags_of(row["tags"])
    row["html"] = render(row["body"], row["format"])
    for candidate in await _free(tx, article_id, slug, row["title"]):
        try:
            async with tx.savepoint():
                article = await tx.one(queries.INSERT, **row, slug=candidate)
                await tx.execute(queries.KEEP_SLUG, slug=candidate, article_id=article_id)
        except asyncpg.UniqueViolationError as error:
            if "slug" not in (error.constraint_name or ""):
                raise
            continue
        await record(tx, article, author_id)
        return article
    raise SlugTaken


async def _free(tx: Work, article_id: UUID, slug: str | None, title: str) -> list[str]:
    """Slugs that no other article has or had, the best first."""
    wanted = list(candidates(slug or slug_of(title)))
    known = set(await tx.many(queries.KNOWN_SLUGS, slugs=wanted, article_id=article_id))
    return [each for each in wanted if each not in known]


async def record(tx: Work, article: Article, editor_id: UUID) -> None:
    """Keep what an article says as a revision."""
    said = {name: getattr(article, name) for name in _READ}
    await tx.execute(
        queries.INSERT_REVISION,
        article_id=article.id,
        revision=article.revision,
        editor_id=editor_id,
        **said,
    )


async def lock(tx: Work, article_id: UUID, caller: Caller, if_match: str | None) -> queries.Stored:
    """The article, held for a change by somebody who may.

    Raises:
        RowNotFound, NotYourArticle, PreconditionFailed: see there.
    """
    stored = await tx.one(queries.LOCK, id=article_id)
    if stored.author_id != caller.user_id and MANAGE not in caller.scopes:
        if await tx.find(queries.IS_PUBLIC, id=article_id) is None:
            raise RowNotFound  # a draft is none of their business
        raise NotYourArticle
    require_match(if_match, stored.version)
    return stored


async def change(
    tx: Work, article_id: UUID, update: ArticleUpdate, caller: Caller, if_match: str | None
) -> Article:
    """Change what is given, and nothing else; what changes nothing makes no revision.

    Raises:
        SlugTaken, NotYourArticle, PreconditionFailed: see there.
    """
    stored = await lock(tx, article_id, caller, if_match)
    given = {n: v for n, v in msgspec.structs.asdict(update).items() if v is not UNSET}
    return await apply(tx, stored, given, caller.user_id)


async def apply(
    tx: Work,
    stored: queries.Stored,
    given: dict[str, Any],
    editor_id: UUID,
    *,
    follow_title: bool = False,
) -> Article:
    """Give a locked article these values. With ``follow_title`` a new title brings a new slug."""
    changes = {n: v for n, v in given.items() if n not in _STORED or v != getattr(stored, n)}
    if "tags" in changes:
        changes["tags"] = tags_of(changes["tags"])
    if changes.get("cover_file_id") is not None:
        await covers.require(tx, changes["cover_file_id"])
    slug = changes.pop("slug", None)
    if slug is None and follow_title and "title" in changes:
        slug = await _next_slug(tx, stored, changes["title"])
    if slug is not None and slug != stored.slug:
        await _rename(tx, stored.id, slug)
        changes["slug"] = slug
    if not changes:
        return await tx.one(queries.GET, id=stored.id)
    is_revision = any(name in _READ for name in changes)
    if is_revision:
        changes["revision"] = stored.revision + 1
        body, format = changes.get("body", stored.body), changes.get("format", stored.format)
        changes["html"] = render(body, format)
    statement = queries.update_columns(tuple(sorted(changes)))
    article = await tx.one(statement, article_id=stored.id, **changes)
    if is_revision:
        await record(tx, article, editor_id)
    if is_public(article):
        await tell(tx, ARTICLE_UPDATED, article, editor_id)
    return article


_STORED = frozenset(field.name for field in msgspec.structs.fields(queries.Stored))


async def _next_slug(tx: Work, stored: queries.Stored, title: str) -> str:
    base = slug_of(title)
    if base == stored.slug or slug_of(stored.title) == base:
        return stored.slug
    return (await _free(tx, stored.id, None, title))[0]


async def _rename(tx: Work, article_id: UUID, slug: str) -> None:
    owner = await tx.find(queries.OWN_SLUG, slug=slug)
    if owner == article_id:
        return  # back to an address that it had before
    if owner is not None:
        raise SlugTaken
    try:
        async with tx.savepoint():
            await tx.execute(queries.KEEP_SLUG, slug=slug, article_id=article_id)
    except asyncpg.UniqueViolationError as error:
        raise SlugTaken from error


async def delete(tx: Work, article_id: UUID, caller: Caller, if_match: str | None) -> None:
    """Delete an article with its comments and history, for good."""
    stored = await lock(tx, article_id, caller, if_match)
    article = await tx.one(queries.GET, id=stored.id)
    await tx.execute(queries.DELETE, article_id=stored.id)
    for action in ("publish", "unpublish"):
        await cancel(tx, key=f"blog.{action}:{stored.id}")
    await tell(tx, ARTICLE_DELETED, article, caller.user_id)


# Reading


def may_edit(article: Article, caller: Caller | None) -> bool:
    return caller is not None and (
        MANAGE in caller.scopes or (article.author_id == caller.user_id and WRITE in caller.scopes)
    )


def is_public(article: Article, now: datetime | None = None) -> bool:
    """Whether readers see it; by the clock, whether the jobs have run or not."""
    now = now or datetime.now(UTC)
    if article.unpublish_at is not None and article.unpublish_at <= now:
        return False
    return article.status == "published" or (
        article.status == "scheduled"
        and article.published_at is not None
        and article.published_at <= now
    )


async def read(tx: Work, article_id: UUID, caller: Caller | None) -> Article:
    """An article, if it is public or one's own.

    Raises:
        RowNotFound: there is none that this reader may see.
    """
    return _seen(await tx.one(queries.GET, id=article_id), caller)


async def read_by_slug(tx: Work, slug: str, caller: Caller | None) -> Article:
    """The article that has, or ever had, this slug; ``article.slug`` is the present one."""
    return _seen(await tx.one(queries.FIND_BY_SLUG, slug=slug), caller)


def _seen(article: Article, caller: Caller | None) -> Article:
    if not (is_public(article) or may_edit(article, caller)):
        raise RowNotFound
    return article


async def tell(
    tx: Work, kind: EventType[ArticleEvent], article: Article, actor: UUID | None
) -> None:
    """Emit an event about an article."""
    event = ArticleEvent(
        article.id, article.slug, article.title, article.author_id, article.published_at,
        article.tags,
    )  # fmt: skip
    await emit(tx, kind, event, subject=f"articles/{article.id}", actor=actor)
