"""Comments: written, moderated, changed for a while, deleted without breaking their thread."""

import re
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from insula.db import RowNotFound, Work
from insula.db.ids import new_id
from insula.events import EventType, emit
from insula.http.conditional import require_match
from insula.http.exchange import Caller

from insula_tenants.blog.content import render
from insula_tenants.blog.errors import (
    CommentsClosed,
    EditWindowOver,
    NotYourComment,
    ThreadTooDeep,
)
from insula_tenants.blog.events import (
    COMMENT_APPROVED,
    COMMENT_CREATED,
    COMMENT_DELETED,
    CommentEvent,
)
from insula_tenants.blog.permissions import MANAGE
from insula_tenants.blog.queries import articles as article_queries
from insula_tenants.blog.queries import comments as queries
from insula_tenants.blog.schemas import (
    BulkModeration,
    Comment,
    CommentCreate,
    CommentStatus,
    CommentUpdate,
    Moderated,
    Settings,
    Verdict,
)
from insula_tenants.blog.service import settings as settings_service
from insula_tenants.blog.service.people import ensure_author

MAX_DEPTH = 20
_LINK = re.compile(r"https?://|www\.|\[[^\]]*\]\(", re.IGNORECASE)


async def create(tx: Work, article_id: UUID, new: CommentCreate, caller: Caller) -> Comment:
    """Comment on a public article, or answer another comment.

    Raises:
        CommentsClosed, ThreadTooDeep, RowNotFound: see there.
    """
    article = await tx.one(article_queries.GET_PUBLIC, id=article_id)
    settings = await settings_service.read(tx)
    if not (article.comments_open and settings.comments_open):
        raise CommentsClosed
    await ensure_author(tx, caller.user_id)
    parent = await _parent(tx, article_id, new.parent_id)
    comment = await tx.one(
        queries.INSERT,
        id=new_id(),
        article_id=article_id,
        parent_id=new.parent_id,
        depth=parent.depth + 1 if parent is not None else 0,
        author_id=caller.user_id,
        guest=None,
        body=new.body,
        html=render(new.body, "markdown"),
        status=await _first_status(tx, new.body, settings, caller),
        source=None,
        created=None,
    )
    notify = [article.author_id, parent.author_id if parent is not None else None]
    await _tell(tx, COMMENT_CREATED, comment, caller.user_id, caller.user_id, notify)
    return comment


async def _parent(tx: Work, article_id: UUID, parent_id: UUID | None) -> queries.Stored | None:
    if parent_id is None:
        return None
    parent = await tx.one(queries.LOCK, id=parent_id)
    if parent.article_id != article_id or parent.status != "approved":
        raise RowNotFound
    if parent.depth >= MAX_DEPTH:
        raise ThreadTooDeep
    return parent


async def _first_status(
    tx: Work, body: str, settings: Settings, caller: Caller
) -> Literal["approved", "pending", "spam"]:
    """What becomes of a comment before anybody has looked at it."""
    if MANAGE in caller.scopes:
        return "approved"
    folded = body.casefold()
    if any(word.casefold() in folded for word in settings.blocked_words):
        return "spam"
    if settings.moderation == "all" or len(_LINK.findall(body)) > settings.max_links:
        return "pending"
    if settings.moderation == "first":
        known = await tx.one(queries.COUNT_APPROVED_OF, author_id=caller.user_id)
        return "approved" if known else "pending"
    return "approved"


async def change(
    tx: Work, comment_id: UUID, update: CommentUpdate, caller: Caller, if_match: str | None
) -> Comment:
    """Change one's own comment while the blog allows it; a moderator may at any time.

    Raises:
        NotYourComment, EditWindowOver, PreconditionFailed: see there.
    """
    stored = await _lock(tx, comment_id, caller)
    require_match(if_match, stored.version)
    settings = await settings_service.read(tx)
    over = stored.created_at + timedelta(minutes=settings.edit_minutes) < datetime.now(UTC)
    if over and MANAGE not in caller.scopes:
        raise EditWindowOver
    status: CommentStatus = stored.status
    if status == "approved":  # or a harmless comment becomes an advertisement
        status = await _first_status(tx, update.body, settings, caller)
    return await tx.one(
        queries.update_columns(("body", "html", "status"), edited=True),
        comment_id=comment_id,
        body=update.body,
        html=render(update.body, "markdown"),
        status=status,
    )


async def _lock(tx: Work, comment_id: UUID, caller: Caller) -> queries.Stored:
    stored = await tx.one(queries.LOCK, id=comment_id)
    if stored.status == "deleted":
        raise RowNotFound
    if stored.author_id != caller.user_id and MANAGE not in caller.scopes:
        raise NotYourComment
    return stored


async def delete(tx: Work, comment_id: UUID, caller: Caller) -> None:
    """Delete a comment; where somebody answered it, its place in the thread stays."""
    await remove(tx, await _lock(tx, comment_id, caller), caller.user_id)


async def remove(tx: Work, stored: queries.Stored, actor: UUID) -> None:
    comment = await tx.one(queries.GET, id=stored.id)
    if await tx.one(queries.HAS_ANSWERS, comment_id=stored.id):
        await tx.one(
            queries.update_columns(("author_id", "body", "guest", "html", "status"), edited=False),
            comment_id=stored.id,
            author_id=None,
            body="",
            guest=None,
            html="",
            status="deleted",
        )
    else:
        await tx.execute(queries.DELETE, comment_id=stored.id)
    await _tell(tx, COMMENT_DELETED, comment, stored.author_id, actor, [])


async def moderate(tx: Work, comment_id: UUID, status: Verdict, actor: UUID) -> Comment:
    """Say what becomes of a comment; again as often as one likes."""
    stored = await tx.one(queries.LOCK, id=comment_id)
    if stored.status == "deleted":
        raise RowNotFound
    await _decide(tx, stored, status, actor)
    return await tx.one(queries.GET, id=comment_id)


async def moderate_all(tx: Work, wish: BulkModeration, actor: UUID) -> list[Moderated]:
    """The same for many, each with its outcome."""
    ids = list(dict.fromkeys(wish.ids))
    found = {stored.id: stored for stored in await tx.many(queries.LOCK_ALL, ids=ids)}
    outcomes = []
    for comment_id in ids:
        stored = found.get(comment_id)
        if stored is None or stored.status == "deleted":
            outcomes.append(Moderated(comment_id, "not_found"))
        else:
            changed = await _decide(tx, stored, wish.status, actor)
            outcomes.append(Moderated(comment_id, "changed" if changed else "unchanged"))
    return outcomes


async def _decide(tx: Work, stored: queries.Stored, status: Verdict, actor: UUID) -> bool:
    if stored.status == status:
        return False
    statement = queries.update_columns(("status",), edited=False)
    comment = await tx.one(statement, comment_id=stored.id, status=status)
    if status == "approved":
        article = await tx.one(article_queries.GET, id=stored.article_id)
        notify = [article.author_id, stored.author_id]
        await _tell(tx, COMMENT_APPROVED, comment, stored.author_id, actor, notify)
    return True


async def _tell(
    tx: Work,
    kind: EventType[CommentEvent],
    comment: Comment,
    author_id: UUID | None,
    actor: UUID,
    notify: list[UUID | None],
) -> None:
    concerned = [each for each in dict.fromkeys(notify) if each is not None and each != actor]
    event = CommentEvent(
        comment.id, comment.article_id, comment.parent_id, author_id, comment.status, concerned
    )
    channels = (f"blog/{comment.article_id}",) if comment.status == "approved" else ()
    await emit(
        tx, kind, event, subject=f"articles/{comment.article_id}", actor=actor, channels=channels
    )
