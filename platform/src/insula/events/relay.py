"""The relay: takes what tenants have put into the outbox, numbers events and starts jobs.

Any number of workers may run one. PostgreSQL's NOTIFY wakes it; it also looks every second, for
what is due later and for a NOTIFY that was lost.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import structlog
from sqlalchemy import BigInteger, Text, bindparam, case, cast, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from insula.db import Database, Statement, Work
from insula.db.listening import first_of
from insula.events import log as events_log
from insula.events.following import Following, Standing
from insula.events.outbox import EventBody, OutboxRow
from insula.events.tables import EventLane
from insula.tenancy import building
from insula.tenancy.cells import CATALOGUE_PRELUDE
from insula.tenancy.tables import TenantRow
from insula.tenancy.tenant import BY_ID, Tenant, number_of

log = structlog.get_logger("insula.relay")

CHANNEL = "insula_outbox"
_BATCH = 500
_LANES = 100
_JOB_BODY = 4096
"""Bytes of a job in the outbox: its id, its name, its trace."""
_AT_ONCE = 4
"""Tenants whose consumers are served at the same time."""
_LOOK_SECONDS = 1.0
_PRUNE_EVERY = 1000
"""A tenant's log is pruned each time that its numbers pass a multiple of this."""


class Waiting(msgspec.Struct, frozen=True):
    """A row of the outbox."""

    id: int
    body: Any


class DueJob(msgspec.Struct, frozen=True):
    """A job whose time has come."""

    role: str
    """Who wrote it: ``t_<number>``, unless somebody went astray."""
    body: str | None
    """JSON, as it is; None where there is more of it than a job has to say."""


StartJobs = Callable[[Sequence[DueJob]], Awaitable[None]]
"""Hands jobs to the queue; may be called twice with the same job."""


class Relay:
    """See the module's docstring."""

    def __init__(
        self, catalogue: Database, following: Following, start_jobs: StartJobs, *, keep: timedelta
    ) -> None:
        self._catalogue = catalogue
        self._following = following
        self._start_jobs = start_jobs
        self._keep = keep
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look at once."""
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Relay until ``stop`` is set; what is under way is finished."""
        pause = _LOOK_SECONDS
        while not stop.is_set():
            self._wake.clear()
            try:
                more = await self.step()
                pause = _LOOK_SECONDS
            except Exception as error:
                log.warning("relay failed", exc_info=error)
                more, pause = False, min(30.0, pause * 2)
            if not more:
                await first_of(self._wake.wait(), stop.wait(), seconds=pause)

    async def step(self) -> bool:
        """Take what is there; whether there may be more."""
        lanes = await self._number_events()
        behind = await self._reading().many(_BEHIND, most=_LANES)
        await self._serve({*lanes, *behind})
        started = await self._start_due_jobs()
        return len(lanes) == _LANES or len(behind) == _LANES or started == _BATCH

    def _reading(self) -> Work:
        return self._catalogue.work(0, CATALOGUE_PRELUDE, writes=False)

    # Events

    async def _number_events(self) -> list[UUID]:
        """Move events of every tenant that has some from the outbox to its log."""
        moved = []
        for role in await self._reading().many(_ROLES, most=_LANES):
            try:
                async with self._catalogue.transaction(0, CATALOGUE_PRELUDE) as catalogue:
                    tenant = await self._number(catalogue, role)
            except Exception as error:  # rows of one tenant must not hold up the others'
                log.warning("events cannot be numbered", role=role, exc_info=error)
                continue
            if tenant is not None:
                moved.append(tenant.id)
        return moved

    async def _number(self, catalogue: Work, role: str) -> Tenant | None:
        try:
            number = number_of(role)
        except ValueError:  # a login that has lost its way: there is no tenant to tell
            await catalogue.execute(_DROP, role=role)
            return None
        await catalogue.execute(_ADD_LANE, number=number)
        lane = await catalogue.find(_LOCK_LANE, number=number)
        if lane is None:
            await self._drop_orphans(catalogue, role, number)
            return None
        tenant = Tenant(await catalogue.one(BY_ID, id=lane.tenant_id))
        waiting = await catalogue.many(_TAKE_EVENTS, role=role, most=_BATCH)
        rows = [
            _row(lane.last_seq + place, row)
            for place, row in enumerate(sorted(waiting, key=lambda row: row.id), 1)
        ]
        if not rows:
            return None
        last = lane.last_seq + len(rows)
        await catalogue.execute(_SET_LAST, tenant=tenant.id, last=last)
        await catalogue.run_script(building.enter(number))
        names = self._following.names(tenant)
        await catalogue.execute(events_log.ADD_CURSORS, consumers=names, seq=lane.last_seq)
        await catalogue.execute_many(events_log.APPEND, rows)
        if last // _PRUNE_EVERY > lane.last_seq // _PRUNE_EVERY:
            before = datetime.now(UTC) - self._keep
            await catalogue.execute(events_log.PRUNE, before=before, seq=lane.done_seq)
        await catalogue.run_script(building.LEAVE)
        return tenant

    async def _drop_orphans(self, catalogue: Work, role: str, number: int) -> None:
        """A tenant that is gone has left rows. (Or another relay holds the lane.)"""
        if await catalogue.find(_EXISTS, number=number) is None:
            await catalogue.execute(_DROP, role=role)

    # Consumers

    async def _serve(self, tenants: set[UUID]) -> None:
        limit = asyncio.Semaphore(_AT_ONCE)

        async def serve(tenant_id: UUID) -> None:
            async with limit:
                try:
                    await self._catch_up(tenant_id)
                except Exception as error:
                    log.warning("following failed", tenant=str(tenant_id), exc_info=error)

        async with asyncio.TaskGroup() as group:
            for tenant_id in tenants:
                group.create_task(serve(tenant_id))

    async def _catch_up(self, tenant_id: UUID) -> None:
        record = await self._reading().find(BY_ID, id=tenant_id)
        if record is None or record.status != "active":
            return
        standing = await self._following.catch_up(Tenant(record))
        await self._settle(tenant_id, standing)

    async def _settle(self, tenant_id: UUID, standing: Standing) -> None:
        async with self._catalogue.transaction(0, CATALOGUE_PRELUDE) as catalogue:
            await catalogue.execute(
                _SET_DONE, tenant=tenant_id, done=standing.done_seq, retry=standing.retry_at
            )

    # Jobs

    async def _start_due_jobs(self) -> int:
        """Hand over what is due. The rows go when the queue has the jobs, so that a crash in
        between hands them over once more."""
        async with self._catalogue.transaction(0, CATALOGUE_PRELUDE) as catalogue:
            due = await catalogue.many(_TAKE_JOBS, most=_BATCH)
            if due:
                await self._start_jobs(due)
        return len(due)


def _row(seq: int, waiting: Waiting) -> dict[str, Any]:
    body = msgspec.convert(waiting.body, EventBody)
    return {"seq": seq, **msgspec.structs.asdict(body), "channels": list(body.channels)}


# Statements

_LANE = (EventLane.tenant_id, EventLane.last_seq, EventLane.done_seq)
_most = bindparam("most", type_=BigInteger)
_number = bindparam("number", type_=BigInteger)
_role: Any = bindparam("role")


class Lane(msgspec.Struct, frozen=True):
    tenant_id: UUID
    last_seq: int
    done_seq: int


_ROLES = Statement(
    select(OutboxRow.tenant).where(OutboxRow.kind == "event").distinct().limit(_most), str
)
_ADD_LANE = Statement(
    upsert(EventLane)
    .from_select(["tenant_id"], select(TenantRow.id).where(TenantRow.number == _number))
    .on_conflict_do_nothing()
)
_LOCK_LANE = Statement(
    select(*_LANE)
    .join(TenantRow, TenantRow.id == EventLane.tenant_id)
    .where(TenantRow.number == _number)
    .with_for_update(of=EventLane, skip_locked=True),
    Lane,
)
_EXISTS = Statement(select(TenantRow.id).where(TenantRow.number == _number), UUID)
_DROP = Statement(delete(OutboxRow).where(OutboxRow.tenant == _role))
_oldest = (
    select(OutboxRow.id)
    .where(OutboxRow.tenant == _role, OutboxRow.kind == "event")
    .order_by(OutboxRow.id)
    .limit(_most)
    .cte("oldest")
)
_TAKE_EVENTS = Statement(
    delete(OutboxRow).where(OutboxRow.id == _oldest.c.id).returning(OutboxRow.id, OutboxRow.body),
    Waiting,
)
_due = (
    select(OutboxRow.id)
    .where(OutboxRow.kind == "job", OutboxRow.due_at <= func.now())
    .order_by(OutboxRow.due_at)
    .limit(_most)
    .with_for_update(skip_locked=True)
    .cte("due")
)
# The rows of all tenants: nothing in one of them may fail the statement, nor fill the memory.
_body = case((func.pg_column_size(OutboxRow.body) <= _JOB_BODY, cast(OutboxRow.body, Text)))
_TAKE_JOBS = Statement(
    delete(OutboxRow)
    .where(OutboxRow.id == _due.c.id)
    .returning(OutboxRow.tenant.label("role"), _body.label("body")),
    DueJob,
)
_SET_LAST = Statement(
    update(EventLane)
    .where(EventLane.tenant_id == bindparam("tenant"))
    .values(last_seq=bindparam("last", type_=BigInteger), retry_at=None)
)
_done = bindparam("done", type_=BigInteger)
_SET_DONE = Statement(
    update(EventLane)
    .where(EventLane.tenant_id == bindparam("tenant"), EventLane.done_seq < EventLane.last_seq)
    .values(
        done_seq=func.greatest(EventLane.done_seq, func.least(EventLane.last_seq, _done)),
        retry_at=bindparam("retry"),
    )
)
_BEHIND = Statement(
    select(EventLane.tenant_id)
    .join(TenantRow, TenantRow.id == EventLane.tenant_id)
    .where(
        EventLane.done_seq < EventLane.last_seq,
        or_(EventLane.retry_at.is_(None), EventLane.retry_at <= func.now()),
        TenantRow.status == "active",
    )
    .limit(_most),
    UUID,
)
