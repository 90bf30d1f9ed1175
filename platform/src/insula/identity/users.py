"""The rules about users: who may make, change and disable whom."""

from uuid import UUID

import asyncpg
import msgspec
from msgspec import UNSET

from insula.db import Work
from insula.db.ids import new_id
from insula.http.conditional import require_match
from insula.http.preferences import check_language, check_time_zone
from insula.i18n import say
from insula.identity import passwords, queries
from insula.identity.emails import normalise
from insula.identity.errors import EmailTaken, LastOwner, OutranksYou, TenantFull
from insula.identity.schemas import MeUpdate, User, UserCreate, UserUpdate
from insula.identity.sessions import Sessions


async def create(
    tx: Work, new: UserCreate, *, by_role: str, limit: int | None, prefix: str = ""
) -> User:
    """Make a user; ``limit`` is how many the tenant may have. ``prefix`` is the JSON pointer of
    ``new`` in the request.

    Raises:
        InvalidInput, EmailTaken, OutranksYou, TenantFull: see there.
    """
    if new.role == "owner" and by_role != "owner":
        raise OutranksYou
    email = normalise(new.email, pointer=f"{prefix}/email")
    local = email.partition("@")[0]
    passwords.check_strength(
        new.password, pointer=f"{prefix}/password", personal=(email, local, new.name)
    )
    password_hash = await passwords.hash_password(new.password)
    if new.role != "customer":
        await _check_room(tx, limit)
    try:
        return await tx.one(
            queries.INSERT_USER,
            id=new_id(),
            email=email,
            name=new.name,
            role=new.role,
            password_hash=password_hash,
        )
    except asyncpg.UniqueViolationError as error:
        raise EmailTaken from error


def _is_counted(user: User) -> bool:
    """Whether the tenant's limit is about this user: customers may be as many as will come."""
    return user.status == "active" and user.role != "customer"


async def _check_room(tx: Work, limit: int | None) -> None:
    """Whether there is room for one more. Locks every owner, so that two who come at the same
    moment are not both the last one.

    Raises:
        TenantFull: there is not.
    """
    if limit is None:
        return
    await tx.many(queries.LOCK_OWNERS)
    if await tx.one(queries.COUNT_STAFF) >= limit:
        raise TenantFull(say("The operator allows {limit} users.", limit=limit))


async def change(
    tx: Work,
    sessions: Sessions,
    user_id: UUID,
    update: UserUpdate,
    *,
    by_role: str,
    limit: int | None,
    if_match: str | None,
) -> User:
    """Change a user; a changed role or a disabling is felt by their tokens at once. ``limit`` is
    how many users the tenant may have.

    Raises:
        OutranksYou, LastOwner, PreconditionFailed, TenantFull: see there.
    """
    user = await tx.one(queries.LOCK_USER, id=user_id)
    require_match(if_match, user.version)
    changes = {name: value for name, value in msgspec.structs.asdict(update).items()
               if value is not UNSET and value != getattr(user, name)}  # fmt: skip
    if not changes:
        return user
    if by_role != "owner" and "owner" in (user.role, changes.get("role")):
        raise OutranksYou
    if user.role == "owner" and ("role" in changes or changes.get("status") == "disabled"):
        await check_other_owner(tx, user_id)
    if not _is_counted(user) and _is_counted(msgspec.structs.replace(user, **changes)):
        await _check_room(tx, limit)
    changed = await tx.one(queries.update_user(tuple(sorted(changes))), user_id=user_id, **changes)
    if changed.status == "disabled" and user.status != "disabled":
        await sessions.end_all(tx, user_id, reason="user disabled")
    elif changed.role != user.role:
        await sessions.refresh_rights(user_id)
    return changed


async def change_own(tx: Work, user_id: UUID, update: MeUpdate) -> None:
    """What people may change of themselves.

    Raises:
        InvalidInput: there is no such language or time zone.
    """
    changes = {
        name: value for name, value in msgspec.structs.asdict(update).items() if value is not UNSET
    }
    if changes.get("locale") is not None:
        changes["locale"] = check_language(changes["locale"])
    if changes.get("time_zone") is not None:
        check_time_zone(changes["time_zone"])
    if changes:
        await tx.one(queries.update_user(tuple(sorted(changes))), user_id=user_id, **changes)


async def check_other_owner(tx: Work, user_id: UUID) -> None:
    """Locks every owner, so that two owners cannot demote each other at the same moment."""
    owners = await tx.many(queries.LOCK_OWNERS)
    if not any(owner != user_id for owner in owners):
        raise LastOwner
