"""``/api/v1/sessions``, ``/me`` and ``/users``."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, Router, delete, get, patch, post
from sqlalchemy import select

from insula.access import PUBLIC, SIGNED_IN
from insula.db import Work
from insula.http.address import network_of
from insula.http.conditional import IfMatch, versioned
from insula.http.exchange import Caller, Exchange
from insula.http.listing import Listing, Page
from insula.identity import queries, users
from insula.identity.errors import (
    EmailTaken,
    InvalidCredentials,
    LastOwner,
    OutranksYou,
    RefreshRejected,
    TenantFull,
)
from insula.identity.schemas import (
    Credentials,
    Me,
    MeTenant,
    MeUpdate,
    RefreshRequest,
    Tokens,
    User,
    UserCreate,
    UserUpdate,
)
from insula.identity.sessions import Device, Sessions
from insula.identity.tables import UserRow
from insula.identity.throttle import LoginThrottle
from insula.tenancy.tenant import Tenant

USERS = Listing(
    select(*queries.USER_COLUMNS),
    User,
    key=UserRow.id,
    sort={"created_at": UserRow.created_at, "email": UserRow.email, "name": UserRow.name},
    default="-created_at",
    filters={
        "email": UserRow.email,
        "role": UserRow.role,
        "status": UserRow.status,
        "created_at": UserRow.created_at,
    },
)


@post("/sessions", right=PUBLIC, problems=(InvalidCredentials,))
async def sign_in(
    data: Credentials,
    tx: Work,
    tenant: Tenant,
    exchange: Exchange,
    sessions: Sessions,
    throttle: LoginThrottle,
) -> Tokens:
    """Sign in with e-mail address and password."""
    async with throttle.attempt(tenant.key, data.email, network_of(exchange.address)):
        return await sessions.log_in(tx, tenant.id, data, device_of(exchange))


@post("/sessions/refresh", right=PUBLIC, status_code=200, problems=(RefreshRejected,))
async def refresh_session(
    data: RefreshRequest, tx: Work, tenant: Tenant, sessions: Sessions
) -> Tokens:
    """Exchange a refresh token for its successor and a new access token."""
    return await sessions.refresh(tx, tenant.id, data.refresh_token)


@delete("/sessions/current", right=SIGNED_IN)
async def sign_out(tx: Work, caller: Caller, sessions: Sessions) -> None:
    """End this session on every device that shares it; its tokens are void at once."""
    await sessions.end(tx, caller.session_id)


@get("/me", right=SIGNED_IN)
async def me(tx: Work, caller: Caller, tenant: Tenant, exchange: Exchange) -> Me:
    """Who is signed in, to which tenant, and what they may do."""
    return await _me(tx, caller, tenant, exchange)


@patch("/me", right=SIGNED_IN)
async def update_me(
    data: MeUpdate, tx: Work, caller: Caller, tenant: Tenant, exchange: Exchange
) -> Me:
    """Change your name, or how things are shown to you."""
    await users.change_own(tx, caller.user_id, data)
    return await _me(tx, caller, tenant, exchange)


async def _me(tx: Work, caller: Caller, tenant: Tenant, exchange: Exchange) -> Me:
    user = await tx.one(queries.GET_USER, id=caller.user_id)
    preferences = await tx.one(queries.PREFERENCES, id=caller.user_id)
    return Me(
        user,
        preferences.locale or exchange.locale,
        preferences.time_zone or tenant.time_zone,
        MeTenant(tenant.id, tenant.slug, tenant.name, sorted(tenant.modules)),
        sorted(caller.scopes),
        caller.session_id,
    )


@get("/users", right="users:read", listing=USERS)
async def list_users(request: Request[Any, Any, Any], tx: Work) -> Page[User]:
    """The users of the tenant."""
    return await USERS.page(tx, request)


@post("/users", right="users:write", problems=(EmailTaken, OutranksYou, TenantFull))
async def create_user(data: UserCreate, tx: Work, caller: Caller, tenant: Tenant) -> Response[User]:
    """Make a user, who can then sign in."""
    user = await users.create(tx, data, by_role=caller.role, limit=tenant.limits.users)
    answer = versioned(user, user.version, 201)
    answer.headers["location"] = f"/api/v1/users/{user.id}"
    return answer


@get("/users/{user_id:uuid}", right="users:read")
async def get_user(user_id: UUID, tx: Work) -> Response[User]:
    """One user."""
    user = await tx.one(queries.GET_USER, id=user_id)
    return versioned(user, user.version)


@patch("/users/{user_id:uuid}", right="users:write", problems=(LastOwner, OutranksYou, TenantFull))
async def update_user(
    user_id: UUID,
    data: UserUpdate,
    tx: Work,
    caller: Caller,
    sessions: Sessions,
    tenant: Tenant,
    if_match: IfMatch = None,
) -> Response[User]:
    """Change name or role; ``{"status": "disabled"}`` ends the user's sessions at once."""
    user = await users.change(
        tx,
        sessions,
        user_id,
        data,
        by_role=caller.role,
        limit=tenant.limits.users,
        if_match=if_match,
    )
    return versioned(user, user.version)


def device_of(exchange: Exchange) -> Device:
    return Device(exchange.header(b"user-agent").replace("\0", ""), exchange.address)


ROUTER = Router(
    path="/api/v1",
    route_handlers=[
        sign_in, refresh_session, sign_out, me, update_me, list_users, create_user, get_user,
        update_user,
    ],
    tags=["Identity"],
)  # fmt: skip
