"""Authors: who a user is to readers, and who follows whom."""

import re
import secrets
from uuid import UUID

import asyncpg
import msgspec
from insula.db import RowNotFound, Work
from insula.events import emit
from insula.http.conditional import require_match
from msgspec import UNSET

from insula_tenants.blog.content import slug_of
from insula_tenants.blog.errors import FollowingYourself, UsernameTaken
from insula_tenants.blog.events import AUTHOR_FOLLOWED, FollowEvent
from insula_tenants.blog.queries import articles as article_queries
from insula_tenants.blog.queries import people as queries
from insula_tenants.blog.schemas import Profile, ProfileUpdate


async def ensure_author(tx: Work, user_id: UUID) -> UUID:
    """Have the user known as an author, under a username made of their name."""
    if await tx.find(queries.GET_MINE, id=user_id) is not None:
        return user_id
    user = await tx.one(queries.NAME_OF, id=user_id)
    base = slug_of(user.name) if re.search(r"\w", user.name) else "author"
    for username in (base, *(f"{base}-{secrets.token_hex(3)}" for _ in range(3))):
        await tx.find(queries.INSERT, user_id=user_id, username=username[:60])
        if await tx.find(queries.GET_MINE, id=user_id) is not None:
            return user_id
    raise UsernameTaken


async def register(tx: Work, user_id: UUID, username: str) -> None:
    """Make a new user an author under a username of their choice.

    Raises:
        UsernameTaken: somebody else has it.
    """
    if await tx.find(queries.INSERT, user_id=user_id, username=username) is None:
        raise UsernameTaken


async def change_profile(
    tx: Work, user_id: UUID, update: ProfileUpdate, if_match: str | None = None
) -> Profile:
    """Change what readers see of a user.

    Raises:
        UsernameTaken, PreconditionFailed: see there.
    """
    await ensure_author(tx, user_id)
    mine = await tx.one(queries.LOCK_MINE, id=user_id)
    require_match(if_match, mine.version)
    given = {n: v for n, v in msgspec.structs.asdict(update).items() if v is not UNSET}
    changes = {name: value for name, value in given.items() if value != getattr(mine, name)}
    if not changes:
        return mine
    statement = queries.update_columns(tuple(sorted(changes)))
    try:
        async with tx.savepoint():
            changed = await tx.one(statement, owner=user_id, **changes)
    except asyncpg.UniqueViolationError as error:
        raise UsernameTaken from error
    if "username" in changes:  # which stands in every article of theirs
        await tx.execute(article_queries.TOUCH_OF_AUTHOR, owner=user_id)
    return changed


async def find_author(tx: Work, username: str) -> UUID:
    """Whose username this is.

    Raises:
        RowNotFound: nobody's.
    """
    return await tx.one(queries.BY_USERNAME, username=username)


async def follow(tx: Work, follower_id: UUID, username: str) -> None:
    """Have an author's articles in one's feed; twice is once.

    Raises:
        FollowingYourself: see there.
    """
    author_id = await find_author(tx, username)
    if author_id == follower_id:
        raise FollowingYourself
    await ensure_author(tx, follower_id)
    if await tx.execute(queries.FOLLOW, follower_id=follower_id, author_id=author_id):
        event = FollowEvent(author_id, follower_id)
        await emit(tx, AUTHOR_FOLLOWED, event, subject=f"authors/{author_id}", actor=follower_id)


async def unfollow(tx: Work, follower_id: UUID, username: str) -> None:
    author_id = await find_author(tx, username)
    await tx.execute(queries.UNFOLLOW, follower=follower_id, author=author_id)


async def favourite(tx: Work, user_id: UUID, article_id: UUID) -> None:
    """Remember an article; twice is once."""
    if await tx.find(article_queries.IS_PUBLIC, id=article_id) is None:
        raise RowNotFound
    await ensure_author(tx, user_id)
    await tx.execute(queries.FAVOURITE, article_id=article_id, user_id=user_id)


async def unfavourite(tx: Work, user_id: UUID, article_id: UUID) -> None:
    if await tx.find(article_queries.IS_PUBLIC, id=article_id) is None:
        raise RowNotFound
    await tx.execute(queries.UNFAVOURITE, article=article_id, user=user_id)
