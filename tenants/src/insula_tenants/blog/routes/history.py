"""Revisions of an article, and links to its draft."""

from typing import Annotated
from uuid import UUID

from insula.access import PUBLIC
from insula.db import Work
from insula.http.conditional import IfMatch, versioned
from insula.http.exchange import Caller, Exchange
from insula.http.origin import origin_of
from insula.markdown.diff import TextDiff
from insula.settings import Settings
from insula.tenancy.tenant import Tenant
from litestar import Response, delete, get, post
from litestar.params import PathParameter, QueryParameter

from insula_tenants.blog.errors import NotYourArticle
from insula_tenants.blog.permissions import WRITE
from insula_tenants.blog.schemas import Article, Preview, Revision, RevisionLine
from insula_tenants.blog.service import history as service

Number = Annotated[int, PathParameter(ge=1, le=1_000_000)]
Against = Annotated[int | None, QueryParameter(ge=1, le=1_000_000, required=False)]
Token = Annotated[str, PathParameter(max_length=100)]


@get("/articles/{article_id:uuid}/revisions", right=WRITE)
async def list_article_revisions(article_id: UUID, tx: Work, caller: Caller) -> list[RevisionLine]:
    """What the article said before, the latest first."""
    return await service.list_revisions(tx, article_id, caller)


@get("/articles/{article_id:uuid}/revisions/{revision:int}", right=WRITE)
async def get_article_revision(
    article_id: UUID, revision: Number, tx: Work, caller: Caller
) -> Revision:
    """The article as it was."""
    return await service.get_revision(tx, article_id, revision, caller)


@get("/articles/{article_id:uuid}/revisions/{revision:int}/diff", right=WRITE)
async def diff_article_revisions(
    article_id: UUID, revision: Number, tx: Work, caller: Caller, against: Against = None
) -> TextDiff:
    """What the revision changed; or what changed between ``against`` and it."""
    older = max(1, revision - 1) if against is None else against
    return await service.compare(tx, article_id, older, revision, caller)


@post(
    "/articles/{article_id:uuid}/revisions/{revision:int}/restore",
    right=WRITE,
    status_code=200,
    problems=(NotYourArticle,),
)
async def restore_article_revision(
    article_id: UUID, revision: Number, tx: Work, caller: Caller, if_match: IfMatch = None
) -> Response[Article]:
    """Make an old revision the newest one."""
    article = await service.restore(tx, article_id, revision, caller, if_match)
    return versioned(article, article.version)


@post("/articles/{article_id:uuid}/preview", right=WRITE, problems=(NotYourArticle,))
async def open_preview(
    article_id: UUID,
    tx: Work,
    caller: Caller,
    tenant: Tenant,
    exchange: Exchange,
    settings: Settings,
) -> Preview:
    """A link to the draft for people without an account; an earlier one stops working."""
    token = await service.open_preview(tx, article_id, caller)
    origin = origin_of(exchange, tenant, settings)
    return Preview(token, f"{origin}/api/v1/blog/previews/{token}")


@delete("/articles/{article_id:uuid}/preview", right=WRITE, problems=(NotYourArticle,))
async def close_preview(article_id: UUID, tx: Work, caller: Caller) -> None:
    """The link to the draft stops working at once."""
    await service.close_preview(tx, article_id, caller)


@get("/previews/{preview_token:str}", right=PUBLIC)
async def read_preview(preview_token: Token, tx: Work) -> Response[Article]:
    """The article that a preview link shows, whether it is published or not."""
    article = await service.read_preview(tx, preview_token)
    return Response(article, headers={"x-robots-tag": "noindex"})


ROUTES = (
    list_article_revisions, get_article_revision, diff_article_revisions,
    restore_article_revision, open_preview, close_preview, read_preview,
)  # fmt: skip
