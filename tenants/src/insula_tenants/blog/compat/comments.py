"""``/articles/{slug}/comments``."""

from typing import Annotated

from insula.access import PUBLIC, SIGNED_IN
from insula.db import RowNotFound, Work
from insula.http.exchange import Caller
from litestar import delete, get, post
from litestar.params import PathParameter

from insula_tenants.blog.compat.articles import SlugPath, find, profile, viewer
from insula_tenants.blog.compat.dialect import Missing
from insula_tenants.blog.compat.schemas import (
    Comment,
    CommentAnswer,
    CommentsAnswer,
    NewCommentRequest,
    timestamp,
)
from insula_tenants.blog.errors import CommentsClosed, NotYourComment
from insula_tenants.blog.permissions import MANAGE
from insula_tenants.blog.queries import comments as queries
from insula_tenants.blog.queries import realworld
from insula_tenants.blog.schemas import CommentCreate
from insula_tenants.blog.service import comments as service

Number = Annotated[int, PathParameter(ge=1, le=2**53)]


def _comment(row: realworld.CommentRow) -> Comment:
    return Comment(
        id=row.number,
        created_at=timestamp(row.created_at),
        updated_at=timestamp(row.edited_at or row.created_at),
        body=row.body,
        author=profile(row),
    )


@get("/articles/{slug:str}/comments", right=PUBLIC, problems=(Missing,))
async def realworld_list_comments(
    slug: SlugPath, tx: Work, caller: Caller | None
) -> CommentsAnswer:
    """The comments that are shown, the newest first."""
    article_id = await find(tx, slug, caller)
    rows = await tx.many(realworld.COMMENTS, article_id=article_id, viewer=viewer(caller))
    return CommentsAnswer(comments=[_comment(row) for row in rows])


@post("/articles/{slug:str}/comments", right=SIGNED_IN, problems=(Missing, CommentsClosed))
async def realworld_create_comment(
    slug: SlugPath, data: NewCommentRequest, tx: Work, caller: Caller
) -> CommentAnswer:
    """Comment on an article; it may wait for a moderator before others see it."""
    article_id = await find(tx, slug, caller)
    try:
        made = await service.create(tx, article_id, CommentCreate(body=data.comment.body), caller)
    except RowNotFound as error:  # one's own draft
        raise Missing("article") from error
    row = await tx.one(realworld.COMMENT, id=made.id, viewer=caller.user_id)
    return CommentAnswer(comment=_comment(row))


@delete(
    "/articles/{slug:str}/comments/{comment_id:int}",
    right=SIGNED_IN,
    problems=(Missing, NotYourComment),
)
async def realworld_delete_comment(
    slug: SlugPath, comment_id: Number, tx: Work, caller: Caller
) -> None:
    """Delete a comment of one's own."""
    article_id = await find(tx, slug, caller)
    stored = await tx.find(queries.LOCK_BY_NUMBER, number=comment_id, article_id=article_id)
    if stored is None or stored.status == "deleted":
        raise Missing("comment")
    if stored.author_id != caller.user_id and MANAGE not in caller.scopes:
        raise NotYourComment
    await service.remove(tx, stored, caller.user_id)


ROUTES = (realworld_list_comments, realworld_create_comment, realworld_delete_comment)
