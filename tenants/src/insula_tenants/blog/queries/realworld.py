"""Articles, comments and profiles in the shape of the RealWorld API."""

from datetime import datetime

import msgspec
from insula.db import Statement
from sqlalchemy import (
    Boolean,
    ColumnElement,
    Integer,
    Text,
    and_,
    any_,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.orm import aliased

from insula_tenants.blog.queries.articles import PUBLIC, VIEWER, favourited, favourites
from insula_tenants.blog.tables import (
    BlogArticle,
    BlogAuthor,
    BlogComment,
    BlogFavourite,
    BlogFollow,
)


class ArticleRow(msgspec.Struct):
    slug: str
    title: str
    summary: str
    tags: list[str]
    created_at: datetime
    updated_at: datetime
    favorited: bool
    favorites: int
    username: str
    bio: str | None
    image: str | None
    following: bool
    body: str = ""


class CommentRow(msgspec.Struct):
    number: int
    created_at: datetime
    edited_at: datetime | None
    body: str
    username: str
    bio: str | None
    image: str | None
    following: bool


class ProfileRow(msgspec.Struct):
    username: str
    bio: str | None
    image: str | None
    following: bool


_following = (
    exists()
    .where(BlogFollow.author_id == BlogAuthor.user_id, BlogFollow.follower_id == VIEWER)
    .correlate(BlogAuthor)
)
_AUTHOR = (BlogAuthor.username, BlogAuthor.bio, BlogAuthor.image, _following.label("following"))
_LINE = (
    BlogArticle.slug,
    BlogArticle.title,
    BlogArticle.summary,
    BlogArticle.tags,
    func.coalesce(BlogArticle.published_at, BlogArticle.created_at).label("created_at"),
    BlogArticle.updated_at,
    favourited.label("favorited"),
    favourites.label("favorites"),
    *_AUTHOR,
)
_fan = aliased(BlogAuthor)


def _text(name: str) -> ColumnElement[str]:
    return bindparam(name, type_=Text)


_same = func.lower(BlogAuthor.username) == func.lower(_text("author"))
_by_fan = exists().where(
    BlogFavourite.article_id == BlogArticle.id,
    BlogFavourite.user_id == _fan.user_id,
    func.lower(_fan.username) == func.lower(_text("favorited_by")),
).correlate(BlogArticle)  # fmt: skip
_followed = (
    exists()
    .where(BlogFollow.author_id == BlogArticle.author_id, BlogFollow.follower_id == VIEWER)
    .correlate(BlogArticle)
)
_wanted = and_(
    PUBLIC,
    or_(_text("tag").is_(None), _text("tag") == any_(BlogArticle.tags)),
    or_(_text("author").is_(None), _same),
    or_(_text("favorited_by").is_(None), _by_fan),
    or_(~bindparam("feed", type_=Boolean), _followed),
)
_join = BlogAuthor.user_id == BlogArticle.author_id
LIST = Statement(
    select(*_LINE)
    .join(BlogAuthor, _join)
    .where(_wanted)
    .order_by(BlogArticle.published_at.desc(), BlogArticle.id.desc())
    .limit(bindparam("count", type_=Integer))
    .offset(bindparam("skip", type_=Integer)),
    ArticleRow,
)
COUNT = Statement(select(func.count(BlogArticle.id)).join(BlogAuthor, _join).where(_wanted), int)
GET = Statement(
    select(*_LINE, BlogArticle.body)
    .join(BlogAuthor, _join)
    .where(BlogArticle.id == bindparam("id")),
    ArticleRow,
)
PROFILE = Statement(
    select(*_AUTHOR).where(
        func.lower(BlogAuthor.username) == func.lower(bindparam("username", type_=Text))
    ),
    ProfileRow,
)
_COMMENT = (
    BlogComment.number,
    BlogComment.created_at,
    BlogComment.edited_at,
    BlogComment.body,
    *_AUTHOR,
)
COMMENTS = Statement(
    select(*_COMMENT)
    .join(BlogAuthor, BlogAuthor.user_id == BlogComment.author_id)
    .where(BlogComment.article_id == bindparam("article_id"), BlogComment.status == "approved")
    .order_by(BlogComment.created_at.desc(), BlogComment.number.desc())
    .limit(literal_column("1000")),
    CommentRow,
)
COMMENT = Statement(
    select(*_COMMENT)
    .join(BlogAuthor, BlogAuthor.user_id == BlogComment.author_id)
    .where(BlogComment.id == bindparam("id")),
    CommentRow,
)
