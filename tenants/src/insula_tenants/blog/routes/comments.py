"""Comments and their moderation."""

from typing import Any
from uuid import UUID

from insula.access import PUBLIC, SIGNED_IN
from insula.db import RowNotFound, Work
from insula.http.conditional import IfMatch, versioned
from insula.http.exchange import Caller
from insula.http.listing import Page
from litestar import Request, Response, delete, get, patch, post, put

from insula_tenants.blog.errors import (
    CommentsClosed,
    EditWindowOver,
    NotYourComment,
    ThreadTooDeep,
)
from insula_tenants.blog.permissions import MANAGE
from insula_tenants.blog.queries import articles as article_queries
from insula_tenants.blog.queries import comments as queries
from insula_tenants.blog.routes.articles import viewer
from insula_tenants.blog.schemas import (
    BulkModeration,
    Comment,
    CommentCreate,
    CommentUpdate,
    Moderated,
    Moderation,
)
from insula_tenants.blog.service import comments as service


@get("/articles/{article_id:uuid}/comments", right=PUBLIC, listing=queries.THREAD)
async def list_comments(
    article_id: UUID, request: Request[Any, Any, Any], tx: Work, caller: Caller | None
) -> Page[Comment]:
    """The article's comments, the oldest first; ``parent_id`` makes threads of them. Your own
    show while they wait for a moderator."""
    if await tx.find(article_queries.IS_PUBLIC, id=article_id) is None:
        raise RowNotFound
    return await queries.THREAD.page(tx, request, article_id=article_id, viewer=viewer(caller))


@post(
    "/articles/{article_id:uuid}/comments",
    right=SIGNED_IN,
    problems=(CommentsClosed, ThreadTooDeep),
)
async def create_comment(
    article_id: UUID, data: CommentCreate, tx: Work, caller: Caller
) -> Response[Comment]:
    """Comment on an article, or answer a comment. ``status`` says whether it waits."""
    comment = await service.create(tx, article_id, data, caller)
    return versioned(comment, comment.version, 201)


@patch("/comments/{comment_id:uuid}", right=SIGNED_IN, problems=(NotYourComment, EditWindowOver))
async def update_comment(
    comment_id: UUID, data: CommentUpdate, tx: Work, caller: Caller, if_match: IfMatch = None
) -> Response[Comment]:
    """Change your comment, shortly after you wrote it."""
    comment = await service.change(tx, comment_id, data, caller, if_match)
    return versioned(comment, comment.version)


@delete("/comments/{comment_id:uuid}", right=SIGNED_IN, problems=(NotYourComment,))
async def delete_comment(comment_id: UUID, tx: Work, caller: Caller) -> None:
    """Delete your comment; answers to it stay."""
    await service.delete(tx, comment_id, caller)


@get("/comments", right=MANAGE, listing=queries.MODERATION)
async def list_all_comments(request: Request[Any, Any, Any], tx: Work) -> Page[Comment]:
    """All comments, the newest first; ``?status=pending`` are those that wait for you."""
    return await queries.MODERATION.page(tx, request)


@put("/comments/{comment_id:uuid}/status", right=MANAGE)
async def moderate_comment(comment_id: UUID, data: Moderation, tx: Work, caller: Caller) -> Comment:
    """Approve a comment, reject it, or call it spam."""
    return await service.moderate(tx, comment_id, data.status, caller.user_id)


@post("/comments/moderate", right=MANAGE, status_code=200)
async def moderate_comments(data: BulkModeration, tx: Work, caller: Caller) -> list[Moderated]:
    """The same for up to a hundred comments, each with its outcome."""
    return await service.moderate_all(tx, data, caller.user_id)


ROUTES = (
    list_comments, create_comment, update_comment, delete_comment, list_all_comments,
    moderate_comment, moderate_comments,
)  # fmt: skip
