"""The blog at ``/graphql``."""

from typing import Any
from uuid import UUID

import strawberry
from insula.access import PUBLIC, SIGNED_IN
from insula.db import RowNotFound
from insula.graphql import Context, Graph, Info, connection, field, input_of, key_of, node, read
from insula.http.conditional import etag_of

from insula_tenants.blog import schemas
from insula_tenants.blog.permissions import MANAGE, WRITE
from insula_tenants.blog.queries import articles as queries
from insula_tenants.blog.queries import comments as comment_queries
from insula_tenants.blog.service import articles as service
from insula_tenants.blog.service import comments as comment_service
from insula_tenants.blog.service import people, publishing


def _viewer(context: Context, _: Any = None) -> dict[str, Any]:
    visitor = context.visitor
    return {"viewer": visitor.user_id if visitor is not None else None}


async def load_articles(context: Context, ids: list[UUID]) -> list[schemas.Article]:
    found = await context.tx.many(queries.GET_MANY, ids=ids)
    return [
        each for each in found if service.is_public(each) or service.may_edit(each, context.visitor)
    ]


async def load_comments(context: Context, ids: list[UUID]) -> list[schemas.Comment]:
    return await context.tx.many(comment_queries.GET_SHOWN, ids=ids)


@node(schemas.Comment, load=load_comments, right=PUBLIC)
class Comment:
    """A comment. One that was deleted, or isn't shown, stays as a place in its thread."""


def _of_article(context: Context, article: Any) -> dict[str, Any]:
    return {"article_id": article.id, **_viewer(context)}


@node(schemas.Article, load=load_articles, right=PUBLIC, line=schemas.ArticleLine)
class Article:
    """An article. `html` is `body` rendered, safe to put into a page."""

    comments = connection(
        comment_queries.THREAD, Comment, right=PUBLIC, params=_of_article,
        description="What readers say, the oldest first.",
    )  # fmt: skip


ArticleCreate = input_of(schemas.ArticleCreate)
ArticleUpdate = input_of(schemas.ArticleUpdate)
CommentCreate = input_of(schemas.CommentCreate)


@strawberry.type
class Query:
    articles = connection(
        queries.LIST, Article, right=PUBLIC, params=_viewer, description="What is published."
    )
    article_drafts = connection(
        queries.UNPUBLISHED,
        Article,
        right=WRITE,
        params=lambda context, _: _viewer(context) | {"all": MANAGE in context.caller.scopes},
        description="What is not: your own, or everybody's with `blog:manage`.",
    )
    article_feed = connection(
        queries.FEED,
        Article,
        right=SIGNED_IN,
        params=_viewer,
        description="Of the authors that you follow.",
    )

    @field(right=PUBLIC)
    async def article(self, info: Info, slug: str) -> Article | None:
        """An article by its address, or by one that it had before."""
        try:
            return await service.read_by_slug(info.context.tx, slug, info.context.visitor)
        except RowNotFound:
            return None


@strawberry.type
class Mutation:
    @field(right=WRITE)
    async def create_article(self, info: Info, article: ArticleCreate) -> Article:
        """Write an article: a draft, unless it is to be published at once."""
        new = read(article, schemas.ArticleCreate)
        return await service.create(info.context.tx, new, info.context.caller.user_id)

    @field(right=WRITE)
    async def update_article(
        self, info: Info, id: strawberry.ID, changes: ArticleUpdate, version: int | None = None
    ) -> Article:
        """Change an article."""
        update, caller = read(changes, schemas.ArticleUpdate), info.context.caller
        key = key_of(id, "Article")
        return await service.change(info.context.tx, key, update, caller, _match(version))

    @field(right=WRITE)
    async def publish_article(
        self, info: Info, id: strawberry.ID, version: int | None = None
    ) -> Article:
        """Show an article to readers, now."""
        key, caller = key_of(id, "Article"), info.context.caller
        now = schemas.Publish()
        return await publishing.publish(info.context.tx, key, now, caller, _match(version))

    @field(right=WRITE)
    async def unpublish_article(
        self, info: Info, id: strawberry.ID, version: int | None = None
    ) -> Article:
        """Make an article a draft again, now."""
        key, caller = key_of(id, "Article"), info.context.caller
        now = schemas.Unpublish()
        return await publishing.unpublish(info.context.tx, key, now, caller, _match(version))

    @field(right=WRITE)
    async def delete_article(
        self, info: Info, id: strawberry.ID, version: int | None = None
    ) -> strawberry.ID:
        """Delete an article with its history and comments, for good. Returns its id."""
        key, caller = key_of(id, "Article"), info.context.caller
        await service.delete(info.context.tx, key, caller, _match(version))
        return id

    @field(right=SIGNED_IN)
    async def create_comment(
        self, info: Info, article_id: strawberry.ID, comment: CommentCreate
    ) -> Comment:
        """Comment on an article, or answer a comment. `status` says whether it waits."""
        new, key = read(comment, schemas.CommentCreate), key_of(article_id, "Article")
        return await comment_service.create(info.context.tx, key, new, info.context.caller)

    @field(right=SIGNED_IN)
    async def favourite_article(self, info: Info, id: strawberry.ID) -> strawberry.ID:
        """Mark an article as a favourite. Returns its id."""
        key = key_of(id, "Article")
        await people.favourite(info.context.tx, info.context.caller.user_id, key)
        return id

    @field(right=SIGNED_IN)
    async def unfavourite_article(self, info: Info, id: strawberry.ID) -> strawberry.ID:
        """Take that back. Returns its id."""
        key = key_of(id, "Article")
        await people.unfavourite(info.context.tx, info.context.caller.user_id, key)
        return id


def _match(version: int | None) -> str | None:
    return None if version is None else etag_of(version)


GRAPH = Graph(query=Query, mutation=Mutation, nodes=(Article, Comment))
