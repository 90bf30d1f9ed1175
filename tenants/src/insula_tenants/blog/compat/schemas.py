"""RealWorld's documents. Unknown input is ignored, since front ends send whole objects back."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from insula_tenants.blog.schemas import BODY_LIMIT, Tag, Title, Username

Email = Annotated[str, Meta(min_length=1, max_length=254, examples=["jake@example.com"])]
Password = Annotated[str, Meta(min_length=1, max_length=256, examples=["jakejake1"])]
Description = Annotated[str, Meta(min_length=1, max_length=2000, examples=["Ever wonder how?"])]
Body = Annotated[str, Meta(min_length=1, max_length=BODY_LIMIT, examples=["It takes a Jacobian"])]
TagList = Annotated[list[Tag], Meta(max_length=100, examples=[["dragons", "training"]])]
Bio = Annotated[str, Meta(max_length=5000)]


class Camel(msgspec.Struct, rename="camel", kw_only=True):
    """Names as JavaScript writes them."""


# What comes in


class Login(Camel):
    email: Email
    password: Password


class LoginRequest(Camel):
    user: Login


class NewUser(Camel):
    username: Username
    email: Email
    password: Password


class NewUserRequest(Camel):
    user: NewUser


class UserChange(Camel):
    username: Username | UnsetType = UNSET
    email: Email | UnsetType = UNSET
    password: Password | UnsetType = UNSET
    bio: Bio | UnsetType | None = UNSET
    image: (
        Annotated[
            str,
            Meta(
                max_length=2000,
                pattern=r"^(https?://[^\s<>\"]+)?$",
                examples=["https://example.com/jake.jpg"],
            ),
        ]
        | UnsetType
        | None
    ) = UNSET


class UserChangeRequest(Camel):
    user: UserChange


class NewArticle(Camel):
    title: Title
    description: Description
    body: Body
    tag_list: TagList = []


class NewArticleRequest(Camel):
    article: NewArticle


class ArticleChange(Camel):
    title: Title | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    body: Body | UnsetType = UNSET
    tag_list: TagList | UnsetType = UNSET


class ArticleChangeRequest(Camel):
    article: ArticleChange


class NewComment(Camel):
    body: Annotated[str, Meta(min_length=1, max_length=20_000, pattern=r"\S")]


class NewCommentRequest(Camel):
    comment: NewComment


# What goes out


class User(Camel):
    email: str
    token: str
    username: str
    bio: str | None
    image: str | None


class UserAnswer(Camel):
    user: User


class Profile(Camel):
    username: str
    bio: str | None
    image: str | None
    following: bool


class ProfileAnswer(Camel):
    profile: Profile


class ArticleLine(Camel):
    """An article in a list: without its body, since August 2024."""

    slug: str
    title: str
    description: str
    tag_list: list[str]
    created_at: str
    updated_at: str
    favorited: bool
    favorites_count: int
    author: Profile


class Article(Camel):
    slug: str
    title: str
    description: str
    body: str
    tag_list: list[str]
    created_at: str
    updated_at: str
    favorited: bool
    favorites_count: int
    author: Profile


class ArticleAnswer(Camel):
    article: Article


class ArticlesAnswer(Camel):
    articles: list[ArticleLine]
    articles_count: int


class Comment(Camel):
    id: int
    created_at: str
    updated_at: str
    body: str
    author: Profile


class CommentAnswer(Camel):
    comment: Comment


class CommentsAnswer(Camel):
    comments: list[Comment]


class TagsAnswer(Camel):
    tags: list[str]


def timestamp(moment: datetime) -> str:
    """ISO 8601 with milliseconds, as JavaScript's ``toISOString`` writes it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
