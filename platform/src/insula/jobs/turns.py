"""Every statement on turns: which job is due, whose turn is next, who has it in hand."""

from uuid import UUID

import msgspec
from sqlalchemy import (
    BigInteger,
    DateTime,
    Float,
    Integer,
    Text,
    Uuid,
    bindparam,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from insula.db import Statement, binds
from insula.jobs.tables import TurnRow


class Turn(msgspec.Struct, frozen=True):
    """A turn on its way to a worker."""

    tenant: int
    job_id: UUID
    name: str
    turn: int


class Taken(msgspec.Struct, frozen=True):
    """A turn that a worker has in hand."""

    name: str
    ticket: UUID
    traceparent: str


class Beat(msgspec.Struct, frozen=True):
    """What a worker learns of its turns when it says that it is alive."""

    tenant: int
    job_id: UUID
    cancelled: bool


class Backlog(msgspec.Struct, frozen=True):
    """What there is to do."""

    waiting: int
    lag: float
    """Seconds since the oldest waiting one was due."""


_tenant = bindparam("number", type_=BigInteger)
_job = bindparam("job", type_=Uuid)
_holder = bindparam("worker", type_=Uuid)
_names = bindparam("names", type_=ARRAY(Text))
_lease = func.now() + func.make_interval(0, 0, 0, 0, 0, 0, bindparam("seconds", type_=Float))
_this = (TurnRow.tenant == _tenant, TurnRow.job_id == _job)
_in_hand = (*_this, TurnRow.holder == _holder)
_TURN = (TurnRow.tenant, TurnRow.job_id, TurnRow.name, TurnRow.turn)

_new = upsert(TurnRow).values(
    **binds("tenant", "job_id", "name", "traceparent", "ticket"), due_at=func.now()
)
ADD = Statement(
    _new.on_conflict_do_update(
        index_elements=[TurnRow.tenant, TurnRow.job_id],
        set_={
            name: _new.excluded[name]
            for name in ("name", "traceparent", "due_at", "ticket", "cancelled")
        },
    )
)
CANCEL = Statement(update(TurnRow).where(*_this).values(cancelled=True))

# One worker at a time hands out turns: two of them would each count what is in hand without what
# the other is about to hand out.
LOCK = Statement(text("LOCK TABLE spool.crons IN SHARE UPDATE EXCLUSIVE MODE"))

# The tenants that wait are found one by one in the index, and each shows only as many jobs as it
# may have in hand: however many one tenant piles up, the statement costs the same. Whoever has
# least in hand comes first.
HAND_OUT = Statement(
    text("""
    WITH RECURSIVE tenants AS (
        (SELECT tenant FROM spool.job_turns WHERE lease IS NULL ORDER BY tenant LIMIT 1)
        UNION ALL
        SELECT (
            SELECT next.tenant FROM spool.job_turns AS next
            WHERE next.lease IS NULL AND next.tenant > tenants.tenant
            ORDER BY next.tenant LIMIT 1
        ) FROM tenants WHERE tenants.tenant IS NOT NULL
    ), room AS (
        SELECT greatest(0, :room - count(*)) AS room FROM spool.job_turns
        WHERE lease IS NOT NULL AND holder IS NULL
    ), chosen AS (
        SELECT tenants.tenant, due.job_id,
            busy.jobs + row_number() OVER (
                PARTITION BY tenants.tenant ORDER BY due_at, job_id
            ) AS place
        FROM tenants
        CROSS JOIN LATERAL (
            SELECT count(*) AS jobs FROM spool.job_turns AS leased
            WHERE leased.tenant = tenants.tenant AND leased.lease IS NOT NULL
        ) AS busy
        CROSS JOIN LATERAL (
            SELECT job_id, due_at FROM spool.job_turns AS waiting
            WHERE waiting.tenant = tenants.tenant AND waiting.lease IS NULL
                AND waiting.due_at <= now() AND waiting.name = ANY(:names)
            ORDER BY waiting.due_at, waiting.job_id
            LIMIT greatest(0, :limit - busy.jobs)
        ) AS due
        WHERE tenants.tenant IS NOT NULL
        ORDER BY place, due_at
        LIMIT (SELECT room FROM room)
    ), leased AS (
        UPDATE spool.job_turns AS turns
        SET turn = turns.turn + 1, holder = NULL,
            lease = now() + make_interval(secs => :seconds)
        FROM chosen
        WHERE turns.tenant = chosen.tenant AND turns.job_id = chosen.job_id
            AND turns.lease IS NULL
        RETURNING turns.tenant, turns.job_id, turns.name, turns.turn, chosen.place
    )
    SELECT tenant, job_id, name, turn FROM leased ORDER BY place
    """)
    .bindparams(
        bindparam("room", type_=Integer),
        bindparam("limit", type_=Integer),
        bindparam("seconds", type_=Float),
        _names,
    )
    .columns(*_TURN),
    Turn,
)

# A message that is on its way for so long may be lost with Redis' memory. It is sent again under
# the same key: where the first one is still there, Redis drops the second.
RENEW = Statement(
    update(TurnRow)
    .where(TurnRow.lease < func.now(), TurnRow.holder.is_(None), TurnRow.name == func.any(_names))
    .values(lease=_lease)
    .returning(*_TURN),
    Turn,
)
# A worker that hasn't said for so long that it is alive has died: its jobs wait for another turn.
RECLAIM = Statement(
    update(TurnRow)
    .where(TurnRow.lease < func.now(), TurnRow.holder.is_not(None))
    .values(lease=None, holder=None)
)
# Sent in vain: the turn waits again.
TAKE_BACK = Statement(
    update(TurnRow)
    .where(
        *_this, TurnRow.turn == bindparam("number_of_turn", type_=Integer), TurnRow.holder.is_(None)
    )
    .values(lease=None)
)
TAKE = Statement(
    update(TurnRow)
    .where(
        *_this,
        TurnRow.turn == bindparam("number_of_turn", type_=Integer),
        TurnRow.holder.is_(None),
        TurnRow.lease.is_not(None),
    )
    .values(holder=_holder, lease=_lease)
    .returning(TurnRow.name, TurnRow.ticket, TurnRow.traceparent),
    Taken,
)
BEAT = Statement(
    update(TurnRow)
    .where(
        TurnRow.holder == _holder,
        TurnRow.job_id == func.any(bindparam("jobs", type_=ARRAY(Uuid))),
    )
    .values(lease=_lease)
    .returning(TurnRow.tenant, TurnRow.job_id, TurnRow.cancelled),
    Beat,
)
DROP = Statement(delete(TurnRow).where(*_in_hand, TurnRow.ticket == bindparam("of_ticket")))
RELEASE = Statement(
    update(TurnRow)
    .where(*_in_hand)
    .values(
        lease=None,
        holder=None,
        due_at=func.coalesce(bindparam("due", type_=DateTime(timezone=True)), TurnRow.due_at),
    )
)
# Of a tenant that is suspended.
POSTPONE = Statement(
    update(TurnRow)
    .where(TurnRow.tenant == _tenant, TurnRow.lease.is_(None), TurnRow.due_at < func.now())
    .values(
        due_at=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, bindparam("seconds", type_=Float))
    )
)
FORGET_TENANT = Statement(delete(TurnRow).where(TurnRow.tenant == _tenant))
COUNT = Statement(
    select(
        func.count().label("waiting"),
        func.coalesce(
            func.extract("epoch", func.now() - func.min(TurnRow.due_at)).cast(Float), 0.0
        ).label("lag"),
    ).where(TurnRow.lease.is_(None), TurnRow.due_at <= func.now()),
    Backlog,
)
