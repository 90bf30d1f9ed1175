"""The part of a worker process that runs jobs and crons."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import structlog
from opentelemetry.trace import SpanKind

from insula.db import Work
from insula.db.ids import new_id
from insula.foundation import Foundation
from insula.jobs import metrics, queries, turns
from insula.jobs.crons import Crons
from insula.jobs.dispatch import Dispatcher, Due
from insula.jobs.running import Run
from insula.jobs.saq_queue import Hands, TurnQueue
from insula.jobs.turns import Taken
from insula.jobs.types import Cron, Job
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME, cell_of
from insula.tenancy.tenant import Tenant

log = structlog.get_logger("insula.jobs")

_BEAT_SECONDS = 3.0
"""Also how long it takes until a job that is called off is stopped."""
_TROUBLE_SECONDS = 5.0
"""When a job is tried again of which nothing could be written down."""
_LONG_AGO = datetime.fromtimestamp(0, UTC)
_AWAY_SECONDS = 300.0
"""How long the jobs of a suspended tenant are left alone."""
_PRUNE_EVERY = timedelta(hours=1)


class NoTenant(Exception):
    """A message that names no job of a tenant: nothing is run for it."""


class Place(NamedTuple):
    """A turn's row."""

    cell: int
    number: int
    """The tenant's."""
    job_id: UUID


class JobRunner:
    """Runs jobs of the kinds that it is given, and leaves others to workers that know them."""

    def __init__(
        self,
        foundation: Foundation,
        jobs: Sequence[Job[Any]],
        crons: Sequence[Cron] = (),
        *,
        services: Mapping[str, Any] | None = None,
        queue: str = "insula",
    ) -> None:
        self._settings = foundation.settings
        self._foundation = foundation
        self._services = dict(foundation.services if services is None else services)
        self._jobs = {job.name: job for job in jobs}
        self._id = new_id()
        self._queue = TurnQueue(foundation.settings.redis_url, queue)
        self._dispatchers: dict[int, Dispatcher] = {}
        self._crons = Crons(
            foundation.catalogue,
            crons,
            self._services,
            self._id,
            foundation.settings.job_lease_seconds,
        )
        self._runs: dict[Place, Run] = {}
        self._pruned: dict[int, datetime] = {}

    def dispatcher(self, cell: int) -> Dispatcher:
        """What hands out the turns of a cell."""
        if cell not in self._dispatchers:
            self._dispatchers[cell] = Dispatcher(
                self._foundation.catalogue, self._queue, self._jobs, self._settings, cell
            )
        return self._dispatchers[cell]

    async def start_jobs(self, due: Sequence[Due], *, cell: int = HOME) -> None:
        """What a cell's relay calls with jobs whose time has come."""
        await self.dispatcher(cell).accept(due)

    async def hand_out(self, cell: int, stop: asyncio.Event) -> None:
        """Hand out the turns of a cell until ``stop`` is set; :meth:`run` does so for home's."""
        if cell == HOME:
            return
        task = asyncio.create_task(self.dispatcher(cell).run())
        try:
            await stop.wait()
        finally:
            await _end([task])

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; then let what runs finish for a while, and give back the
        rest."""
        drain = self._settings.job_drain_seconds
        hands = Hands(
            self._queue, self._run_turn, concurrency=self._settings.job_concurrency, drain=drain
        )
        looking = [
            asyncio.create_task(self.dispatcher(HOME).run()),
            asyncio.create_task(self._crons.run()),
        ]
        holding = [asyncio.create_task(hands.start()), asyncio.create_task(self._beat())]
        stopping = asyncio.create_task(stop.wait())
        try:
            parts = [stopping, *looking, *holding]
            ended, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part in ended:
                part.result()
        finally:
            await _end([stopping, *looking])
            await asyncio.gather(hands.stop(), self._crons.drain(drain))
            await _end(holding)
            await self._queue.disconnect()

    # One turn

    async def _run_turn(self, _: Any, **message: Any) -> None:
        """What SAQ calls with each message.

        Raises:
            NoTenant: it names no job of a tenant.
        """
        place, turn = _read(message)
        async with self._spool(place.cell) as tx:
            taken = await tx.find(
                turns.TAKE,
                number=place.number,
                job=place.job_id,
                number_of_turn=turn,
                worker=self._id,
                seconds=self._settings.job_lease_seconds,
            )
        if taken is None:  # called off, over, or another turn by now
            return
        tenant = await self._tenant(place, taken.name)
        if tenant is None:
            await self._forget(place)
        elif tenant.status == "moving" or cell_of(tenant.bucket) != place.cell:
            await self._release(place, _soon(1))
        elif tenant.status != "active":
            await self._postpone(place)
        elif not self._is_on(tenant, taken.name):
            await self._call_off(tenant, place, taken.ticket)
        elif taken.name not in self._jobs:  # a newer worker's: let that one have it
            await self._release(place, _soon(1))
        else:
            await self._run_job(tenant, place, taken)
        self.dispatcher(place.cell).wake()

    async def _tenant(self, place: Place, name: str) -> Tenant | None:
        """The tenant; read again if it looks as if the job were not to run: what is remembered of
        it may be older than the job."""
        directory = self._foundation.directory
        home = self._foundation.catalogue.work(HOME, CATALOGUE_PRELUDE, writes=False)
        tenant = await directory.by_number(place.number, home)
        if tenant is None or (
            tenant.status == "active"
            and cell_of(tenant.bucket) == place.cell
            and self._is_on(tenant, name)
        ):
            return tenant
        directory.forget(tenant)
        return await directory.by_number(place.number, home)

    def _is_on(self, tenant: Tenant, name: str) -> bool:
        """Whether the module that the job belongs to is on; the core always is."""
        module = name.partition(".")[0]
        return module not in self._foundation.modules or module in tenant.modules

    async def _call_off(self, tenant: Tenant, place: Place, ticket: UUID) -> None:
        """The module has been switched off since."""
        async with self._foundation.tenants.transaction(tenant.bucket, tenant.prelude) as tx:
            await tx.execute(queries.CANCEL, job=place.job_id)
        await self._drop(place, ticket)

    async def _run_job(self, tenant: Tenant, place: Place, taken: Taken) -> None:
        foundation = self._foundation
        run = Run(foundation.tenants, self._services, self._jobs, tenant, place.job_id)
        self._runs[place] = run
        try:
            with foundation.tracing.span(
                f"job {taken.name}",
                taken.traceparent,
                SpanKind.CONSUMER,
                **{"insula.job.id": str(place.job_id), "insula.tenant": tenant.slug},
            ):
                due = await run()
        except BaseException as error:
            stopping = isinstance(error, asyncio.CancelledError)
            await self._release(place, _soon(0 if stopping else _TROUBLE_SECONDS))
            raise
        finally:
            self._runs.pop(place, None)
        if due is None:
            await self._drop(place, taken.ticket)
            await self._prune(tenant)
        else:
            await self._release(place, due)

    async def _drop(self, place: Place, ticket: UUID) -> None:
        """It is over, unless it has been asked for again meanwhile."""
        mine = {"number": place.number, "job": place.job_id, "worker": self._id}
        async with self._spool(place.cell) as tx:
            if not await tx.execute(turns.DROP, **mine, of_ticket=ticket):
                await tx.execute(turns.RELEASE, **mine, due=None)

    async def _release(self, place: Place, due: datetime) -> None:
        mine = {"number": place.number, "job": place.job_id, "worker": self._id}
        async with self._spool(place.cell) as tx:
            await tx.execute(turns.RELEASE, **mine, due=due)

    async def _forget(self, place: Place) -> None:
        """The tenant is gone."""
        async with self._spool(place.cell) as tx:
            await tx.execute(turns.FORGET_TENANT, number=place.number)

    async def _postpone(self, place: Place) -> None:
        """The tenant is suspended: none of its jobs need be looked at for a while."""
        async with self._spool(place.cell) as tx:
            await tx.execute(turns.POSTPONE, number=place.number, seconds=_AWAY_SECONDS)
        await self._release(place, _soon(_AWAY_SECONDS))

    async def _prune(self, tenant: Tenant) -> None:
        """Forget what has been over for long; a tenant without jobs has nothing to forget."""
        now = datetime.now(UTC)
        if self._pruned.get(tenant.number, _LONG_AGO) > now - _PRUNE_EVERY:
            return
        self._pruned[tenant.number] = now
        before = now - timedelta(days=self._settings.job_keep_days)
        async with self._foundation.tenants.transaction(tenant.bucket, tenant.prelude) as tx:
            await tx.execute(queries.PRUNE, before=before)

    # Being alive

    async def _beat(self) -> None:
        """Keep what is in hand, and let go of what was called off or has been taken away."""
        pause = min(_BEAT_SECONDS, self._settings.job_lease_seconds / 3)
        while True:
            await asyncio.sleep(pause)
            try:
                await self._keep_all()
            except Exception as error:
                log.warning("jobs cannot be kept", exc_info=error)

    async def _keep_all(self) -> None:
        """A cell that can't be reached must not cost the others their jobs."""
        places = list(self._runs)
        cells = {place.cell for place in places}
        done = await asyncio.gather(
            *(
                self._keep(cell, [place for place in places if place.cell == cell])
                for cell in cells
            ),
            return_exceptions=True,
        )
        for failed in done:
            if failed is not None:
                raise failed

    async def _keep(self, cell: int, places: list[Place]) -> None:
        async with self._spool(cell) as tx:
            kept = await tx.many(
                turns.BEAT,
                worker=self._id,
                jobs=[place.job_id for place in places],
                seconds=self._settings.job_lease_seconds,
            )
        wanted = {Place(cell, beat.tenant, beat.job_id) for beat in kept if not beat.cancelled}
        for place in places:
            if place not in wanted and (run := self._runs.get(place)) is not None:
                run.stop()

    def _spool(self, cell: int) -> AbstractAsyncContextManager[Work]:
        return self._foundation.catalogue.transaction(cell, CATALOGUE_PRELUDE)


def _read(message: dict[str, Any]) -> tuple[Place, int]:
    try:
        read = msgspec.convert(message, _Message)
    except msgspec.ValidationError as error:
        metrics.REFUSED.inc()
        raise NoTenant(f"a job without tenant is not started: {error}") from error
    return Place(read.cell, read.tenant, read.job), read.turn


class _Message(msgspec.Struct, frozen=True):
    tenant: int
    job: UUID
    turn: int
    cell: int = HOME


def _soon(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel them for good. In Python 3.11, wait_for forgets that it was cancelled if what it waits
    for is done in the same moment, and redis-py sends every command by it."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=1)
    await asyncio.gather(*tasks, return_exceptions=True)  # so that none is called unretrieved
