"""The catalogue: which tenants there are, where they live and what they have switched on."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    LargeBinary,
    SmallInteger,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from insula.db import CatalogueTable, TenantTable


class TenantRow(CatalogueTable):
    __tablename__ = "tenants"
    __table_args__ = (
        CheckConstraint("status in ('active', 'suspended')", name="status"),
        CheckConstraint("slug ~ '^[a-z][a-z0-9-]{1,38}[a-z0-9]$'", name="slug"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    # Permanent and opaque: names the schema and the role, survives renames, is never reused.
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="active")
    bucket: Mapped[int] = mapped_column(SmallInteger)
    # Raised by whatever the gate caches: status, modules, permissions.
    epoch: Mapped[int] = mapped_column(BigInteger, server_default="0")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    locale: Mapped[str | None]
    time_zone: Mapped[str | None]


class TenantModule(CatalogueTable):
    """An index of each tenant's own ``insula_migrations``, which holds the truth."""

    __tablename__ = "tenant_modules"

    tenant_id: Mapped[UUID] = mapped_column(
        ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True
    )
    module: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    enabled: Mapped[bool]
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class CatalogueMigration(CatalogueTable):
    __tablename__ = "insula_migrations"

    module: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    checksum: Mapped[str]
    applied_at: Mapped[datetime] = mapped_column(server_default=func.now())


class CatalogueIdempotencyKey(CatalogueTable):
    """Answers to sign-ups, which have no tenant's schema to lie in."""

    __tablename__ = "idempotency_keys"

    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


class Migration(TenantTable):
    """What has been applied to this schema, module by module; the tenant's role may only read."""

    __tablename__ = "insula_migrations"

    module: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    checksum: Mapped[str]
    applied_at: Mapped[datetime] = mapped_column(server_default=func.now())


class IdempotencyKey(TenantTable):
    """The first answer to each ``Idempotency-Key``, kept for a day."""

    __tablename__ = "idempotency_keys"

    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
