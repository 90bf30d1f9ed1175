"""Comments."""

from datetime import datetime
from functools import cache
from uuid import UUID

import msgspec
from insula.db import Statement, binds
from insula.http.listing import Listing
from insula.identity.tables import UserRow
from sqlalchemy import (
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import aliased

from insula_tenants.blog import schemas
from insula_tenants.blog.queries.articles import PUBLIC, VIEWER, Source
from insula_tenants.blog.tables import BlogArticle, BlogAuthor, BlogComment


class Stored(msgspec.Struct):
    """A comment as it is changed: locked."""

    id: UUID
    number: int
    article_id: UUID
    parent_id: UUID | None
    depth: int
    author_id: UUID | None
    body: str
    status: schemas.CommentStatus
    version: int
    created_at: datetime


class Exported(msgspec.Struct):
    """A comment as other blogs want to have it."""

    id: UUID
    number: int
    parent: int | None
    author: str | None
    email: str | None
    body: str
    status: schemas.CommentStatus
    created_at: datetime


_STORED = (
    BlogComment.id, BlogComment.number, BlogComment.article_id, BlogComment.parent_id,
    BlogComment.depth, BlogComment.author_id, BlogComment.body, BlogComment.status,
    BlogComment.version, BlogComment.created_at,
)  # fmt: skip
_author = (
    select(BlogAuthor.username)
    .where(BlogAuthor.user_id == literal_column("blog_comments.author_id", Uuid()))
    .scalar_subquery()
)
_WHOLE = (
    BlogComment.id, BlogComment.article_id, BlogComment.parent_id, BlogComment.depth,
    _author.label("author"), BlogComment.guest, BlogComment.body, BlogComment.html,
    BlogComment.status, BlogComment.version, BlogComment.created_at, BlogComment.edited_at,
)  # fmt: skip
_answer = aliased(BlogComment)
_shown = or_(
    BlogComment.status == "approved",
    and_(BlogComment.author_id == VIEWER, BlogComment.status == "pending"),
)
# What isn't shown keeps its place while somebody has answered it.
_has_answer = exists().where(_answer.parent_id == BlogComment.id, _answer.status == "approved")

THREAD = Listing(
    select(
        BlogComment.id,
        BlogComment.article_id,
        BlogComment.parent_id,
        BlogComment.depth,
        case((_shown, _author), else_=None).label("author"),
        case((_shown, BlogComment.guest), else_=None).label("guest"),
        case((_shown, BlogComment.body), else_="").label("body"),
        case((_shown, BlogComment.html), else_="").label("html"),
        case((_shown, BlogComment.status), else_="deleted").label("status"),
        BlogComment.version,
        BlogComment.created_at,
        BlogComment.edited_at,
    ).where(BlogComment.article_id == bindparam("article_id"), or_(_shown, _has_answer)),
    schemas.Comment,
    key=BlogComment.id,
    sort={"created_at": BlogComment.created_at},
    default="created_at",
)
MODERATION = Listing(
    select(*_WHOLE).where(BlogComment.status != "deleted"),
    schemas.Comment,
    key=BlogComment.id,
    sort={"created_at": BlogComment.created_at},
    default="-created_at",
    filters={
        "status": BlogComment.status,
        "article_id": BlogComment.article_id,
        "author_id": BlogComment.author_id,
    },
)
GET = Statement(select(*_WHOLE).where(BlogComment.id == bindparam("id")), schemas.Comment)
GET_SHOWN = Statement(
    select(*_WHOLE)
    .join(BlogArticle, BlogArticle.id == BlogComment.article_id)
    .where(
        BlogComment.id == func.any(bindparam("ids", type_=ARRAY(Uuid))),
        BlogComment.status == "approved",
        PUBLIC,
    ),
    schemas.Comment,
)
LOCK = Statement(
    select(*_STORED).where(BlogComment.id == bindparam("id")).with_for_update(), Stored
)
LOCK_ALL = Statement(
    select(*_STORED)
    .where(BlogComment.id == func.any(bindparam("ids", type_=ARRAY(Uuid))))
    .order_by(BlogComment.id)
    .with_for_update(),
    Stored,
)
LOCK_BY_NUMBER = Statement(
    select(*_STORED)
    .where(
        BlogComment.number == bindparam("number"),
        BlogComment.article_id == bindparam("article_id"),
    )
    .with_for_update(),
    Stored,
)
INSERT = Statement(
    insert(BlogComment)
    .values(
        **binds(
            "id", "article_id", "parent_id", "depth", "author_id", "guest", "body", "html",
            "status", "source",
        ),
        created_at=func.coalesce(bindparam("created"), func.now()),
    )
    .returning(*_WHOLE),
    schemas.Comment,
)  # fmt: skip


@cache
def update_columns(names: tuple[str, ...], *, edited: bool) -> Statement[schemas.Comment]:
    counted = {"version": BlogComment.version + 1}
    if edited:
        counted["edited_at"] = func.now()  # type: ignore[assignment]
    return Statement(
        update(BlogComment)
        .where(BlogComment.id == bindparam("comment_id"))
        .values(**binds(*names), **counted)
        .returning(*_WHOLE),
        schemas.Comment,
    )


DELETE = Statement(delete(BlogComment).where(BlogComment.id == bindparam("comment_id")))
HAS_ANSWERS = Statement(
    select(func.count()).where(BlogComment.parent_id == bindparam("comment_id")), int
)
COUNT_APPROVED_OF = Statement(
    select(func.count()).where(
        BlogComment.author_id == bindparam("author_id"), BlogComment.status == "approved"
    ),
    int,
)
FIND_SOURCES = Statement(
    select(BlogComment.source, BlogComment.id).where(
        BlogComment.source == func.any(bindparam("sources", type_=ARRAY(Text)))
    ),
    Source,
)
_above = aliased(BlogComment)
EXPORTED = Statement(
    select(
        BlogComment.id,
        BlogComment.number,
        _above.number.label("parent"),
        func.coalesce(_author, BlogComment.guest).label("author"),
        UserRow.email,
        BlogComment.body,
        BlogComment.status,
        BlogComment.created_at,
    )
    .outerjoin(_above, _above.id == BlogComment.parent_id)
    .outerjoin(UserRow, UserRow.id == BlogComment.author_id)
    .where(BlogComment.article_id == bindparam("article_id"), BlogComment.status != "deleted")
    .order_by(BlogComment.number),
    Exported,
)
KNOWN_IDS = Statement(
    select(BlogComment.id).where(
        BlogComment.id == func.any(bindparam("ids", type_=ARRAY(Uuid))),
        BlogComment.article_id == bindparam("article_id"),
    ),
    UUID,
)
