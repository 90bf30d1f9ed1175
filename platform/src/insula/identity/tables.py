"""Users, their sessions and refresh tokens, in the tenant's own schema."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from insula.db import TenantTable
from insula.db.marks import SHORT, person, personal, stays


class UserRow(TenantTable):
    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("status in ('active', 'disabled')", name="status"),
        {"info": SHORT},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, info=person("keep"))
    # Normalised: lower case, ASCII domain.
    email: Mapped[str] = mapped_column(
        unique=True, info=personal(of="id", blank="'erased-' || id || '@erased.invalid'")
    )
    name: Mapped[str] = mapped_column(info=personal(of="id", blank="'Erased user'"))
    role: Mapped[str]
    status: Mapped[str] = mapped_column(
        server_default="active", info=personal(of="id", blank="'disabled'")
    )
    # None for users who only log in with a provider or passkey.
    password_hash: Mapped[str | None] = mapped_column(info=personal(of="id"))
    locale: Mapped[str | None] = mapped_column(info=personal(of="id"))
    """The language this person reads; None: what the device asks for, or the tenant's."""
    time_zone: Mapped[str | None] = mapped_column(info=personal(of="id"))
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class SessionRow(TenantTable):
    """One login on one device: the family of refresh tokens that descend from it."""

    __tablename__ = "sessions"
    __table_args__ = ({"info": stays() | SHORT},)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True, info=person("delete")
    )
    method: Mapped[str]  # how the user proved who they are: password, later otp, passkey, oauth
    user_agent: Mapped[str] = mapped_column(info=personal(of="user_id", blank="''"))
    address: Mapped[str] = mapped_column(info=personal(of="user_id", blank="''"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    used_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_because: Mapped[str | None]


class RefreshToken(TenantTable):
    """Tokens are stored as SHA-256 digests: they have 256 bits of entropy, so no salt is needed."""

    __tablename__ = "refresh_tokens"
    __table_args__ = ({"info": stays() | SHORT},)

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    session_id: Mapped[UUID] = mapped_column(
        ForeignKey("sessions.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    used_at: Mapped[datetime | None]
