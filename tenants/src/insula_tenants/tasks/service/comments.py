"""Comments on tasks. Whoever sees a task may comment on it, viewers included."""

from uuid import UUID

from insula.db import Work
from insula.db.ids import new_id
from insula.events import EventType, emit
from insula.http.conditional import require_match

from insula_tenants.tasks import events
from insula_tenants.tasks.errors import NotYourComment
from insula_tenants.tasks.queries import around as queries
from insula_tenants.tasks.schemas.around import Comment
from insula_tenants.tasks.service.standing import watch
from insula_tenants.tasks.service.telling import channel


async def add(tx: Work, task_id: UUID, body: str, user_id: UUID) -> Comment:
    task = await watch(tx, task_id, user_id)
    comment = await tx.one(
        queries.INSERT_COMMENT, id=new_id(), task_id=task_id, author_id=user_id, body=body.strip()
    )
    await _tell(tx, events.COMMENT_ADDED, comment, task.project_id, user_id)
    return comment


async def edit(
    tx: Work, task_id: UUID, comment_id: UUID, body: str, user_id: UUID, if_match: str | None
) -> Comment:
    """Change one's own comment.

    Raises:
        NotYourComment: somebody else wrote it.
    """
    await watch(tx, task_id, user_id)
    comment = await tx.one(queries.LOCK_COMMENT, id=comment_id, task_id=task_id)
    if comment.author_id != user_id:
        raise NotYourComment
    require_match(if_match, comment.version)
    return await tx.one(queries.UPDATE_COMMENT, comment_id=comment_id, body=body.strip())


async def delete(
    tx: Work, task_id: UUID, comment_id: UUID, user_id: UUID, if_match: str | None
) -> None:
    """Delete one's own comment, or as an owner of the project anybody's.

    Raises:
        NotYourComment: neither.
    """
    task = await watch(tx, task_id, user_id)
    comment = await tx.one(queries.LOCK_COMMENT, id=comment_id, task_id=task_id)
    if comment.author_id != user_id and task.role != "owner":
        raise NotYourComment
    require_match(if_match, comment.version)
    await tx.execute(queries.DELETE_COMMENT, comment_id=comment_id)
    await _tell(tx, events.COMMENT_DELETED, comment, task.project_id, user_id)


async def _tell(
    tx: Work,
    kind: EventType[events.CommentEvent],
    comment: Comment,
    project_id: UUID,
    actor: UUID,
) -> None:
    data = events.CommentEvent(comment.id, comment.task_id, project_id)
    subject, where = f"tasks/{comment.task_id}", (channel(project_id),)
    await emit(tx, kind, data, subject=subject, actor=actor, channels=where)
