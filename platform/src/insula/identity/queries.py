"""Every SQL statement of identity."""

from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import LargeBinary, bindparam, func, insert, literal_column, select, update

from insula.db import Statement, binds
from insula.identity.schemas import User
from insula.identity.tables import RefreshToken, SessionRow, UserRow

USER_COLUMNS = (
    UserRow.id,
    UserRow.email,
    UserRow.name,
    UserRow.role,
    UserRow.status,
    UserRow.version,
    UserRow.created_at,
    UserRow.updated_at,
)


class Preferences(msgspec.Struct, frozen=True):
    """What a user has said about how things are shown; empty where nothing."""

    email: str
    name: str
    locale: str
    time_zone: str


class Login(msgspec.Struct):
    """What a password is held against."""

    id: UUID
    role: str
    status: str
    password_hash: str | None


class Refresh(msgspec.Struct):
    """A refresh token with its session and user, locked."""

    session_id: UUID
    used_at: datetime | None
    user_id: UUID
    expires_at: datetime
    revoked_at: datetime | None
    role: str
    status: str


class Changed(msgspec.Struct):
    """A user whose role or status may have changed at a time."""

    id: UUID
    updated_at: datetime


GET_USER = Statement(select(*USER_COLUMNS).where(UserRow.id == bindparam("id")), User)
PREFERENCES = Statement(
    select(
        UserRow.email,
        UserRow.name,
        func.coalesce(UserRow.locale, "").label("locale"),
        func.coalesce(UserRow.time_zone, "").label("time_zone"),
    ).where(UserRow.id == bindparam("id")),
    Preferences,
)
LOCK_USER = Statement(
    select(*USER_COLUMNS).where(UserRow.id == bindparam("id")).with_for_update(), User
)
LIST_USERS = select(*USER_COLUMNS)
FIND_LOGIN = Statement(
    select(UserRow.id, UserRow.role, UserRow.status, UserRow.password_hash).where(
        UserRow.email == bindparam("email")
    ),
    Login,
)
# As long as the transaction lasts, nobody disables the user or changes the role (LOCK_USER waits).
LOCK_LOGIN = Statement(
    select(UserRow.id, UserRow.role, UserRow.status, UserRow.password_hash)
    .where(UserRow.id == bindparam("id"))
    .with_for_update(read=True),
    Login,
)
COUNT_OWNERS = Statement(
    select(func.count()).where(UserRow.role == "owner", UserRow.status == "active"), int
)
LOCK_OWNERS = Statement(
    select(UserRow.id).where(UserRow.role == "owner", UserRow.status == "active").with_for_update(),
    UUID,
)
COUNT_STAFF = Statement(
    select(func.count()).where(UserRow.status == "active", UserRow.role != "customer"), int
)
FIRST_OWNER = Statement(
    select(UserRow.id)
    .where(UserRow.role == "owner", UserRow.status == "active")
    .order_by(UserRow.created_at, UserRow.id)
    .limit(literal_column("1")),
    UUID,
)
INSERT_USER = Statement(
    insert(UserRow)
    .values(
        **binds("id", "email", "name", "role", "password_hash"),
    )
    .returning(*USER_COLUMNS),
    User,
)


@cache
def update_user(columns: tuple[str, ...]) -> Statement[User]:
    """An update of just these columns."""
    changes: dict[Any, Any] = {getattr(UserRow, name): bindparam(name) for name in columns}
    return Statement(
        update(UserRow)
        .where(UserRow.id == bindparam("user_id"))
        .values({**changes, UserRow.version: UserRow.version + 1, UserRow.updated_at: func.now()})
        .returning(*USER_COLUMNS),
        User,
    )


_started = (
    insert(SessionRow)
    .values(**binds("id", "user_id", "method", "user_agent", "address", "expires_at"))
    .returning(SessionRow.id)
    .cte("started")
)
_locale = func.coalesce(UserRow.locale, "")
START_SESSION = Statement(
    insert(RefreshToken)
    .from_select(
        ["digest", "session_id"],
        select(bindparam("digest", type_=LargeBinary), _started.c.id),
    )
    .returning(
        select(_locale).where(UserRow.id == bindparam("user_id")).scalar_subquery().label("locale")
    ),
    str,
)
"""A session and its first refresh token. Returns the user's language, which goes into the access
token beside it."""
_session_locale = (
    select(_locale)
    .join(SessionRow, SessionRow.user_id == UserRow.id)
    .where(SessionRow.id == bindparam("session_id"))
    .scalar_subquery()
)
INSERT_REFRESH = Statement(
    insert(RefreshToken)
    .values(digest=bindparam("digest"), session_id=bindparam("session_id"))
    .returning(_session_locale.label("locale")),
    str,
)
LOCK_REFRESH = Statement(
    select(
        RefreshToken.session_id,
        RefreshToken.used_at,
        SessionRow.user_id,
        SessionRow.expires_at,
        SessionRow.revoked_at,
        UserRow.role,
        UserRow.status,
    )
    .join(SessionRow, SessionRow.id == RefreshToken.session_id)
    .join(UserRow, UserRow.id == SessionRow.user_id)
    .where(RefreshToken.digest == bindparam("digest"))
    # In this order: who disables a user locks the user first and then the sessions.
    .with_for_update(of=(UserRow, SessionRow, RefreshToken), key_share=True),
    Refresh,
)
SPEND_REFRESH = Statement(
    update(RefreshToken).where(RefreshToken.digest == bindparam("spent")).values(used_at=func.now())
)
TOUCH_SESSION = Statement(
    update(SessionRow).where(SessionRow.id == bindparam("touched")).values(used_at=func.now())
)
REVOKE_SESSION = Statement(
    update(SessionRow)
    .where(SessionRow.id == bindparam("revoked"), SessionRow.revoked_at.is_(None))
    .values(revoked_at=func.now(), revoked_because=bindparam("reason"))
)
REVOKED_SINCE = Statement(
    select(SessionRow.id).where(SessionRow.revoked_at > bindparam("since")), UUID
)
CHANGED_SINCE = Statement(
    select(UserRow.id, UserRow.updated_at).where(
        UserRow.updated_at > bindparam("since"),
        UserRow.version > literal_column("1"),  # not: was made
    ),
    Changed,
)
REVOKE_SESSIONS_OF = Statement(
    update(SessionRow)
    .where(SessionRow.user_id == bindparam("owner"), SessionRow.revoked_at.is_(None))
    .values(revoked_at=func.now(), revoked_because=bindparam("reason"))
)
REVOKE_ALL = Statement(
    update(SessionRow)
    .where(SessionRow.revoked_at.is_(None))
    .values(revoked_at=func.now(), revoked_because=bindparam("reason"))
)
REVOKE_OTHERS = Statement(
    update(SessionRow)
    .where(
        SessionRow.user_id == bindparam("owner"),
        SessionRow.id != bindparam("kept"),
        SessionRow.revoked_at.is_(None),
    )
    .values(revoked_at=func.now(), revoked_because=bindparam("reason"))
    .returning(SessionRow.id),
    UUID,
)
