"""The pictures above articles."""

from uuid import UUID

from insula.access import PUBLIC
from insula.db import Work
from insula.files.errors import RangeNotSatisfiable
from insula.files.routes.content import serve
from insula.files.service import Files
from insula.files.serving import Content
from insula.http.exchange import Caller
from insula.http.problem import PreconditionFailed
from insula.tenancy.tenant import Tenant
from litestar import get

from insula_tenants.blog.service import articles, covers


@get(
    "/articles/{article_id:uuid}/cover",
    right=PUBLIC,
    media_type="*/*",
    ranges=True,
    problems=(RangeNotSatisfiable, PreconditionFailed),
)
async def get_article_cover(
    article_id: UUID, tx: Work, caller: Caller | None, tenant: Tenant, files: Files
) -> Content:
    """The article's cover, where it is one of the tenant's files."""
    article = await articles.read(tx, article_id, caller)
    return serve(files, tenant, await covers.find(tx, article))


ROUTES = (get_article_cover,)
