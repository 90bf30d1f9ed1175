"""``/users``, ``/user`` and ``/profiles``."""

from typing import Annotated, Any
from uuid import UUID

import asyncpg
from insula.access import PUBLIC, SIGNED_IN
from insula.db import RowNotFound, Work
from insula.db.ids import new_id
from insula.http.address import network_of
from insula.http.admission import Policy, admit
from insula.http.exchange import Caller, Exchange
from insula.http.problem import FieldError, InvalidInput, TooManyRequests
from insula.http.redis_line import RedisLine
from insula.i18n import say
from insula.identity import passwords
from insula.identity import queries as identity
from insula.identity.emails import normalise
from insula.identity.errors import EmailTaken, InvalidCredentials
from insula.identity.routes import device_of
from insula.identity.schemas import Credentials
from insula.identity.sessions import Sessions
from insula.identity.throttle import LoginThrottle
from insula.settings import Settings
from insula.tenancy.tenant import Tenant
from litestar import delete, get, post, put
from litestar.params import PathParameter
from msgspec import UNSET

from insula_tenants.blog.compat.dialect import Missing
from insula_tenants.blog.compat.schemas import (
    LoginRequest,
    NewUser,
    NewUserRequest,
    Profile,
    ProfileAnswer,
    User,
    UserAnswer,
    UserChange,
    UserChangeRequest,
)
from insula_tenants.blog.errors import FollowingYourself, UsernameTaken, WritingClosed
from insula_tenants.blog.queries import people, realworld
from insula_tenants.blog.schemas import ProfileUpdate
from insula_tenants.blog.service import people as service
from insula_tenants.blog.service import settings as blog_settings

UsernamePath = Annotated[str, PathParameter(max_length=200)]
MIN_PASSWORD = 8
"""Shorter than Insula's own: RealWorld's documentation and tests use such, for accounts that can do
nothing but write here."""


@post("/users", right=PUBLIC, problems=(EmailTaken, UsernameTaken, WritingClosed))
async def realworld_register(
    data: NewUserRequest,
    tx: Work,
    tenant: Tenant,
    exchange: Exchange,
    sessions: Sessions,
    redis: RedisLine,
    settings: Settings,
) -> UserAnswer:
    """Register, as a customer of the tenant."""
    if not (await blog_settings.read(tx)).community:
        raise WritingClosed
    await _slow_down(redis, settings, exchange)
    user_id = await _create(tx, data.user)
    tokens = await sessions.start(
        tx,
        tenant_id=tenant.id,
        user_id=user_id,
        role="customer",
        method="password",
        device=device_of(exchange),
        lasting=True,
    )
    return await _answer(tx, user_id, tokens.access_token)


async def _slow_down(redis: RedisLine, settings: Settings, exchange: Exchange) -> None:
    """Registering costs a hash and a row, and everybody may: limited like signing up."""
    policy = Policy("registration", settings.signup_limit, settings.signup_limit)
    verdict = await admit(redis, policy, network_of(exchange.address))
    if not verdict.allowed:
        raise TooManyRequests(headers={"Retry-After": str(int(verdict.retry) + 1)})


async def _create(tx: Work, new: NewUser) -> UUID:
    """Make the user and author.

    Raises:
        InvalidInput, EmailTaken, UsernameTaken: see there.
    """
    email = normalise(new.email, pointer="/user/email")
    _check_password(new.password, email, new.username)
    if await tx.find(people.BY_USERNAME, username=new.username) is not None:
        raise UsernameTaken
    hashed = await passwords.hash_password(new.password)
    try:
        async with tx.savepoint():
            user = await tx.one(
                identity.INSERT_USER,
                id=new_id(),
                email=email,
                name=new.username,
                role="customer",
                password_hash=hashed,
            )
    except asyncpg.UniqueViolationError as error:
        raise EmailTaken from error
    await service.register(tx, user.id, new.username)
    return user.id


def _check_password(password: str, *personal: str) -> None:
    fault = ""
    if len(password) < MIN_PASSWORD:
        fault = say(
            "is too short (minimum is {min_password} characters)", min_password=MIN_PASSWORD
        )
    elif password.casefold() in (part.casefold() for part in personal):
        fault = "must not be your name or address"
    if fault:
        raise InvalidInput(errors=(FieldError("/user/password", fault),))


@post("/users/login", right=PUBLIC, status_code=200, problems=(InvalidCredentials,))
async def realworld_login(
    data: LoginRequest,
    tx: Work,
    tenant: Tenant,
    exchange: Exchange,
    sessions: Sessions,
    throttle: LoginThrottle,
) -> UserAnswer:
    """Sign in; every user of the tenant can."""
    credentials = Credentials(email=data.user.email, password=data.user.password)
    async with throttle.attempt(tenant.key, credentials.email, network_of(exchange.address)):
        tokens = await sessions.log_in(
            tx, tenant.id, credentials, device_of(exchange), lasting=True
        )
    login = await tx.one(identity.FIND_LOGIN, email=normalise(credentials.email, strict=False))
    await service.ensure_author(tx, login.id)
    return await _answer(tx, login.id, tokens.access_token)


async def _answer(tx: Work, user_id: UUID, token: str) -> UserAnswer:
    known = await tx.find(people.FIND_KNOWN, id=user_id)
    if known is None:  # somebody who has not done anything in the blog yet
        await service.ensure_author(tx, user_id)
        known = await tx.one(people.FIND_KNOWN, id=user_id)
    return UserAnswer(
        user=User(
            email=known.email,
            token=token,
            username=known.username,
            bio=known.bio,
            image=known.image,
        )
    )


def _token(exchange: Exchange) -> str:
    return exchange.header(b"authorization").partition(" ")[2].strip()


@get("/user", right=SIGNED_IN)
async def realworld_get_user(tx: Work, caller: Caller, exchange: Exchange) -> UserAnswer:
    """Who is signed in."""
    return await _answer(tx, caller.user_id, _token(exchange))


@put("/user", right=SIGNED_IN, problems=(EmailTaken, UsernameTaken))
async def realworld_update_user(
    data: UserChangeRequest, tx: Work, caller: Caller, exchange: Exchange, sessions: Sessions
) -> UserAnswer:
    """Change what is given. A new password ends one's other sessions."""
    change = data.user
    profile: dict[str, Any] = {
        name: getattr(change, name) or None
        for name in ("username", "bio", "image")
        if getattr(change, name) is not UNSET
    }
    await _change_account(tx, caller, change, sessions)
    await service.change_profile(tx, caller.user_id, ProfileUpdate(**profile))
    return await _answer(tx, caller.user_id, _token(exchange))


async def _change_account(tx: Work, caller: Caller, change: UserChange, sessions: Sessions) -> None:
    user = await tx.one(identity.LOCK_USER, id=caller.user_id)
    changes: dict[str, Any] = {}
    if change.email is not UNSET:
        email = normalise(change.email, pointer="/user/email")
        changes |= {"email": email} if email != user.email else {}
    if change.password is not UNSET:
        _check_password(change.password, user.email, user.name)
        changes["password_hash"] = await passwords.hash_password(change.password)
    if not changes:
        return
    statement = identity.update_user(tuple(sorted(changes)))
    try:
        async with tx.savepoint():
            await tx.one(statement, user_id=user.id, **changes)
    except asyncpg.UniqueViolationError as error:
        raise EmailTaken from error
    if "password_hash" in changes:
        await sessions.end_others(tx, user.id, caller.session_id, reason="password changed")


# Profiles


async def _profile(tx: Work, username: str, viewer: UUID | None) -> ProfileAnswer:
    row = await tx.find(realworld.PROFILE, username=username, viewer=viewer)
    if row is None:
        raise Missing("profile")
    return ProfileAnswer(
        profile=Profile(
            username=row.username, bio=row.bio, image=row.image, following=row.following
        )
    )


@get("/profiles/{username:str}", right=PUBLIC, problems=(Missing,))
async def realworld_get_profile(
    username: UsernamePath, tx: Work, caller: Caller | None
) -> ProfileAnswer:
    """Who somebody is."""
    return await _profile(tx, username, caller.user_id if caller is not None else None)


@post(
    "/profiles/{username:str}/follow",
    right=SIGNED_IN,
    status_code=200,
    problems=(Missing, FollowingYourself),
)
async def realworld_follow(username: UsernamePath, tx: Work, caller: Caller) -> ProfileAnswer:
    """Have this author's articles in one's feed."""
    try:
        await service.follow(tx, caller.user_id, username)
    except RowNotFound as error:
        raise Missing("profile") from error
    return await _profile(tx, username, caller.user_id)


@delete("/profiles/{username:str}/follow", right=SIGNED_IN, status_code=200, problems=(Missing,))
async def realworld_unfollow(username: UsernamePath, tx: Work, caller: Caller) -> ProfileAnswer:
    """Not any more."""
    try:
        await service.unfollow(tx, caller.user_id, username)
    except RowNotFound as error:
        raise Missing("profile") from error
    return await _profile(tx, username, caller.user_id)


ROUTES = (
    realworld_register, realworld_login, realworld_get_user, realworld_update_user,
    realworld_get_profile, realworld_follow, realworld_unfollow,
)  # fmt: skip
