"""Tags, feeds, the sitemap, and the blog's settings."""

from typing import Annotated

from insula.access import PUBLIC
from insula.db import Work
from insula.http.conditional import IfMatch, versioned
from insula.http.exchange import Exchange
from insula.http.origin import origin_of
from insula.settings import Settings as Installation
from insula.tenancy.tenant import Tenant
from litestar import Response, get, patch
from litestar.params import QueryParameter

from insula_tenants.blog import feeds
from insula_tenants.blog.metadata import Site
from insula_tenants.blog.permissions import MANAGE
from insula_tenants.blog.queries import articles as queries
from insula_tenants.blog.queries import people as people_queries
from insula_tenants.blog.schemas import Article, Settings, SettingsUpdate, TagCount
from insula_tenants.blog.service import settings as service

Tag = Annotated[str | None, QueryParameter(max_length=100, required=False)]
Username = Annotated[str | None, QueryParameter(max_length=200, required=False)]


@get("/tags", right=PUBLIC)
async def list_article_tags(tx: Work) -> list[TagCount]:
    """Every tag of what is published, with its number of articles; the most used first."""
    return await tx.many(queries.TAGS)


async def _recent(
    tx: Work, tag: str | None, author: str | None
) -> tuple[list[Article], dict[str, str]]:
    articles = await tx.many(queries.RECENT, tag=tag, author=author)
    names = {}
    for username in {article.author for article in articles}:
        found = await tx.one(people_queries.GET_AUTHOR, username=username, viewer=None)
        names[username] = found.name
    return articles, names


async def _site(
    tx: Work, tenant: Tenant, exchange: Exchange, settings: Installation
) -> tuple[Site, str]:
    """The blog, and the address of this request within it."""
    origin = origin_of(exchange, tenant, settings)
    query = exchange.scope["query_string"].decode("latin-1")
    url = f"{origin}{exchange.path}" + (f"?{query}" if query else "")
    return Site(await service.read(tx, tenant), origin), url


@get("/feed.atom", right=PUBLIC, media_type="application/atom+xml")
async def get_atom_feed(
    tx: Work,
    tenant: Tenant,
    exchange: Exchange,
    settings: Installation,
    tag: Tag = None,
    author: Username = None,
) -> Response[bytes]:
    """The thirty newest articles as Atom (RFC 4287); of one tag or author if you name it."""
    articles, names = await _recent(tx, tag, author)
    site, url = await _site(tx, tenant, exchange, settings)
    return Response(
        feeds.atom(site, url, articles, names), media_type="application/atom+xml; charset=utf-8"
    )


@get("/feed.json", right=PUBLIC, media_type="application/feed+json")
async def get_json_feed(
    tx: Work,
    tenant: Tenant,
    exchange: Exchange,
    settings: Installation,
    tag: Tag = None,
    author: Username = None,
) -> Response[feeds.JsonFeed]:
    """The thirty newest articles as JSON Feed 1.1; of one tag or author if you name it."""
    articles, names = await _recent(tx, tag, author)
    site, url = await _site(tx, tenant, exchange, settings)
    return Response(feeds.json_feed(site, url, articles, names), media_type="application/feed+json")


@get("/sitemap.xml", right=PUBLIC, media_type="application/xml")
async def get_sitemap(
    tx: Work, tenant: Tenant, exchange: Exchange, settings: Installation
) -> Response[bytes]:
    """The addresses of all published articles, for search engines."""
    articles = await tx.many(queries.SITEMAP, viewer=None)
    site, _ = await _site(tx, tenant, exchange, settings)
    return Response(feeds.sitemap(site, articles), media_type="application/xml")


@get("/settings", right=MANAGE)
async def get_blog_settings(tx: Work, tenant: Tenant) -> Response[Settings]:
    """How this blog is run."""
    found = await service.read(tx, tenant)
    return versioned(found, found.version)


@patch("/settings", right=MANAGE)
async def update_blog_settings(
    data: SettingsUpdate, tx: Work, tenant: Tenant, if_match: IfMatch = None
) -> Response[Settings]:
    """Change how this blog is run."""
    changed = await service.change(tx, tenant, data, if_match)
    return versioned(changed, changed.version)


ROUTES = (
    list_article_tags, get_atom_feed, get_json_feed, get_sitemap, get_blog_settings,
    update_blog_settings,
)  # fmt: skip
