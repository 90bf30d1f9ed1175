"""What happens in the blog, as others hear of it."""

from datetime import datetime
from uuid import UUID

import msgspec
from insula.events import EventType


class ArticleEvent(msgspec.Struct, frozen=True):
    id: UUID
    slug: str
    title: str
    author_id: UUID
    published_at: datetime | None
    tags: list[str]


class CommentEvent(msgspec.Struct, frozen=True):
    id: UUID
    article_id: UUID
    parent_id: UUID | None
    author_id: UUID | None
    status: str
    notify: list[UUID]
    """Whom it concerns: the article's author, and that of the comment it answers."""


class FollowEvent(msgspec.Struct, frozen=True):
    author_id: UUID
    follower_id: UUID


ARTICLE_PUBLISHED = EventType("blog.article.published", ArticleEvent, "An article went public.")
ARTICLE_UPDATED = EventType("blog.article.updated", ArticleEvent, "A public article was changed.")
ARTICLE_UNPUBLISHED = EventType(
    "blog.article.unpublished", ArticleEvent, "An article is not public any more."
)
ARTICLE_DELETED = EventType("blog.article.deleted", ArticleEvent, "An article was deleted.")
COMMENT_CREATED = EventType(
    "blog.comment.created", CommentEvent, "Somebody commented; it may wait for a moderator."
)
COMMENT_APPROVED = EventType(
    "blog.comment.approved", CommentEvent, "A moderator let a comment through."
)
COMMENT_DELETED = EventType("blog.comment.deleted", CommentEvent, "A comment was deleted.")
AUTHOR_FOLLOWED = EventType("blog.author.followed", FollowEvent, "Somebody follows an author.")

EVENTS = (
    ARTICLE_PUBLISHED, ARTICLE_UPDATED, ARTICLE_UNPUBLISHED, ARTICLE_DELETED, COMMENT_CREATED,
    COMMENT_APPROVED, COMMENT_DELETED, AUTHOR_FOLLOWED,
)  # fmt: skip
