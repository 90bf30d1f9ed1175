"""Authors, followers, favourites, and the blog's settings."""

from functools import cache
from uuid import UUID

import msgspec
from insula.db import Statement, binds
from insula.http.listing import Listing
from insula.identity.tables import UserRow
from sqlalchemy import bindparam, delete, exists, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert

from insula_tenants.blog import schemas
from insula_tenants.blog.queries.articles import PUBLIC, VIEWER
from insula_tenants.blog.tables import (
    BlogArticle,
    BlogAuthor,
    BlogFavourite,
    BlogFollow,
    BlogSettings,
)


class Named(msgspec.Struct):
    name: str
    email: str


class Known(msgspec.Struct):
    """An author and what their user says."""

    user_id: UUID
    username: str
    bio: str | None
    image: str | None
    email: str
    version: int


class Exported(msgspec.Struct):
    """An author as other blogs want to have it."""

    user_id: UUID
    username: str
    name: str
    email: str


_MINE = (BlogAuthor.username, BlogAuthor.bio, BlogAuthor.image, BlogAuthor.version)
_named = func.lower(BlogAuthor.username) == func.lower(bindparam("username"))

NAME_OF = Statement(select(UserRow.name, UserRow.email).where(UserRow.id == bindparam("id")), Named)
FIND_KNOWN = Statement(
    select(
        BlogAuthor.user_id,
        BlogAuthor.username,
        BlogAuthor.bio,
        BlogAuthor.image,
        UserRow.email,
        BlogAuthor.version,
    )
    .join(UserRow, UserRow.id == BlogAuthor.user_id)
    .where(BlogAuthor.user_id == bindparam("id")),
    Known,
)
BY_USERNAME = Statement(select(BlogAuthor.user_id).where(_named), UUID)
BY_EMAIL = Statement(select(UserRow.id).where(UserRow.email == bindparam("email")), UUID)
INSERT = Statement(
    insert(BlogAuthor)
    .values(**binds("user_id", "username"))
    .on_conflict_do_nothing()
    .returning(BlogAuthor.user_id),
    UUID,
)
GET_MINE = Statement(select(*_MINE).where(BlogAuthor.user_id == bindparam("id")), schemas.Profile)
LOCK_MINE = Statement(
    select(*_MINE).where(BlogAuthor.user_id == bindparam("id")).with_for_update(),
    schemas.Profile,
)


@cache
def update_columns(names: tuple[str, ...]) -> Statement[schemas.Profile]:
    return Statement(
        update(BlogAuthor)
        .where(BlogAuthor.user_id == bindparam("owner"))
        .values(**binds(*names), version=BlogAuthor.version + 1)
        .returning(*_MINE),
        schemas.Profile,
    )


_following = exists().where(
    BlogFollow.author_id == BlogAuthor.user_id, BlogFollow.follower_id == VIEWER
)
GET_AUTHOR = Statement(
    select(
        BlogAuthor.username,
        UserRow.name,
        BlogAuthor.bio,
        BlogAuthor.image,
        select(func.count())
        .where(BlogArticle.author_id == BlogAuthor.user_id, PUBLIC)
        .correlate(BlogAuthor)
        .scalar_subquery()
        .label("articles"),
        select(func.count())
        .where(BlogFollow.author_id == BlogAuthor.user_id)
        .correlate(BlogAuthor)
        .scalar_subquery()
        .label("followers"),
        _following.label("following"),
    )
    .join(UserRow, UserRow.id == BlogAuthor.user_id)
    .where(_named),
    schemas.Author,
)
AUTHORS = Listing(
    select(
        BlogAuthor.user_id,
        BlogAuthor.username,
        UserRow.name,
        BlogAuthor.bio,
        BlogAuthor.image,
        BlogAuthor.created_at,
    )
    .join(UserRow, UserRow.id == BlogAuthor.user_id)
    .where(
        exists().where(BlogArticle.author_id == BlogAuthor.user_id, PUBLIC).correlate(BlogAuthor)
    ),
    schemas.AuthorLine,
    key=BlogAuthor.user_id,
    sort={"username": BlogAuthor.username, "created_at": BlogAuthor.created_at},
    default="username",
)
FOLLOW = Statement(
    insert(BlogFollow).values(**binds("follower_id", "author_id")).on_conflict_do_nothing()
)
UNFOLLOW = Statement(
    delete(BlogFollow).where(
        BlogFollow.follower_id == bindparam("follower"), BlogFollow.author_id == bindparam("author")
    )
)
FAVOURITE = Statement(
    insert(BlogFavourite).values(**binds("article_id", "user_id")).on_conflict_do_nothing()
)
UNFAVOURITE = Statement(
    delete(BlogFavourite).where(
        BlogFavourite.article_id == bindparam("article"), BlogFavourite.user_id == bindparam("user")
    )
)
COUNT_FAVOURITES = Statement(
    select(
        func.count().label("favourites"),
        func.coalesce(func.bool_or(BlogFavourite.user_id == VIEWER), literal_column("false")).label(
            "favourited"
        ),
    ).where(BlogFavourite.article_id == bindparam("id")),
    schemas.Favourites,
)

# Settings

_SETTINGS = tuple(
    getattr(BlogSettings, field.name) for field in msgspec.structs.fields(schemas.Settings)
)
FIND_SETTINGS = Statement(select(*_SETTINGS), schemas.Settings)
LOCK_SETTINGS = Statement(select(*_SETTINGS).with_for_update(), schemas.Settings)
_NAMES = tuple(
    field.name for field in msgspec.structs.fields(schemas.Settings) if field.name != "version"
)
ADD_SETTINGS = Statement(
    insert(BlogSettings).values(id=literal_column("1"), **binds(*_NAMES)).on_conflict_do_nothing()
)
UPDATE_SETTINGS = Statement(
    update(BlogSettings)
    .values(**binds(*_NAMES), version=BlogSettings.version + 1)
    .returning(*_SETTINGS),
    schemas.Settings,
)
EXPORTED = Statement(
    select(BlogAuthor.user_id, BlogAuthor.username, UserRow.name, UserRow.email)
    .join(UserRow, UserRow.id == BlogAuthor.user_id)
    .where(exists().where(BlogArticle.author_id == BlogAuthor.user_id).correlate(BlogAuthor))
    .order_by(BlogAuthor.username),
    Exported,
)
