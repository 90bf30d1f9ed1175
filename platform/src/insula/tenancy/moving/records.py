"""What the catalogue knows of moves, and every statement on it."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import (
    BigInteger,
    Float,
    SmallInteger,
    Text,
    Uuid,
    bindparam,
    case,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from insula.db import Statement, binds
from insula.tenancy.tables import MoveRow, TenantModule, TenantRow

M = MoveRow
_tenant = bindparam("tenant", type_=Uuid)


class Move(msgspec.Struct, frozen=True):
    """A tenant's latest move."""

    tenant_id: UUID
    number: int
    slug: str
    source: int
    target: int
    phase: str
    status: str
    copied: list[str]
    size: int
    started_at: datetime
    paused_at: datetime | None
    switched_at: datetime | None
    pause: float | None
    """Seconds for which writes waited."""


_MOVE = (
    M.tenant_id,
    TenantRow.number,
    TenantRow.slug,
    M.source,
    M.target,
    M.phase,
    M.status,
    M.copied,
    M.size,
    M.started_at,
    M.paused_at,
    M.switched_at,
    func.extract("epoch", M.switched_at - M.paused_at).cast(Float).label("pause"),
)
_moves = select(*_MOVE).join(TenantRow, TenantRow.id == M.tenant_id)
OF_TENANT = Statement(_moves.where(M.tenant_id == _tenant), Move)
ALL = Statement(_moves.order_by(M.started_at), Move)
UNATTENDED = Statement(
    _moves.where((M.phase == "paused") | (M.phase == "switched")).order_by(M.started_at), Move
)
"""Moves that must not stay as they are: somebody waits, or something is there twice."""


class Load(msgspec.Struct, frozen=True):
    bucket: int
    tenants: int


LOAD = Statement(
    select(TenantRow.bucket, func.count().label("tenants"))
    .where(TenantRow.bucket.between(bindparam("first"), bindparam("last")))
    .group_by(TenantRow.bucket),
    Load,
)

_new = upsert(M).values(**binds("tenant_id", "source", "target"))
BEGIN = Statement(
    _new.on_conflict_do_update(
        index_elements=[M.tenant_id],
        set_={
            "source": _new.excluded.source,
            "target": _new.excluded.target,
            "phase": "copying",
            "copied": [],
            "size": 0,
            "started_at": func.now(),
            "changed_at": func.now(),
            "paused_at": None,
            "switched_at": None,
        },
        where=M.phase == "done",
    )
)
START_OVER = Statement(
    update(M).where(M.tenant_id == _tenant).values(copied=[], size=0, changed_at=func.now())
)
COPIED = Statement(
    update(M)
    .where(M.tenant_id == _tenant)
    .values(
        copied=func.array_append(M.copied, bindparam("name", type_=Text)),
        size=M.size + bindparam("bytes", type_=BigInteger),
        changed_at=func.now(),
    )
)
PAUSED = Statement(
    update(M)
    .where(M.tenant_id == _tenant, M.phase == "copying")
    .values(
        phase="paused",
        status=bindparam("before", type_=Text),
        paused_at=func.clock_timestamp(),
        changed_at=func.now(),
    )
)
SWITCHED = Statement(
    update(M)
    .where(M.tenant_id == _tenant)
    .values(phase="switched", switched_at=func.clock_timestamp(), changed_at=func.now())
)
DONE = Statement(
    update(M).where(M.tenant_id == _tenant).values(phase="done", changed_at=func.now())
)
RESUMED = Statement(
    update(M)
    .where(M.tenant_id == _tenant)
    .values(phase="copying", paused_at=None, changed_at=func.now())
)
FORGET = Statement(M.__table__.delete().where(M.tenant_id == _tenant))  # type: ignore[attr-defined]

STATUS = Statement(select(TenantRow.status).where(TenantRow.id == _tenant).with_for_update(), str)
LOCK_MODULES = Statement(
    select(TenantModule.module).where(TenantModule.tenant_id == _tenant).with_for_update(), str
)
SET_STATUS = Statement(
    update(TenantRow)
    .where(TenantRow.id == _tenant)
    .values(
        # Whoever suspended or deleted it meanwhile has the last word.
        status=case(
            (
                (TenantRow.status == "moving") | (bindparam("new", type_=Text) == "moving"),
                bindparam("new", type_=Text),
            ),
            else_=TenantRow.status,
        ),
        bucket=bindparam("place", type_=SmallInteger),
        epoch=TenantRow.epoch + 1,
        updated_at=func.now(),
    )
    .returning(TenantRow.epoch),
    int,
)
