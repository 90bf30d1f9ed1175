"""What the blog takes and gives."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

BODY_LIMIT = 1_000_000
"""Characters of an article; rendering one takes well under a second."""

Title = Annotated[
    str, Meta(min_length=1, max_length=300, pattern=r"\S", examples=["How to train your dragon"])
]
Summary = Annotated[str, Meta(max_length=2000, examples=["Ever wonder how?"])]
Body = Annotated[str, Meta(max_length=BODY_LIMIT, examples=["You have to **believe**."])]
Slug = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=120,
        pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$",
        examples=["how-to-train-your-dragon"],
    ),
]
Tag = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\S", examples=["dragons"])]
Tags = Annotated[list[Tag], Meta(max_length=100)]
Url = Annotated[
    str,
    Meta(
        max_length=2000,
        pattern=r"^https?://[^\s<>\"]+$",
        examples=["https://example.com/dragon.webp"],
    ),
]
Username = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=60,
        pattern=r"^[^\s/?#%\\](?:[^/?#%\\\x00-\x1f\x7f]*[^\s/?#%\\])?$",
        examples=["jacob"],
    ),
]
ShortText = Annotated[str, Meta(max_length=300)]
CommentBody = Annotated[
    str, Meta(min_length=1, max_length=20_000, pattern=r"\S", examples=["Thank you so much!"])
]
Custom = Annotated[
    dict[
        Annotated[str, Meta(min_length=1, max_length=100)],
        Annotated[str, Meta(max_length=5000)],
    ],
    Meta(max_length=50),
]
Format = Literal["markdown", "html"]
Status = Literal["draft", "scheduled", "published"]
CommentStatus = Literal["pending", "approved", "rejected", "spam", "deleted"]
Verdict = Literal["pending", "approved", "rejected", "spam"]
Outcome = Literal["created", "updated", "unchanged", "skipped", "failed"]


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Input: a field that nobody knows is a mistake worth telling."""


# Articles


class ArticleCreate(Strict):
    """A draft, unless ``publish`` says that readers may have it at once."""

    title: Title
    body: Body = ""
    format: Format = "markdown"
    summary: Summary = ""
    tags: Tags = []
    slug: Slug | UnsetType = UNSET
    """Made of the title if it is left out; a number is added where it is taken."""
    publish: bool = False
    comments_open: bool = True
    cover_file_id: UUID | None = None
    """An image among the tenant's files, seen by whoever may read the article."""
    cover_url: Url | None = None
    meta_title: ShortText | None = None
    meta_description: ShortText | None = None
    canonical_url: Url | None = None
    custom: Custom = {}
    """Fields of your own."""


class ArticleUpdate(Strict):
    title: Title | UnsetType = UNSET
    body: Body | UnsetType = UNSET
    format: Format | UnsetType = UNSET
    summary: Summary | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    slug: Slug | UnsetType = UNSET
    """The old one leads on to the new one."""
    comments_open: bool | UnsetType = UNSET
    cover_file_id: UUID | UnsetType | None = UNSET
    cover_url: Url | UnsetType | None = UNSET
    meta_title: ShortText | UnsetType | None = UNSET
    meta_description: ShortText | UnsetType | None = UNSET
    canonical_url: Url | UnsetType | None = UNSET
    custom: Custom | UnsetType = UNSET


class Article(msgspec.Struct):
    """An article. ``html`` is ``body`` rendered, safe to put into a page."""

    id: UUID
    slug: str
    title: str
    summary: str
    body: str
    format: Format
    html: str
    tags: list[str]
    status: Status
    published_at: datetime | None
    """When it went public, or will."""
    unpublish_at: datetime | None
    comments_open: bool
    cover_file_id: UUID | None
    cover_url: str | None
    cover: str | None
    """Where the picture is: ``cover_url``, or the address of the file here."""
    meta_title: str | None
    meta_description: str | None
    canonical_url: str | None
    custom: dict[str, Any]
    author_id: UUID
    author: str
    """The author's username."""
    revision: int
    version: int
    """Counts every change; the `ETag`."""
    created_at: datetime
    updated_at: datetime


class ArticleLine(msgspec.Struct):
    """An article in a list: everything but its text, and what readers did with it."""

    id: UUID
    slug: str
    title: str
    summary: str
    tags: list[str]
    status: Status
    published_at: datetime | None
    cover_file_id: UUID | None
    cover_url: str | None
    cover: str | None
    """Where the picture is: ``cover_url``, or the address of the file here."""
    author_id: UUID
    author: str
    created_at: datetime
    updated_at: datetime
    favourites: int
    favourited: bool
    """Whether you did."""
    comments: int


class Publish(Strict):
    """Without ``at``, now. ``until`` takes it away again."""

    at: datetime | None = None
    until: datetime | None = None


class Unpublish(Strict):
    """Without ``at``, now."""

    at: datetime | None = None


class Favourites(msgspec.Struct):
    favourites: int
    favourited: bool


class TagCount(msgspec.Struct):
    tag: str
    articles: int


class RevisionLine(msgspec.Struct):
    revision: int
    title: str
    editor_id: UUID | None
    created_at: datetime


class Revision(msgspec.Struct):
    revision: int
    title: str
    summary: str
    body: str
    format: Format
    tags: list[str]
    editor_id: UUID | None
    created_at: datetime


class Preview(msgspec.Struct):
    """A link by which anybody can read the draft; shown this once."""

    preview_token: str
    url: str


class Metadata(msgspec.Struct):
    """What search engines and social networks want to know, ready for the page's head."""

    title: str
    description: str
    canonical_url: str
    open_graph: dict[str, list[str]]
    """Property and values of each ``<meta property=…>``."""
    json_ld: dict[str, Any]
    """schema.org ``BlogPosting``."""


# People


class Author(msgspec.Struct):
    """Who a user is to readers."""

    username: str
    name: str
    bio: str | None
    image: str | None
    articles: int
    """Published ones."""
    followers: int
    following: bool
    """Whether you follow them."""


class AuthorLine(msgspec.Struct):
    user_id: UUID
    username: str
    name: str
    bio: str | None
    image: str | None
    created_at: datetime


class Profile(msgspec.Struct):
    """Your own."""

    username: str
    bio: str | None
    image: str | None
    version: int


class ProfileUpdate(Strict):
    username: Username | UnsetType = UNSET
    bio: Annotated[str, Meta(max_length=5000)] | UnsetType | None = UNSET
    image: Url | UnsetType | None = UNSET


# Comments


class CommentCreate(Strict):
    body: CommentBody
    """Markdown."""
    parent_id: UUID | None = None
    """The comment that this one answers."""


class CommentUpdate(Strict):
    body: CommentBody


class Comment(msgspec.Struct):
    """A comment. One that was deleted, or isn't shown, stays as a place in its thread."""

    id: UUID
    article_id: UUID
    parent_id: UUID | None
    depth: int
    author: str | None
    """The author's username; null for a guest or where the comment is deleted."""
    guest: str | None
    body: str
    html: str
    status: CommentStatus
    version: int
    created_at: datetime
    edited_at: datetime | None


class Moderation(Strict):
    status: Verdict


class BulkModeration(Strict):
    ids: Annotated[list[UUID], Meta(min_length=1, max_length=100)]
    status: Verdict


class Moderated(msgspec.Struct):
    id: UUID
    outcome: Literal["changed", "unchanged", "not_found"]


# Settings and transfer


class Settings(msgspec.Struct):
    title: str
    description: str
    site_url: str | None
    """Where readers see the blog: an article is at ``<site_url>/<slug>``. Null: this server shows
    it itself."""
    language: str
    community: bool
    """Whether everybody who is signed in may write through the RealWorld API, and strangers may
    register there (as customers)."""
    comments_open: bool
    moderation: Literal["none", "first", "all"]
    """Which comments wait for a moderator: none, everybody's first, all."""
    max_links: int
    """A comment with more links than this waits for a moderator."""
    blocked_words: list[str]
    """A comment with one of these is spam."""
    edit_minutes: int
    """For how long authors of comments may change them."""
    version: int


class SettingsUpdate(Strict):
    title: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")] | UnsetType = UNSET
    description: Annotated[str, Meta(max_length=1000)] | UnsetType = UNSET
    site_url: Url | UnsetType | None = UNSET
    language: (
        Annotated[
            str,
            Meta(pattern=r"^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$", max_length=35, examples=["en"]),
        ]
        | UnsetType
    ) = UNSET
    community: bool | UnsetType = UNSET
    comments_open: bool | UnsetType = UNSET
    moderation: Literal["none", "first", "all"] | UnsetType = UNSET
    max_links: Annotated[int, Meta(ge=0, le=1000)] | UnsetType = UNSET
    blocked_words: (
        Annotated[list[Annotated[str, Meta(min_length=1, max_length=100)]], Meta(max_length=500)]
        | UnsetType
    ) = UNSET
    edit_minutes: Annotated[int, Meta(ge=0, le=525_600)] | UnsetType = UNSET


class ItemReport(msgspec.Struct):
    """What became of one item of an import."""

    source: str
    title: str
    outcome: Outcome
    article_id: UUID | None = None
    comments: int = 0
    """How many of its comments were new."""
    reason: str = ""
    warnings: tuple[str, ...] = ()


class ImportReport(msgspec.Struct):
    dry: bool
    """Nothing was kept: this is what would have happened."""
    created: int
    updated: int
    unchanged: int
    skipped: int
    failed: int
    items: list[ItemReport]
