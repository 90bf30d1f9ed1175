"""Writing, publishing and reading articles."""

from typing import Annotated, Any
from uuid import UUID

from insula.access import PUBLIC, SIGNED_IN
from insula.db import Work
from insula.http.conditional import IfMatch, versioned
from insula.http.exchange import Caller, Exchange
from insula.http.listing import Page
from insula.http.origin import origin_of
from insula.settings import Settings
from insula.tenancy.tenant import Tenant
from litestar import Request, Response, delete, get, patch, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter

from insula_tenants.blog import page
from insula_tenants.blog.errors import NotYourArticle, SlugTaken
from insula_tenants.blog.metadata import Site, describe
from insula_tenants.blog.permissions import MANAGE, WRITE
from insula_tenants.blog.queries import articles as queries
from insula_tenants.blog.queries import people as people_queries
from insula_tenants.blog.schemas import (
    Article,
    ArticleCreate,
    ArticleLine,
    ArticleUpdate,
    Metadata,
    Publish,
    Unpublish,
)
from insula_tenants.blog.service import articles as service
from insula_tenants.blog.service import publishing
from insula_tenants.blog.service import settings as blog_settings

SlugPath = Annotated[str, PathParameter(max_length=200)]
_MOVED = {301: ResponseSpec(None, description="It has another slug now: see `Location`.")}


def viewer(caller: Caller | None) -> UUID | None:
    return caller.user_id if caller is not None else None


@get("/articles", right=PUBLIC, listing=queries.LIST)
async def list_articles(
    request: Request[Any, Any, Any], tx: Work, caller: Caller | None
) -> Page[ArticleLine]:
    """What is published, the newest first."""
    return await queries.LIST.page(tx, request, viewer=viewer(caller))


@get("/drafts", right=WRITE, listing=queries.UNPUBLISHED)
async def list_drafts(
    request: Request[Any, Any, Any], tx: Work, caller: Caller
) -> Page[ArticleLine]:
    """Drafts and what is scheduled: your own, or everybody's with ``blog:manage``."""
    return await queries.UNPUBLISHED.page(
        tx, request, viewer=caller.user_id, all=MANAGE in caller.scopes
    )


@get("/feed", right=SIGNED_IN, listing=queries.FEED)
async def list_feed(request: Request[Any, Any, Any], tx: Work, caller: Caller) -> Page[ArticleLine]:
    """Articles of the authors that you follow, the newest first."""
    return await queries.FEED.page(tx, request, viewer=caller.user_id)


@get("/favourites", right=SIGNED_IN, listing=queries.FAVOURITES)
async def list_favourites(
    request: Request[Any, Any, Any], tx: Work, caller: Caller
) -> Page[ArticleLine]:
    """Articles that you marked as favourites."""
    return await queries.FAVOURITES.page(tx, request, viewer=caller.user_id)


@post("/articles", right=WRITE, problems=(SlugTaken,))
async def create_article(data: ArticleCreate, tx: Work, caller: Caller) -> Response[Article]:
    """Write an article: a draft, unless you publish it at once."""
    article = await service.create(tx, data, caller.user_id)
    answer = versioned(article, article.version, 201)
    answer.headers["location"] = f"/api/v1/blog/articles/{article.id}"
    return answer


@get("/articles/{article_id:uuid}", right=PUBLIC)
async def get_article(article_id: UUID, tx: Work, caller: Caller | None) -> Response[Article]:
    """One article. A draft shows itself to those who may edit it."""
    article = await service.read(tx, article_id, caller)
    return versioned(article, article.version)


@get(
    "/articles/by-slug/{slug:str}",
    right=PUBLIC,
    produces=("text/html",),
    responses=_MOVED,
)
async def get_article_by_slug(
    slug: SlugPath,
    request: Request[Any, Any, Any],
    tx: Work,
    caller: Caller | None,
    tenant: Tenant,
    exchange: Exchange,
    settings: Settings,
) -> Response[Article] | Response[str] | Response[None]:
    """One article by its address; an address that it had before leads on. A browser gets a
    page."""
    article = await service.read_by_slug(tx, slug, caller)
    if article.slug != slug:
        location = f"/api/v1/blog/articles/by-slug/{article.slug}"
        return Response(None, status_code=301, headers={"location": location})
    if request.accept.best_match(["application/json", "text/html"]) != "text/html":
        return versioned(article, article.version)
    site = await _site(tx, tenant, exchange, settings)
    author = await tx.one(people_queries.GET_AUTHOR, username=article.author, viewer=None)
    rendered = page.render(article, author, describe(site, article, author), site.settings.language)
    headers = {"content-security-policy": page.POLICY}
    return Response(rendered, media_type="text/html", headers=headers)


@get("/articles/{article_id:uuid}/metadata", right=PUBLIC)
async def get_article_metadata(
    article_id: UUID,
    tx: Work,
    caller: Caller | None,
    tenant: Tenant,
    exchange: Exchange,
    settings: Settings,
) -> Metadata:
    """Title, description, Open Graph and schema.org data for the article's page."""
    article = await service.read(tx, article_id, caller)
    author = await tx.one(people_queries.GET_AUTHOR, username=article.author, viewer=None)
    return describe(await _site(tx, tenant, exchange, settings), article, author)


async def _site(tx: Work, tenant: Tenant, exchange: Exchange, settings: Settings) -> Site:
    return Site(await blog_settings.read(tx, tenant), origin_of(exchange, tenant, settings))


@patch("/articles/{article_id:uuid}", right=WRITE, problems=(NotYourArticle, SlugTaken))
async def update_article(
    article_id: UUID, data: ArticleUpdate, tx: Work, caller: Caller, if_match: IfMatch = None
) -> Response[Article]:
    """Change an article. Send ``If-Match`` to be told when somebody was faster."""
    article = await service.change(tx, article_id, data, caller, if_match)
    return versioned(article, article.version)


@delete("/articles/{article_id:uuid}", right=WRITE, problems=(NotYourArticle,))
async def delete_article(
    article_id: UUID, tx: Work, caller: Caller, if_match: IfMatch = None
) -> None:
    """Delete an article with its history and comments, for good."""
    await service.delete(tx, article_id, caller, if_match)


@post(
    "/articles/{article_id:uuid}/publish",
    right=WRITE,
    status_code=200,
    problems=(NotYourArticle,),
)
async def publish_article(
    article_id: UUID, data: Publish, tx: Work, caller: Caller, if_match: IfMatch = None
) -> Response[Article]:
    """Show an article to readers, now or at a time, for ever or until another."""
    article = await publishing.publish(tx, article_id, data, caller, if_match)
    return versioned(article, article.version)


@post(
    "/articles/{article_id:uuid}/unpublish",
    right=WRITE,
    status_code=200,
    problems=(NotYourArticle,),
)
async def unpublish_article(
    article_id: UUID, data: Unpublish, tx: Work, caller: Caller, if_match: IfMatch = None
) -> Response[Article]:
    """Make an article a draft again, now or at a time."""
    article = await publishing.unpublish(tx, article_id, data, caller, if_match)
    return versioned(article, article.version)


ROUTES = (
    list_articles, list_drafts, list_feed, list_favourites, create_article, get_article,
    get_article_by_slug, get_article_metadata, update_article, delete_article, publish_article,
)  # fmt: skip
