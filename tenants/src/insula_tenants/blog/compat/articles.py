"""``/articles``, favourites and ``/tags``."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from insula.access import PUBLIC, SIGNED_IN
from insula.db import RowNotFound, Work
from insula.http.exchange import Caller
from litestar import delete, get, post, put
from litestar.params import PathParameter, QueryParameter
from msgspec import UNSET

from insula_tenants.blog.compat.dialect import Missing
from insula_tenants.blog.compat.schemas import (
    Article,
    ArticleAnswer,
    ArticleChangeRequest,
    ArticleLine,
    ArticlesAnswer,
    NewArticleRequest,
    Profile,
    TagsAnswer,
    timestamp,
)
from insula_tenants.blog.errors import NotYourArticle, WritingClosed
from insula_tenants.blog.permissions import WRITE
from insula_tenants.blog.queries import articles as queries
from insula_tenants.blog.queries import realworld
from insula_tenants.blog.schemas import ArticleCreate
from insula_tenants.blog.service import articles as service
from insula_tenants.blog.service import people
from insula_tenants.blog.service import settings as blog_settings

SlugPath = Annotated[str, PathParameter(max_length=200)]
Text = Annotated[str | None, QueryParameter(max_length=200, required=False)]
Limit = Annotated[int, QueryParameter(ge=1, le=1000, required=False)]
Offset = Annotated[int, QueryParameter(ge=0, le=1_000_000, required=False)]
_MOST = 100


def viewer(caller: Caller | None) -> UUID | None:
    return caller.user_id if caller is not None else None


async def find(tx: Work, slug: str, caller: Caller | None) -> UUID:
    """The id of the article that has, or had, this slug.

    Raises:
        Missing: nobody may read such a one.
    """
    try:
        return (await service.read_by_slug(tx, slug, caller)).id
    except RowNotFound as error:
        raise Missing("article") from error


def _line(row: realworld.ArticleRow) -> dict[str, Any]:
    return {
        "slug": row.slug,
        "title": row.title,
        "description": row.summary,
        "tag_list": row.tags,
        "created_at": timestamp(row.created_at),
        "updated_at": timestamp(row.updated_at),
        "favorited": row.favorited,
        "favorites_count": row.favorites,
        "author": profile(row),
    }


def profile(row: realworld.ArticleRow | realworld.CommentRow) -> Profile:
    return Profile(username=row.username, bio=row.bio, image=row.image, following=row.following)


async def _answer(tx: Work, article_id: UUID, caller: Caller | None) -> ArticleAnswer:
    row = await tx.one(realworld.GET, id=article_id, viewer=viewer(caller))
    return ArticleAnswer(article=Article(body=row.body, **_line(row)))


async def _list(tx: Work, caller: Caller | None, limit: int, offset: int, **wanted: Any) -> Any:
    wanted = {"tag": None, "author": None, "favorited_by": None, "feed": False} | wanted
    wanted["viewer"] = viewer(caller)
    rows = await tx.many(realworld.LIST, count=min(limit, _MOST), skip=offset, **wanted)
    return ArticlesAnswer(
        articles=[ArticleLine(**_line(row)) for row in rows],
        articles_count=await tx.one(realworld.COUNT, **wanted),
    )


@get("/articles", right=PUBLIC)
async def realworld_list_articles(
    tx: Work,
    caller: Caller | None,
    tag: Text = None,
    author: Text = None,
    favorited: Text = None,
    limit: Limit = 20,
    offset: Offset = 0,
) -> ArticlesAnswer:
    """What is published, the newest first; a hundred at once at most."""
    wanted = {"tag": tag or None, "author": author or None, "favorited_by": favorited or None}
    answer: ArticlesAnswer = await _list(tx, caller, limit, offset, **wanted)
    return answer


@get("/articles/feed", right=SIGNED_IN)
async def realworld_feed(
    tx: Work, caller: Caller, limit: Limit = 20, offset: Offset = 0
) -> ArticlesAnswer:
    """Articles of the authors that one follows, the newest first."""
    answer: ArticlesAnswer = await _list(tx, caller, limit, offset, feed=True)
    return answer


@post("/articles", right=SIGNED_IN, problems=(WritingClosed,))
async def realworld_create_article(
    data: NewArticleRequest, tx: Work, caller: Caller
) -> ArticleAnswer:
    """Write and publish an article."""
    if WRITE not in caller.scopes and not (await blog_settings.read(tx)).community:
        raise WritingClosed
    new = data.article
    wanted = ArticleCreate(
        title=new.title, summary=new.description, body=new.body, tags=new.tag_list, publish=True
    )
    article = await service.create(tx, wanted, caller.user_id)
    return await _answer(tx, article.id, caller)


@get("/articles/{slug:str}", right=PUBLIC, problems=(Missing,))
async def realworld_get_article(slug: SlugPath, tx: Work, caller: Caller | None) -> ArticleAnswer:
    """One article; it is found by its old slugs too."""
    return await _answer(tx, await find(tx, slug, caller), caller)


@put("/articles/{slug:str}", right=SIGNED_IN, problems=(Missing, NotYourArticle))
async def realworld_update_article(
    slug: SlugPath, data: ArticleChangeRequest, tx: Work, caller: Caller
) -> ArticleAnswer:
    """Change an article of one's own; a new title brings a new slug."""
    article_id = await find(tx, slug, caller)
    stored = await service.lock(tx, article_id, caller, None)
    names = {"title": "title", "description": "summary", "body": "body", "tag_list": "tags"}
    given = {
        names[name]: value
        for name, value in msgspec.structs.asdict(data.article).items()
        if value is not UNSET
    }
    await service.apply(tx, stored, given, caller.user_id, follow_title=True)
    return await _answer(tx, article_id, caller)


@delete("/articles/{slug:str}", right=SIGNED_IN, problems=(Missing, NotYourArticle))
async def realworld_delete_article(slug: SlugPath, tx: Work, caller: Caller) -> None:
    """Delete an article of one's own."""
    await service.delete(tx, await find(tx, slug, caller), caller, None)


@post("/articles/{slug:str}/favorite", right=SIGNED_IN, status_code=200, problems=(Missing,))
async def realworld_favorite(slug: SlugPath, tx: Work, caller: Caller) -> ArticleAnswer:
    """Mark an article as a favourite of one's own."""
    article_id = await _public(tx, slug, caller)
    await people.favourite(tx, caller.user_id, article_id)
    return await _answer(tx, article_id, caller)


@delete("/articles/{slug:str}/favorite", right=SIGNED_IN, status_code=200, problems=(Missing,))
async def realworld_unfavorite(slug: SlugPath, tx: Work, caller: Caller) -> ArticleAnswer:
    """Not any more."""
    article_id = await _public(tx, slug, caller)
    await people.unfavourite(tx, caller.user_id, article_id)
    return await _answer(tx, article_id, caller)


async def _public(tx: Work, slug: str, caller: Caller) -> UUID:
    article_id = await find(tx, slug, caller)
    if await tx.find(queries.IS_PUBLIC, id=article_id) is None:
        raise Missing("article")
    return article_id


@get("/tags", right=PUBLIC)
async def realworld_tags(tx: Work) -> TagsAnswer:
    """Every tag of what is published, the most used first."""
    return TagsAnswer(tags=[line.tag for line in await tx.many(queries.TAGS)])


ROUTES = (
    realworld_list_articles, realworld_feed, realworld_create_article, realworld_get_article,
    realworld_update_article, realworld_delete_article, realworld_favorite,
    realworld_unfavorite, realworld_tags,
)  # fmt: skip
