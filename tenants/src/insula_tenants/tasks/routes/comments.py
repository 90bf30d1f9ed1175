"""Comments on a task."""

from typing import Any
from uuid import UUID

from insula.db import Work
from insula.http.conditional import IfMatch, versioned
from insula.http.exchange import Caller
from insula.http.listing import Page
from litestar import Request, Response, delete, get, patch, post

from insula_tenants.tasks.errors import NotYourComment
from insula_tenants.tasks.permissions import READ, WRITE
from insula_tenants.tasks.queries import around as queries
from insula_tenants.tasks.schemas.around import Comment, CommentWrite
from insula_tenants.tasks.service import comments as service
from insula_tenants.tasks.service.standing import watch


@get("/{task_id:uuid}/comments", right=READ, listing=queries.COMMENTS)
async def list_task_comments(
    task_id: UUID, request: Request[Any, Any, Any], tx: Work, caller: Caller
) -> Page[Comment]:
    """What was said about the task, the oldest first."""
    await watch(tx, task_id, caller.user_id)
    return await queries.COMMENTS.page(tx, request, task_id=task_id)


@post("/{task_id:uuid}/comments", right=WRITE)
async def add_task_comment(
    task_id: UUID, data: CommentWrite, tx: Work, caller: Caller
) -> Response[Comment]:
    """Say something about a task."""
    comment = await service.add(tx, task_id, data.body, caller.user_id)
    return versioned(comment, comment.version, 201)


@patch("/{task_id:uuid}/comments/{comment_id:uuid}", right=WRITE, problems=(NotYourComment,))
async def edit_task_comment(
    task_id: UUID,
    comment_id: UUID,
    data: CommentWrite,
    tx: Work,
    caller: Caller,
    if_match: IfMatch = None,
) -> Response[Comment]:
    """Change one's own comment."""
    comment = await service.edit(tx, task_id, comment_id, data.body, caller.user_id, if_match)
    return versioned(comment, comment.version)


@delete("/{task_id:uuid}/comments/{comment_id:uuid}", right=WRITE, problems=(NotYourComment,))
async def delete_task_comment(
    task_id: UUID, comment_id: UUID, tx: Work, caller: Caller, if_match: IfMatch = None
) -> None:
    """Delete one's own comment, or any as an owner of the project."""
    await service.delete(tx, task_id, comment_id, caller.user_id, if_match)


ROUTES = (list_task_comments, add_task_comment, edit_task_comment, delete_task_comment)
