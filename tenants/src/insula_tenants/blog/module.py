"""The blog, as the platform sees it."""

from insula.access import PUBLIC
from insula.module import Module
from insula.search import SearchSource

from insula_tenants.blog import cli, compat, demo, tables
from insula_tenants.blog.events import EVENTS
from insula_tenants.blog.graphql import GRAPH
from insula_tenants.blog.permissions import SCOPES
from insula_tenants.blog.queries.articles import PUBLIC as PUBLISHED
from insula_tenants.blog.routes import ROUTES
from insula_tenants.blog.service.publishing import JOBS, plan_again
from insula_tenants.blog.sockets import CHANNELS

MODULE = Module(
    name="blog",
    title="Blog",
    summary="Articles with drafts, schedules, comments and followers; feeds, imports, RealWorld.",
    package=__package__,
    routes=ROUTES,
    scopes=SCOPES,
    tables=(
        tables.BlogAuthor,
        tables.BlogArticle,
        tables.BlogSlug,
        tables.BlogRevision,
        tables.BlogComment,
        tables.BlogFavourite,
        tables.BlogFollow,
        tables.BlogSettings,
    ),
    graphql=GRAPH,
    search=(
        SearchSource(
            kind="blog.article",
            key=tables.BlogArticle.id,
            title=tables.BlogArticle.title,
            text=tables.BlogArticle.body,
            right=PUBLIC,
            url="/api/v1/blog/articles/by-slug/{slug}",
            slug=tables.BlogArticle.slug,
            where=PUBLISHED,
        ),
    ),
    events=EVENTS,
    jobs=JOBS,
    channels=CHANNELS,
    compat=(compat.ROUTER,),
    cli=(cli.import_blog, cli.export_blog),
    demo=demo.fill,
    arrived=plan_again,
)
