"""The rules about users: who may make, change and disable whom."""

from uuid import UUID

import asyncpg
import msgspec
from msgspec import UNSET

from insula.db import Work
from insula.db.ids import new_id
from insula.http.conditional import require_match
from insula.http.preferences import check_language, check_time_zone
from insula.identity import passwords, queries
from insula.identity.emails import normalise
from insula.identity.errors import EmailTaken, LastOwner, OutranksYou
from insula.identity.schemas import MeUpdate, User, UserCreate, UserUpdate
from insula.identity.sessions import Sessions


async def create(tx: Work, new: UserCreate, *, by_role: str, prefix: str = "") -> User:
    """Make a user. ``prefix`` is the JSON pointer of ``new`` in the request.

    Raises:
        InvalidInput, EmailTaken, OutranksYou: see there.
    """
    if new.role == "owner" and by_role != "owner":
        raise OutranksYou
    email = normalise(new.email, pointer=f"{prefix}/email")
    local = email.partition("@")[0]
    passwords.check_strength(
        new.password, pointer=f"{prefix}/password", personal=(email, local, new.name)
    )
    password_hash = await passwords.hash_password(new.password)
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


async def change(
    tx: Work,
    sessions: Sessions,
    user_id: UUID,
    update: UserUpdate,
    *,
    by_role: str,
    if_match: str | None,
) -> User:
    """Change a user; a changed role or a disabling is felt by their tokens at once.

    Raises:
        OutranksYou, LastOwner, PreconditionFailed: see there.
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
        await _check_other_owner(tx, user_id)
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


async def _check_other_owner(tx: Work, user_id: UUID) -> None:
    """Locks every owner, so that two owners cannot demote each other at the same moment."""
    owners = await tx.many(queries.LOCK_OWNERS)
    if not any(owner != user_id for owner in owners):
        raise LastOwner
