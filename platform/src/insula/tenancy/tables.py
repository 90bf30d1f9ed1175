"""The catalogue: which tenants there are, where they live and what they have switched on."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from insula.db import CatalogueTable, TenantTable
from insula.db.marks import SHORT, stays


class TenantRow(CatalogueTable):
    __tablename__ = "tenants"
    __table_args__ = (
        CheckConstraint("status in ('active', 'suspended', 'deleted', 'moving')", name="status"),
        CheckConstraint("slug ~ '^[a-z][a-z0-9-]{1,38}[a-z0-9]$'", name="slug"),
        CheckConstraint("(status = 'deleted') = (purge_at IS NOT NULL)", name="deleted"),
        Index("ix_tenants_purge_at", "purge_at", postgresql_where=text("purge_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    # Permanent and opaque: names the schema and the role, survives renames, is never reused. It is
    # that of the slot which the tenant got.
    number: Mapped[int] = mapped_column(BigInteger, unique=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="active")
    bucket: Mapped[int] = mapped_column(SmallInteger, index=True)
    # Raised by whatever the gate caches: status, modules, permissions.
    epoch: Mapped[int] = mapped_column(BigInteger, server_default="0")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    locale: Mapped[str | None]
    time_zone: Mapped[str | None]
    # Why it is suspended, as its users are told.
    suspension: Mapped[str | None]
    limits: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    deleted_at: Mapped[datetime | None]
    # From when on there is no way back.
    purge_at: Mapped[datetime | None]
    # What undeleting it brings back.
    status_before: Mapped[str | None]


class FormerSlug(CatalogueTable):
    """A slug that a tenant has given up: it leads to the tenant for a while."""

    __tablename__ = "former_slugs"

    slug: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(
        ForeignKey("tenants.id", ondelete="CASCADE"), index=True
    )
    until: Mapped[datetime]


class DomainRow(CatalogueTable):
    """A tenant's own host name. Many may claim one; who proves it has it."""

    __tablename__ = "domains"
    __table_args__ = (
        Index(
            "uq_domains_verified",
            "name",
            unique=True,
            postgresql_where=text("verified_at IS NOT NULL"),
        ),
        Index("ix_domains_asked_at", "asked_at", postgresql_where=text("verified_at IS NOT NULL")),
    )

    tenant_id: Mapped[UUID] = mapped_column(
        ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    token: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    verified_at: Mapped[datetime | None]
    asked_at: Mapped[datetime | None]
    """When the DNS was asked last, answer or not."""
    failures: Mapped[int] = mapped_column(server_default="0")
    """How often running it has answered that the record is not there …"""
    failing_since: Mapped[datetime | None]
    """… and since when."""


class SlotRow(CatalogueTable):
    """A schema that belongs to nobody: being built ahead, free for the next sign-up, or being
    dropped. Whoever signs up takes the row away."""

    __tablename__ = "slots"
    __table_args__ = (CheckConstraint("state in ('building', 'free', 'dropping')", name="state"),)

    number: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    bucket: Mapped[int] = mapped_column(SmallInteger)
    state: Mapped[str] = mapped_column(server_default="building")
    # Of the newest of the core's migrations that was applied.
    version: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class CellRow(CatalogueTable):
    """A PostgreSQL server that has tenants (:mod:`insula.tenancy.cells`)."""

    __tablename__ = "cells"
    __table_args__ = (
        CheckConstraint("number >= 0", name="number"),
        CheckConstraint("state in ('open', 'draining', 'closed')", name="state"),
    )

    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(unique=True)
    url: Mapped[str]
    """Without login: passwords derive from the secret key. Home's is in the settings, as the number
    of its buckets is."""
    buckets: Mapped[int] = mapped_column(SmallInteger)
    capacity: Mapped[int]
    state: Mapped[str] = mapped_column(server_default="open")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class MoveRow(CatalogueTable):
    """A tenant's latest move to another cell (:mod:`insula.tenancy.moving`)."""

    __tablename__ = "moves"
    __table_args__ = (
        CheckConstraint("phase in ('copying', 'paused', 'switched', 'done')", name="phase"),
    )

    tenant_id: Mapped[UUID] = mapped_column(
        ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True
    )
    source: Mapped[int] = mapped_column(SmallInteger)
    """The bucket that it leaves."""
    target: Mapped[int] = mapped_column(SmallInteger)
    phase: Mapped[str] = mapped_column(server_default="copying")
    status: Mapped[str] = mapped_column(server_default="active")
    """The tenant's, before it was paused."""
    copied: Mapped[list[str]] = mapped_column(server_default="{}")
    """Tables whose first copy is complete."""
    size: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """Bytes that were copied."""
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    paused_at: Mapped[datetime | None]
    switched_at: Mapped[datetime | None]
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class TenantModule(CatalogueTable):
    """An index of each tenant's own ``insula_migrations``, which holds the truth."""

    __tablename__ = "tenant_modules"
    __table_args__ = (
        CheckConstraint("state in ('ok', 'quarantined')", name="state"),
        Index(
            "ix_tenant_modules_quarantined",
            "tenant_id",
            postgresql_where=text("state = 'quarantined'"),
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(
        ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True
    )
    module: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    enabled: Mapped[bool]
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    # A migration that failed at this tenant alone: it is left out until the operator says so.
    state: Mapped[str] = mapped_column(server_default="ok")
    error: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(server_default="0")
    attempted_at: Mapped[datetime | None]


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
    __table_args__ = ({"info": stays() | SHORT},)

    module: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    checksum: Mapped[str]
    applied_at: Mapped[datetime] = mapped_column(server_default=func.now())


class IdempotencyKey(TenantTable):
    """The first answer to each ``Idempotency-Key``, kept for a day."""

    __tablename__ = "idempotency_keys"
    __table_args__ = ({"info": stays()},)

    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
