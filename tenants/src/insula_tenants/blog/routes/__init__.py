"""``/api/v1/blog``."""

from insula_tenants.blog.routes import articles, comments, covers, history, people, site, transfer

ROUTES = (
    *articles.ROUTES,
    *covers.ROUTES,
    *history.ROUTES,
    *comments.ROUTES,
    *people.ROUTES,
    *site.ROUTES,
    *transfer.ROUTES,
    articles.unpublish_article,
)
