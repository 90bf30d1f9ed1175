"""Authors, following them, and favourites."""

from typing import Annotated, Any
from uuid import UUID

from insula.access import PUBLIC, SIGNED_IN
from insula.db import RowNotFound, Work
from insula.http.conditional import IfMatch, versioned
from insula.http.exchange import Caller
from insula.http.listing import Page
from litestar import Request, Response, delete, get, patch, put
from litestar.params import PathParameter

from insula_tenants.blog.errors import FollowingYourself, UsernameTaken
from insula_tenants.blog.queries import articles as article_queries
from insula_tenants.blog.queries import people as queries
from insula_tenants.blog.routes.articles import viewer
from insula_tenants.blog.schemas import Author, AuthorLine, Favourites, Profile, ProfileUpdate
from insula_tenants.blog.service import people as service

UsernamePath = Annotated[str, PathParameter(max_length=200)]


@get("/authors", right=PUBLIC, listing=queries.AUTHORS)
async def list_authors(request: Request[Any, Any, Any], tx: Work) -> Page[AuthorLine]:
    """Everybody who has published something."""
    return await queries.AUTHORS.page(tx, request)


@get("/authors/{username:str}", right=PUBLIC)
async def get_author(username: UsernamePath, tx: Work, caller: Caller | None) -> Author:
    """Who somebody is."""
    return await tx.one(queries.GET_AUTHOR, username=username, viewer=viewer(caller))


@put("/authors/{username:str}/follow", right=SIGNED_IN, problems=(FollowingYourself,))
async def follow_author(username: UsernamePath, tx: Work, caller: Caller) -> Author:
    """Have this author's articles in your feed."""
    await service.follow(tx, caller.user_id, username)
    return await tx.one(queries.GET_AUTHOR, username=username, viewer=caller.user_id)


@delete("/authors/{username:str}/follow", right=SIGNED_IN)
async def unfollow_author(username: UsernamePath, tx: Work, caller: Caller) -> None:
    """Not any more."""
    await service.unfollow(tx, caller.user_id, username)


@patch("/profile", right=SIGNED_IN, problems=(UsernameTaken,))
async def update_profile(
    data: ProfileUpdate, tx: Work, caller: Caller, if_match: IfMatch = None
) -> Response[Profile]:
    """Change your username, picture, or what you say of yourself. An empty change shows it."""
    profile = await service.change_profile(tx, caller.user_id, data, if_match)
    return versioned(profile, profile.version)


@get("/articles/{article_id:uuid}/favourite", right=PUBLIC)
async def get_favourites(article_id: UUID, tx: Work, caller: Caller | None) -> Favourites:
    """How many like the article, and whether you do."""
    if await tx.find(article_queries.IS_PUBLIC, id=article_id) is None:
        raise RowNotFound
    return await tx.one(queries.COUNT_FAVOURITES, id=article_id, viewer=viewer(caller))


@put("/articles/{article_id:uuid}/favourite", right=SIGNED_IN)
async def favourite_article(article_id: UUID, tx: Work, caller: Caller) -> Favourites:
    """Mark an article as a favourite of yours."""
    await service.favourite(tx, caller.user_id, article_id)
    return await tx.one(queries.COUNT_FAVOURITES, id=article_id, viewer=caller.user_id)


@delete("/articles/{article_id:uuid}/favourite", right=SIGNED_IN)
async def unfavourite_article(article_id: UUID, tx: Work, caller: Caller) -> None:
    """Not any more."""
    await service.unfavourite(tx, caller.user_id, article_id)


ROUTES = (
    list_authors, get_author, follow_author, unfollow_author, update_profile, get_favourites,
    favourite_article, unfavourite_article,
)  # fmt: skip
