"""Whom the platform tells what concerns a whole tenant."""

import msgspec
from sqlalchemy import literal_column, select

from insula.db import Statement
from insula.identity.tables import UserRow


class Owner(msgspec.Struct, frozen=True):
    """An owner who can sign in."""

    email: str
    name: str
    locale: str | None


OWNERS = Statement(
    select(UserRow.email, UserRow.name, UserRow.locale)
    .where(UserRow.role == "owner", UserRow.status == "active")
    .order_by(UserRow.created_at)
    .limit(literal_column("10")),
    Owner,
)
"""Ten at most, the first first."""
