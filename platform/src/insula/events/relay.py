"""The relay: takes what tenants have put into the outbox, numbers events and starts jobs.

Each cell has one in every worker. PostgreSQL's NOTIFY wakes it; it also looks every second, for
what is due later and for a NOTIFY that was lost.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import structlog

from insula.db import Database, Work
from insula.db.listening import first_of
from insula.events import lanes
from insula.events import log as events_log
from insula.events.following import Following, Standing
from insula.events.lanes import DueJob, Lane, Waiting
from insula.events.outbox import EventBody
from insula.tenancy import building
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME, cell_of
from insula.tenancy.tenant import BY_NUMBER, Tenant, TenantRecord, number_of, schema_name

log = structlog.get_logger("insula.relay")

CHANNEL = "insula_outbox"
_BATCH = 500
_LANES = 100
"""Tenants that are looked after, or wait for it, at the same time."""
_NUMBERED, _SERVED = 4, 8
"""Tenants whose events are numbered, and whose consumers are served, at the same time."""
_LOOK_SECONDS = 1.0
_AWAY = timedelta(seconds=5)
"""How long a tenant that is suspended, or elsewhere, is left alone."""
_PATIENCE = "SET LOCAL lock_timeout = '2s';"
"""Somebody may have a tenant's log locked; the provisioner would wait for as long as that takes."""
_PRUNE_EVERY = 1000
"""A tenant's log is pruned each time that its numbers pass a multiple of this."""


StartJobs = Callable[[Sequence[DueJob]], Awaitable[None]]
"""Hands jobs to the queue; may be called twice with the same job."""


class Relay:
    """See the module's docstring."""

    def __init__(
        self,
        catalogue: Database,
        following: Following,
        start_jobs: StartJobs,
        *,
        keep: timedelta,
        cell: int = HOME,
    ) -> None:
        self._catalogue = catalogue
        self._cell = cell
        self._following = following
        self._start_jobs = start_jobs
        self._keep = keep
        self._wake = asyncio.Event()
        self._numbering, self._serving = asyncio.Semaphore(_NUMBERED), asyncio.Semaphore(_SERVED)
        self._busy: dict[int, asyncio.Task[None]] = {}
        """Tenants that are being looked after. Each has a task of its own: where one's tables are
        locked, the others do not wait."""
        self._missed: set[int] = set()
        """Those of them for whom there was more meanwhile."""
        self._after = ""
        """The last of those whose events were looked at, where there were more than a step takes:
        the next step goes on with whoever comes after."""

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
        await self.finished()

    async def step(self) -> bool:
        """Begin with what is there; whether there may be more."""
        rest = await self._look_after_all()
        return await self._start_due_jobs() or rest

    async def finished(self) -> None:
        """Return once nobody is being looked after."""
        while self._busy:
            await asyncio.wait(self._busy.values())

    def _home(self) -> Work:
        return self._catalogue.work(HOME, CATALOGUE_PRELUDE, writes=False)

    def _here(self) -> Work:
        return self._catalogue.work(self._cell, CATALOGUE_PRELUDE, writes=False)

    def _transaction(self) -> AbstractAsyncContextManager[Work]:
        return self._catalogue.transaction(self._cell, CATALOGUE_PRELUDE)

    # Tenants

    async def _look_after_all(self) -> bool:
        """Begin with those who have events in the outbox or consumers that are behind, as many as
        there is room for; whether there may be more."""
        room = _LANES - len(self._busy)
        if room <= 0:  # who is ready first wakes the relay
            return False
        roles = await self._here().many(lanes.ROLES, after=self._after, most=_LANES)
        behind = await self._here().many(lanes.BEHIND, most=_LANES, besides=list(self._busy))
        self._after = roles[-1] if len(roles) == _LANES else ""
        writing = [number for role in roles if (number := await self._known(role)) is not None]
        wanted = dict.fromkeys([*writing, *behind])
        self._missed.update(self._busy.keys() & wanted.keys())
        idle = [number for number in wanted if number not in self._busy][:room]
        for number in idle:
            looking = self._look_after(number, writes=number in writing, behind=number in behind)
            self._busy[number] = asyncio.create_task(looking)
        return len(idle) > 0 and _LANES in (len(roles), len(behind))

    async def _known(self, role: str) -> int | None:
        """Whose role it is."""
        try:
            return number_of(role)
        except ValueError:  # a login that has lost its way: there is no tenant to tell
            try:
                async with self._transaction() as tx:
                    await tx.execute(lanes.DROP, role=role)
            except Exception as error:
                log.warning("events of nobody cannot be dropped", role=role, exc_info=error)
            return None

    async def _look_after(self, number: int, *, writes: bool, behind: bool) -> None:
        numbered = 0
        try:
            if writes:
                async with self._numbering:
                    numbered = await self._number_events(number)
            if numbered or behind:
                async with self._serving:
                    await self._serve(number)
        except Exception as error:
            log.warning("following failed", tenant=number, exc_info=error)
        finally:
            was_crowded, was_missed = len(self._busy) >= _LANES, number in self._missed
            del self._busy[number]
            self._missed.discard(number)
        # Who got nowhere waits until the relay looks again by itself.
        if (numbered or behind) and (was_crowded or was_missed or numbered == _BATCH):
            self.wake()

    async def _number_events(self, number: int) -> int:
        """Move a tenant's events from the outbox to its log, as many as a step takes; how many."""
        try:
            async with self._transaction() as tx:
                return await self._number(tx, number)
        except Exception as error:  # what it has in its log is to be followed all the same
            log.warning("events cannot be numbered", tenant=number, exc_info=error)
            return 0

    async def _number(self, tx: Work, number: int) -> int:
        """Number a tenant's events; how many there were that are ours to number."""
        await tx.execute(lanes.ADD_LANE, tenant=number)
        lane = await tx.find(lanes.LOCK_LANE, number=number)
        if lane is None:  # another relay is at it
            return 0
        # Read under the lane's lock, which a move takes before it changes a tenant's place. Who
        # holds a connection at home does not wait for another one.
        home = tx if self._cell == HOME else self._home()
        record = await home.find(BY_NUMBER, number=number)
        if record is None or not self._is_here(record):
            if record is None:
                await self._drop_orphans(tx, number)
            return 0
        waiting = await tx.many(lanes.TAKE_EVENTS, role=schema_name(number), most=_BATCH)
        rows = [
            _row(lane.last_seq + place, row)
            for place, row in enumerate(sorted(waiting, key=lambda row: row.id), 1)
        ]
        if rows:
            await self._append(tx, Tenant(record), lane, rows)
        return len(rows)

    def _is_here(self, record: TenantRecord) -> bool:
        """Whether a tenant's events are this relay's. While it moves they wait."""
        return cell_of(record.bucket) == self._cell and record.status != "moving"

    async def _append(
        self, tx: Work, tenant: Tenant, lane: Lane, rows: list[dict[str, Any]]
    ) -> None:
        last = lane.last_seq + len(rows)
        await tx.execute(lanes.SET_LAST, number=tenant.number, last=last)
        await tx.run_script(_PATIENCE + building.enter(tenant.number))
        names = self._following.names(tenant)
        await tx.execute(events_log.ADD_CURSORS, consumers=names, seq=lane.last_seq)
        await tx.execute_many(events_log.APPEND, rows)
        if last // _PRUNE_EVERY > lane.last_seq // _PRUNE_EVERY:
            before = datetime.now(UTC) - self._keep
            await tx.execute(events_log.PRUNE, before=before, seq=lane.done_seq)
        await tx.run_script(building.LEAVE)

    async def _drop_orphans(self, tx: Work, number: int) -> None:
        """Drop what a tenant that is gone has left; one that is being made gets a minute. One that
        is on its way here has its lane already."""
        await tx.execute(lanes.DROP_ORPHANS, role=schema_name(number))
        await tx.execute(lanes.DROP_LANE, number=number)

    # Consumers

    async def _serve(self, number: int) -> None:
        """Serve a tenant's consumers if it is active, or look at it later."""
        record = await self._home().find(BY_NUMBER, number=number)
        if record is None or record.status != "active" or not self._is_here(record):
            await self._leave_alone(number, gone=record is None)
            return
        tenant = Tenant(record)
        await self._settle(tenant, await self._following.catch_up(tenant))

    async def _settle(self, tenant: Tenant, standing: Standing) -> None:
        async with self._transaction() as tx:
            await tx.execute(
                lanes.SET_DONE,
                number=tenant.number,
                done=standing.done_seq,
                retry=standing.retry_at,
            )

    async def _leave_alone(self, number: int, *, gone: bool) -> None:
        async with self._transaction() as tx:
            if gone:
                await tx.execute(lanes.DROP_LANE, number=number)
            else:
                await tx.execute(lanes.POSTPONE, number=number, retry=datetime.now(UTC) + _AWAY)

    # Jobs

    async def _start_due_jobs(self) -> bool:
        """Hand over what is due; whether there may be more. The rows go when the queue has the
        jobs, so that a crash in between hands them over once more. Where there is more than a
        batch, those who have nothing in it do not wait for those who have: theirs is another."""
        async with self._transaction() as tx:
            due = await tx.many(lanes.TAKE_JOBS, served=[], most=_BATCH)
            if is_full := len(due) == _BATCH:
                served = list({job.role for job in due})
                due += await tx.many(lanes.TAKE_JOBS, served=served, most=_BATCH)
            if due:
                await self._start_jobs(due)
        return is_full


def _row(seq: int, waiting: Waiting) -> dict[str, Any]:
    body = msgspec.convert(waiting.body, EventBody)
    return {"seq": seq, **msgspec.structs.asdict(body), "channels": list(body.channels)}
