"""``/api/v1/blog``."""

from insula_tenants.blog.routes import articles, comments, history, people, site, transfer

ROUTES = (
    *articles.ROUTES,
    *history.ROUTES,
    *comments.ROUTES,
    *people.ROUTES,
    *site.ROUTES,
    *transfer.ROUTES,
    articles.unpublish_article,
)
