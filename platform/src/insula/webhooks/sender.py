"""The sender: in every worker, takes turns of endpoints that have something to be sent.

A turn is a lease in ``spool.webhook_queue``, so one worker sends to an endpoint at a time, and what
a worker held that dies goes to another. Slow endpoints hold up nobody else: a turn is a task that
mostly waits, and no tenant has more than a share of them.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

import structlog

from insula.db import Database, Work
from insula.db.listening import first_of
from insula.egress import Egress
from insula.telemetry.tracing import Tracing
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME, cell_of
from insula.tenancy.tenant import BY_NUMBER, Tenant, number_of
from insula.webhooks import queries, sending
from insula.webhooks.draining import BATCH, Drain
from insula.webhooks.posting import Clock, Poster
from insula.webhooks.schedule import Random, is_failing
from insula.webhooks.sending import Endpoint, Turn
from insula.webhooks.signing import Secrets

log = structlog.get_logger("insula.webhooks")

CHANNEL: Final = "insula_webhooks"
"""What PostgreSQL notifies of more to send."""
TURNS: Final = 200
TURNS_OF_TENANT: Final = 10
"""With eight requests each, less than the connections that there may be to one host: a tenant whose
receiver is slow leaves some to others who use the same service."""
_LEASE: Final = timedelta(seconds=30)
"""So long after a worker died its turns go to others; while it lives it renews them."""
_SUSPENDED: Final = timedelta(minutes=10)
_MOVING: Final = timedelta(seconds=1)
_LOOK_SECONDS: Final = 1.0


Queue = Callable[[], AbstractAsyncContextManager[Work]]
"""A transaction of the platform on a cell's queue."""


class LeaseLost(Exception):
    """Another worker has taken over: this one was too slow."""


class Sender:
    """See the module's docstring. ``clock`` is the time by which things are due, for tests that
    play days."""

    def __init__(
        self,
        tenants: Database,
        catalogue: Database,
        egress: Egress,
        secrets: Secrets,
        tracing: Tracing,
        *,
        cell: int = HOME,
        clock: Clock = lambda: datetime.now(UTC),
        rand: Random = random.random,
    ) -> None:
        self._tenants = tenants
        self._catalogue = catalogue
        self._cell = cell
        self._queue = partial(catalogue.transaction, cell, CATALOGUE_PRELUDE)
        self._poster = Poster(egress, secrets, tracing, clock)
        self._clock = clock
        self._rand = rand
        self._wake = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._turns: Counter[str] = Counter()

    def wake(self) -> None:
        """Look at once."""
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until ``stop`` is set; requests under way are finished."""
        try:
            while not stop.is_set():
                self._wake.clear()
                if not await self._look():
                    await first_of(self._wake.wait(), stop.wait(), seconds=_LOOK_SECONDS)
        finally:
            await self._finish()

    async def step(self) -> int:
        """Take every turn that is due and see it through; how many there were."""
        turns = await self._claim()
        await asyncio.gather(*(self._take(turn, held) for turn, held in turns))
        return len(turns)

    async def _look(self) -> bool:
        """Begin the turns that are due; whether there may be more."""
        if len(self._running) >= TURNS:
            return False  # whichever ends wakes us
        try:
            turns = await self._claim()
        except Exception as error:
            log.warning("cannot claim webhooks", exc_info=error)
            return False
        for turn, held in turns:
            self._begin(turn.tenant, self._take(turn, held))
        return len(turns) > 0

    def _begin(self, tenant: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        self._turns[tenant] += 1

        def end(task: asyncio.Task[None]) -> None:
            self._running.discard(task)
            self._turns[tenant] -= 1
            if not self._turns[tenant]:
                del self._turns[tenant]
            self._wake.set()

        task.add_done_callback(end)

    async def _finish(self) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=20)
        for task in self._running:
            task.cancel()

    async def _claim(self) -> list[tuple[Turn, datetime]]:
        now = self._clock()
        busy = [tenant for tenant, turns in self._turns.items() if turns >= TURNS_OF_TENANT]
        most = min(TURNS_OF_TENANT, TURNS - len(self._running))
        async with self._queue() as tx:
            turns = await tx.many(sending.CLAIM, now=now, until=now + _LEASE, busy=busy, most=most)
        return [(turn, now + _LEASE) for turn in turns]

    async def _take(self, turn: Turn, held: datetime) -> None:
        """See a turn through. If it fails, the lease runs out and the turn comes again."""
        lease = _Lease(self._queue, turn, held, self._clock)
        try:
            tenant = await self._find(turn)
            if tenant is None:
                await lease.forget()
            elif tenant.status == "moving" or cell_of(tenant.bucket) != self._cell:
                await lease.finish(due=self._clock() + _MOVING)
            elif tenant.status != "active":
                await lease.finish(due=self._clock() + _SUSPENDED)
            else:
                await self._drain(tenant, turn.webhook_id, lease)
        except LeaseLost:
            log.warning("webhook lease lost", tenant=turn.tenant, webhook=str(turn.webhook_id))
        except Exception as error:
            log.warning("webhook turn failed", webhook=str(turn.webhook_id), exc_info=error)

    async def _find(self, turn: Turn) -> Tenant | None:
        catalogue = self._catalogue.work(HOME, CATALOGUE_PRELUDE, writes=False)
        record = await catalogue.find(BY_NUMBER, number=number_of(turn.tenant))
        return Tenant(record) if record is not None else None

    async def _drain(self, tenant: Tenant, webhook_id: UUID, lease: "_Lease") -> None:
        """Send batches until nothing is due. The endpoint is read again for each: it may have been
        changed, and its secret rotated."""
        reading = self._tenants.work(tenant.bucket, tenant.prelude, writes=False)
        while True:
            endpoint = await reading.find(sending.ENDPOINT, id=webhook_id)
            if endpoint is None:
                return await lease.forget()
            if endpoint.status != "active":
                async with self._transaction(tenant)() as tx:
                    await tx.execute(queries.GIVE_UP, webhook=webhook_id)
                return await lease.finish()
            drain = await self._send_batch(tenant, endpoint, reading, lease)
            if drain is None:
                due = await reading.find(sending.NEXT_AT, id=webhook_id)
                return await lease.finish(due=due)
            if drain.is_over:
                now = self._clock()
                return await lease.finish(due=now, paused=now + (drain.pause or timedelta()))

    async def _send_batch(
        self, tenant: Tenant, endpoint: Endpoint, reading: Work, lease: "_Lease"
    ) -> Drain | None:
        most = 1 if is_failing(endpoint.failures) else BATCH
        waiting = await reading.many(sending.TAKE, id=endpoint.id, now=self._clock(), most=most)
        if not waiting:
            return None
        drain = Drain(
            tenant,
            endpoint,
            self._poster,
            self._transaction(tenant),
            lease.renew,
            clock=self._clock,
            rand=self._rand,
        )
        await drain.run(waiting)
        return drain

    def _transaction(self, tenant: Tenant) -> Callable[[], AbstractAsyncContextManager[Work]]:
        return lambda: self._tenants.transaction(tenant.bucket, tenant.prelude)


class _Lease:
    """The row of the queue that says that an endpoint is ours for now."""

    def __init__(self, queue: Queue, turn: Turn, held: datetime, clock: Clock) -> None:
        self._queue = queue
        self._turn = {"role": turn.tenant, "webhook": turn.webhook_id}
        self._held = held
        self._clock = clock

    async def renew(self) -> None:
        """
        Raises:
            LeaseLost: it ran out, and somebody else has it.
        """
        until = self._clock() + _LEASE
        if until - self._held < _LEASE / 3:
            return
        if not await self._execute(sending.RENEW, until=until):
            raise LeaseLost
        self._held = until

    async def finish(self, due: datetime | None = None, paused: datetime | None = None) -> None:
        """Give it back, until ``due`` or until there is more."""
        await self._execute(sending.FINISH, due=due, paused=paused)

    async def forget(self) -> None:
        """There is no such endpoint any more."""
        async with self._queue() as tx:
            await tx.execute(sending.FORGET, **self._turn)

    async def _execute(self, statement: Any, **values: Any) -> int:
        async with self._queue() as tx:
            return await tx.execute(statement, **self._turn, held=self._held, **values)
