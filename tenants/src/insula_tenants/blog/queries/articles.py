"""Articles, their slugs and revisions."""

from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import msgspec
from insula.db import Statement, binds
from insula.http.listing import Listing
from sqlalchemy import (
    ColumnElement,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from insula_tenants.blog import schemas
from insula_tenants.blog.tables import (
    BlogArticle,
    BlogAuthor,
    BlogComment,
    BlogFavourite,
    BlogFollow,
    BlogRevision,
    BlogSlug,
)

# By the clock and not by the job alone: readers see what is due even while no worker runs.
PUBLIC = and_(
    or_(
        BlogArticle.status == "published",
        and_(BlogArticle.status == "scheduled", BlogArticle.published_at <= func.now()),
    ),
    or_(BlogArticle.unpublish_at.is_(None), BlogArticle.unpublish_at > func.now()),
)
VIEWER: ColumnElement[UUID] = bindparam("viewer", type_=Uuid)
"""Who looks; NULL for somebody who is not signed in."""


class Source(msgspec.Struct):
    """What something was imported from, and what it has become."""

    source: str
    id: UUID


class Exported(schemas.Article):
    """An article as other blogs want to have it."""

    source: str | None = None
    slugs: list[str] = msgspec.field(default_factory=list)


class Stored(msgspec.Struct):
    """An article as it is changed: locked."""

    id: UUID
    author_id: UUID
    slug: str
    title: str
    summary: str
    body: str
    format: schemas.Format
    tags: list[str]
    status: schemas.Status
    published_at: datetime | None
    unpublish_at: datetime | None
    revision: int
    version: int


_STORED = (
    BlogArticle.id, BlogArticle.author_id, BlogArticle.slug, BlogArticle.title,
    BlogArticle.summary, BlogArticle.body, BlogArticle.format, BlogArticle.tags,
    BlogArticle.status, BlogArticle.published_at, BlogArticle.unpublish_at, BlogArticle.revision,
    BlogArticle.version,
)  # fmt: skip
_author = (
    select(BlogAuthor.username)
    # As text: in RETURNING, SQLAlchemy would not correlate but join the whole table.
    .where(BlogAuthor.user_id == literal_column("blog_articles.author_id", Uuid()))
    .scalar_subquery()
    .label("author")
)
_cover = func.coalesce(
    BlogArticle.cover_url,
    case(
        (
            BlogArticle.cover_file_id.is_not(None),
            func.concat("/api/v1/blog/articles/", BlogArticle.id, "/cover"),
        )
    ),
).label("cover")
_WHOLE = (
    BlogArticle.id, BlogArticle.slug, BlogArticle.title, BlogArticle.summary, BlogArticle.body,
    BlogArticle.format, BlogArticle.html, BlogArticle.tags, BlogArticle.status,
    BlogArticle.published_at, BlogArticle.unpublish_at, BlogArticle.comments_open,
    BlogArticle.cover_file_id, BlogArticle.cover_url, _cover, BlogArticle.meta_title,
    BlogArticle.meta_description, BlogArticle.canonical_url, BlogArticle.custom,
    BlogArticle.author_id, _author, BlogArticle.revision, BlogArticle.version,
    BlogArticle.created_at, BlogArticle.updated_at,
)  # fmt: skip
favourites = (
    select(func.count())
    .where(BlogFavourite.article_id == BlogArticle.id)
    .correlate(BlogArticle)
    .scalar_subquery()
)
favourited = (
    exists()
    .where(BlogFavourite.article_id == BlogArticle.id, BlogFavourite.user_id == VIEWER)
    .correlate(BlogArticle)
)
_comments = (
    select(func.count())
    .where(BlogComment.article_id == BlogArticle.id, BlogComment.status == "approved")
    .correlate(BlogArticle)
    .scalar_subquery()
)
_LINE = (
    BlogArticle.id, BlogArticle.slug, BlogArticle.title, BlogArticle.summary, BlogArticle.tags,
    BlogArticle.status, BlogArticle.published_at, BlogArticle.cover_file_id,
    BlogArticle.cover_url, _cover, BlogArticle.author_id, _author, BlogArticle.created_at,
    BlogArticle.updated_at, favourites.label("favourites"), favourited.label("favourited"),
    _comments.label("comments"),
)  # fmt: skip
_FILTERS: dict[str, Any] = {
    "tag": BlogArticle.tags,
    "author_id": BlogArticle.author_id,
    "slug": BlogArticle.slug,
    "published_at": BlogArticle.published_at,
    "updated_at": BlogArticle.updated_at,
}
_SORT = {
    "published_at": BlogArticle.published_at,
    "updated_at": BlogArticle.updated_at,
    "title": BlogArticle.title,
}


def _listing(*conditions: ColumnElement[bool]) -> Listing[schemas.ArticleLine]:
    return Listing(
        select(*_LINE).where(PUBLIC, *conditions),
        schemas.ArticleLine,
        key=BlogArticle.id,
        sort=_SORT,
        default="-published_at",
        filters=_FILTERS,
        search=BlogArticle.search,
    )


LIST = _listing()
FEED = _listing(
    exists().where(BlogFollow.author_id == BlogArticle.author_id, BlogFollow.follower_id == VIEWER)
)
FAVOURITES = _listing(favourited)
UNPUBLISHED = Listing(
    select(*_LINE).where(
        ~PUBLIC, or_(BlogArticle.author_id == VIEWER, bindparam("all", type_=true().type))
    ),
    schemas.ArticleLine,
    key=BlogArticle.id,
    sort={"updated_at": BlogArticle.updated_at, "title": BlogArticle.title},
    default="-updated_at",
    filters={"tag": BlogArticle.tags, "status": BlogArticle.status},
    search=BlogArticle.search,
)

_by_id = BlogArticle.id == bindparam("id")
GET = Statement(select(*_WHOLE).where(_by_id), schemas.Article)
GET_MANY = Statement(
    select(*_WHOLE).where(BlogArticle.id == func.any(bindparam("ids", type_=ARRAY(Uuid)))),
    schemas.Article,
)
GET_PUBLIC = Statement(select(*_WHOLE).where(_by_id, PUBLIC), schemas.Article)
IS_PUBLIC = Statement(select(literal_column("true")).where(_by_id, PUBLIC), bool)
LOCK = Statement(select(*_STORED).where(_by_id).with_for_update(), Stored)
PLANNED = Statement(
    select(*_STORED).where(
        or_(BlogArticle.status == "scheduled", BlogArticle.unpublish_at.is_not(None))
    ),
    Stored,
)
FIND_BY_SLUG = Statement(
    select(*_WHOLE)
    .join(BlogSlug, BlogSlug.article_id == BlogArticle.id)
    .where(BlogSlug.slug == bindparam("slug")),
    schemas.Article,
)
ID_BY_SLUG = Statement(select(BlogArticle.id).where(BlogArticle.slug == bindparam("slug")), UUID)
FIND_PREVIEW = Statement(
    select(*_WHOLE).where(BlogArticle.preview_digest == bindparam("digest")), schemas.Article
)
FIND_SOURCES = Statement(
    select(BlogArticle.source, BlogArticle.id).where(
        BlogArticle.source == func.any(bindparam("sources", type_=ARRAY(Text)))
    ),
    Source,
)

COLUMNS = (
    "id", "author_id", "slug", "title", "summary", "body", "format", "html", "tags", "status",
    "published_at", "unpublish_at", "comments_open", "cover_file_id", "cover_url", "meta_title",
    "meta_description", "canonical_url", "custom", "source",
)  # fmt: skip
INSERT = Statement(
    insert(BlogArticle)
    .values(
        **binds(*COLUMNS),
        created_at=func.coalesce(bindparam("created"), func.now()),
        updated_at=func.coalesce(bindparam("updated"), func.now()),
    )
    .returning(*_WHOLE),
    schemas.Article,
)
DELETE = Statement(delete(BlogArticle).where(BlogArticle.id == bindparam("article_id")))


@cache
def update_columns(names: tuple[str, ...]) -> Statement[schemas.Article]:
    """An update of just these columns."""
    counted = {"version": BlogArticle.version + 1, "updated_at": func.now()}
    return Statement(
        update(BlogArticle)
        .where(BlogArticle.id == bindparam("article_id"))
        .values(**binds(*names), **counted)
        .returning(*_WHOLE),
        schemas.Article,
    )


SET_PREVIEW = Statement(
    update(BlogArticle)
    .where(BlogArticle.id == bindparam("article_id"))
    .values(preview_digest=bindparam("digest"))
)
TOUCH_OF_AUTHOR = Statement(
    update(BlogArticle)
    .where(BlogArticle.author_id == bindparam("owner"))
    .values(version=BlogArticle.version + 1)
)
_tags = select(func.unnest(BlogArticle.tags).label("tag")).where(PUBLIC).subquery("tagged")
TAGS = Statement(
    select(_tags.c.tag, func.count().label("articles"))
    .group_by(_tags.c.tag)
    .order_by(func.count().desc(), _tags.c.tag)
    .limit(literal_column("1000")),
    schemas.TagCount,
)
SITEMAP = Statement(
    select(*_LINE)
    .where(PUBLIC)
    .order_by(BlogArticle.published_at.desc())
    .limit(literal_column("50000")),
    schemas.ArticleLine,
)
RECENT = Statement(
    select(*_WHOLE)
    .where(
        PUBLIC,
        or_(
            bindparam("tag", type_=Text).is_(None),
            bindparam("tag", type_=Text) == any_(BlogArticle.tags),
        ),
        or_(bindparam("author", type_=Text).is_(None), _author == bindparam("author", type_=Text)),
    )
    .order_by(BlogArticle.published_at.desc(), BlogArticle.id.desc())
    .limit(literal_column("30")),
    schemas.Article,
)
_slugs = (
    select(func.array_agg(BlogSlug.slug))
    .where(BlogSlug.article_id == literal_column("blog_articles.id", Uuid()))
    .scalar_subquery()
)
EVERYTHING = Statement(
    select(*_WHOLE, BlogArticle.source, _slugs.label("slugs")).order_by(BlogArticle.id), Exported
)
KNOWN_IDS = Statement(
    select(BlogArticle.id).where(BlogArticle.id == func.any(bindparam("ids", type_=ARRAY(Uuid)))),
    UUID,
)
COUNT = Statement(select(func.count()).select_from(BlogArticle), int)

# Slugs

KNOWN_SLUGS = Statement(
    select(BlogSlug.slug).where(
        BlogSlug.slug == func.any(bindparam("slugs", type_=ARRAY(Text))),
        BlogSlug.article_id != bindparam("article_id"),
    ),
    str,
)
KEEP_SLUG = Statement(
    insert(BlogSlug).values(**binds("slug", "article_id")),
)
OWN_SLUG = Statement(select(BlogSlug.article_id).where(BlogSlug.slug == bindparam("slug")), UUID)

# Revisions

INSERT_REVISION = Statement(
    insert(BlogRevision).values(
        **binds("article_id", "revision", "editor_id", "title", "summary", "body", "format", "tags")
    )
)
LIST_REVISIONS = Statement(
    select(
        BlogRevision.revision, BlogRevision.title, BlogRevision.editor_id, BlogRevision.created_at
    )
    .where(BlogRevision.article_id == bindparam("id"))
    .order_by(BlogRevision.revision.desc())
    .limit(literal_column("1000")),
    schemas.RevisionLine,
)
GET_REVISION = Statement(
    select(
        BlogRevision.revision,
        BlogRevision.title,
        BlogRevision.summary,
        BlogRevision.body,
        BlogRevision.format,
        BlogRevision.tags,
        BlogRevision.editor_id,
        BlogRevision.created_at,
    ).where(
        BlogRevision.article_id == bindparam("id"), BlogRevision.revision == bindparam("revision")
    ),
    schemas.Revision,
)
