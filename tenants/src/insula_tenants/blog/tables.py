"""The tables of the blog."""

from datetime import datetime
from typing import Any
from uuid import UUID

from insula.db import TenantTable
from insula.db.marks import SHORT, person, personal, written
from insula.search import searchable
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column


class BlogAuthor(TenantTable):
    """Who a user is to readers; made when they first write, comment, favourite or follow."""

    __tablename__ = "blog_authors"
    __table_args__ = (Index("uq_blog_authors_username", text("lower(username)"), unique=True),)

    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), info=person("keep"), primary_key=True
    )
    username: Mapped[str] = mapped_column(info=personal(of="user_id", blank="'erased-' || user_id"))
    bio: Mapped[str | None] = mapped_column(info=personal(of="user_id"))
    image: Mapped[str | None] = mapped_column(info=personal(of="user_id"))
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class BlogArticle(TenantTable):
    __tablename__ = "blog_articles"
    __table_args__ = (
        CheckConstraint("status in ('draft', 'scheduled', 'published')", name="status"),
        CheckConstraint("format in ('markdown', 'html')", name="format"),
        Index("ix_blog_articles_tags", "tags", postgresql_using="gin"),
        Index("ix_blog_articles_published", "published_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    author_id: Mapped[UUID] = mapped_column(
        ForeignKey("blog_authors.user_id", ondelete="CASCADE"), info=person("content"), index=True
    )
    slug: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    summary: Mapped[str]
    body: Mapped[str]
    format: Mapped[str] = mapped_column(server_default="markdown")
    html: Mapped[str]  # body rendered, safe to show
    tags: Mapped[list[str]]
    status: Mapped[str] = mapped_column(server_default="draft")
    published_at: Mapped[datetime | None]  # for a scheduled article, when it will be
    unpublish_at: Mapped[datetime | None]
    comments_open: Mapped[bool] = mapped_column(server_default=text("true"))
    cover_file_id: Mapped[UUID | None]  # a file of the files service; it may be gone
    cover_url: Mapped[str | None]
    meta_title: Mapped[str | None]
    meta_description: Mapped[str | None]
    canonical_url: Mapped[str | None]
    custom: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    source: Mapped[str | None] = mapped_column(unique=True)  # what it was imported from
    preview_digest: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    revision: Mapped[int] = mapped_column(server_default="1")  # counts changes of what is read
    version: Mapped[int] = mapped_column(server_default="1")  # counts every change
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    search: Mapped[str] = searchable(A="title", B="summary", C="body")


class BlogSlug(TenantTable):
    """Every slug that an article has or had: an old address leads on for ever."""

    __tablename__ = "blog_slugs"
    __table_args__ = ({"info": SHORT},)

    slug: Mapped[str] = mapped_column(primary_key=True)
    article_id: Mapped[UUID] = mapped_column(
        ForeignKey("blog_articles.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class BlogRevision(TenantTable):
    __tablename__ = "blog_revisions"

    article_id: Mapped[UUID] = mapped_column(
        ForeignKey("blog_articles.id", ondelete="CASCADE"), primary_key=True
    )
    revision: Mapped[int] = mapped_column(primary_key=True)
    editor_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("users.id", ondelete="SET NULL"), info=person("content"), index=True
    )
    title: Mapped[str]
    summary: Mapped[str]
    body: Mapped[str]
    format: Mapped[str]
    tags: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class BlogComment(TenantTable):
    __tablename__ = "blog_comments"
    __table_args__ = (
        CheckConstraint(
            "status in ('pending', 'approved', 'rejected', 'spam', 'deleted')", name="status"
        ),
        Index("ix_blog_comments_article", "article_id", "created_at"),
        Index("ix_blog_comments_status", "status", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    article_id: Mapped[UUID] = mapped_column(ForeignKey("blog_articles.id", ondelete="CASCADE"))
    parent_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("blog_comments.id", ondelete="CASCADE"), index=True
    )
    depth: Mapped[int] = mapped_column(server_default="0")
    author_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("blog_authors.user_id", ondelete="CASCADE"), info=person("content"), index=True
    )
    guest: Mapped[str | None]  # the name of somebody without an account, in an imported comment
    # Others may have answered it: it is emptied and stays in its place.
    body: Mapped[str] = mapped_column(info=written(of="author_id", blank="''"))
    html: Mapped[str] = mapped_column(info=written(of="author_id", blank="''"))
    status: Mapped[str] = mapped_column(info=written(of="author_id", blank="'deleted'"))
    source: Mapped[str | None] = mapped_column(unique=True)
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    edited_at: Mapped[datetime | None]


class BlogFavourite(TenantTable):
    __tablename__ = "blog_favourites"

    article_id: Mapped[UUID] = mapped_column(
        ForeignKey("blog_articles.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("blog_authors.user_id", ondelete="CASCADE"),
        info=person("delete"),
        primary_key=True,
        index=True,
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class BlogFollow(TenantTable):
    __tablename__ = "blog_follows"

    follower_id: Mapped[UUID] = mapped_column(
        ForeignKey("blog_authors.user_id", ondelete="CASCADE"),
        info=person("delete"),
        primary_key=True,
    )
    author_id: Mapped[UUID] = mapped_column(
        ForeignKey("blog_authors.user_id", ondelete="CASCADE"),
        info=person("delete"),
        primary_key=True,
        index=True,
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class BlogSettings(TenantTable):
    """One row, once somebody has changed a setting."""

    __tablename__ = "blog_settings"
    __table_args__ = (
        CheckConstraint("id = 1", name="single"),
        CheckConstraint("moderation in ('none', 'first', 'all')", name="moderation"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    title: Mapped[str]
    description: Mapped[str]
    site_url: Mapped[str | None]
    language: Mapped[str]
    community: Mapped[bool]
    comments_open: Mapped[bool]
    moderation: Mapped[str]
    max_links: Mapped[int]
    blocked_words: Mapped[list[str]]
    edit_minutes: Mapped[int]
    version: Mapped[int] = mapped_column(server_default="1")
