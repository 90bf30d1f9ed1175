"""The RealWorld API (https://docs.realworld.show) on the blog's data, so that any RealWorld front
end works against a tenant."""

from litestar import Router

from insula_tenants.blog.compat import articles, comments, users
from insula_tenants.blog.compat.dialect import DIALECT

PREFIX = "/compat/realworld/api"
ROUTER = Router(
    path=PREFIX,
    route_handlers=[*users.ROUTES, *articles.ROUTES, *comments.ROUTES],
    tags=["RealWorld"],
    opt={"dialect": DIALECT},
)
