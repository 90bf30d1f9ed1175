"""The part of a worker process that runs jobs and crons."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any
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
from insula.tenancy.cells import CATALOGUE_PRELUDE
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
        self._dispatcher = Dispatcher(
            foundation.catalogue, self._queue, self._jobs, foundation.settings
        )
        self._crons = Crons(
            foundation.catalogue,
            crons,
            self._services,
            self._id,
            foundation.settings.job_lease_seconds,
        )
        self._runs: dict[tuple[int, UUID], Run] = {}
        self._pruned: dict[int, datetime] = {}

    async def start_jobs(self, due: Sequence[Due]) -> None:
        """What the relay calls with jobs whose time has come."""
        await self._dispatcher.accept(due)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; then let what runs finish for a while, and give back the
        rest."""
        drain = self._settings.job_drain_seconds
        hands = Hands(
            self._queue, self._run_turn, concurrency=self._settings.job_concurrency, drain=drain
        )
        looking = [
            asyncio.create_task(self._dispatcher.run()),
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
        number, job_id, turn = _read(message)
        async with self._catalogue() as tx:
            taken = await tx.find(
                turns.TAKE,
                number=number,
                job=job_id,
                number_of_turn=turn,
                worker=self._id,
                seconds=self._settings.job_lease_seconds,
            )
            if taken is None:  # called off, over, or another turn by now
                return
            tenant = await self._tenant(tx, number, taken.name)
            if tenant is None:
                await tx.execute(turns.FORGET_TENANT, number=number)
                return
        if tenant.status != "active":
            await self._postpone(number, job_id)
        elif not self._is_on(tenant, taken.name):
            await self._call_off(tenant, job_id, taken.ticket)
        elif taken.name not in self._jobs:  # a newer worker's: let that one have it
            await self._release(number, job_id, _soon(1))
        else:
            await self._run_job(tenant, job_id, taken)
        self._dispatcher.wake()

    async def _tenant(self, tx: Work, number: int, name: str) -> Tenant | None:
        """The tenant; read again if it looks as if the job were not to run: what is remembered of
        it may be older than the job."""
        directory = self._foundation.directory
        tenant = await directory.by_number(number, tx)
        if tenant is None or (tenant.status == "active" and self._is_on(tenant, name)):
            return tenant
        directory.forget(tenant)
        return await directory.by_number(number, tx)

    def _is_on(self, tenant: Tenant, name: str) -> bool:
        """Whether the module that the job belongs to is on; the core always is."""
        module = name.partition(".")[0]
        return module not in self._foundation.modules or module in tenant.modules

    async def _call_off(self, tenant: Tenant, job_id: UUID, ticket: UUID) -> None:
        """The module has been switched off since."""
        async with self._foundation.tenants.transaction(tenant.bucket, tenant.prelude) as tx:
            await tx.execute(queries.CANCEL, job=job_id)
        await self._drop(tenant.number, job_id, ticket)

    async def _run_job(self, tenant: Tenant, job_id: UUID, taken: Taken) -> None:
        foundation, place = self._foundation, (tenant.number, job_id)
        run = Run(foundation.tenants, self._services, self._jobs, tenant, job_id)
        self._runs[place] = run
        try:
            with foundation.tracing.span(
                f"job {taken.name}",
                taken.traceparent,
                SpanKind.CONSUMER,
                **{"insula.job.id": str(job_id), "insula.tenant": tenant.slug},
            ):
                due = await run()
        except BaseException as error:
            stopping = isinstance(error, asyncio.CancelledError)
            await self._release(*place, _soon(0 if stopping else _TROUBLE_SECONDS))
            raise
        finally:
            self._runs.pop(place, None)
        if due is None:
            await self._drop(*place, taken.ticket)
            await self._prune(tenant)
        else:
            await self._release(*place, due)

    async def _drop(self, number: int, job_id: UUID, ticket: UUID) -> None:
        """It is over, unless it has been asked for again meanwhile."""
        mine = {"number": number, "job": job_id, "worker": self._id}
        async with self._catalogue() as tx:
            if not await tx.execute(turns.DROP, **mine, of_ticket=ticket):
                await tx.execute(turns.RELEASE, **mine, due=None)

    async def _release(self, number: int, job_id: UUID, due: datetime) -> None:
        async with self._catalogue() as tx:
            await tx.execute(turns.RELEASE, number=number, job=job_id, worker=self._id, due=due)

    async def _postpone(self, number: int, job_id: UUID) -> None:
        """The tenant is suspended: none of its jobs need be looked at for a while."""
        async with self._catalogue() as tx:
            await tx.execute(turns.POSTPONE, number=number, seconds=_AWAY_SECONDS)
        await self._release(number, job_id, _soon(_AWAY_SECONDS))

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
                await self._keep(list(self._runs))
            except Exception as error:
                log.warning("jobs cannot be kept", exc_info=error)

    async def _keep(self, places: list[tuple[int, UUID]]) -> None:
        if not places:
            return
        async with self._catalogue() as tx:
            kept = await tx.many(
                turns.BEAT,
                worker=self._id,
                jobs=[job_id for _, job_id in places],
                seconds=self._settings.job_lease_seconds,
            )
        wanted = {(beat.tenant, beat.job_id) for beat in kept if not beat.cancelled}
        for place in places:
            if place not in wanted and (run := self._runs.get(place)) is not None:
                run.stop()

    def _catalogue(self) -> AbstractAsyncContextManager[Work]:
        return self._foundation.catalogue.transaction(0, CATALOGUE_PRELUDE)


def _read(message: dict[str, Any]) -> tuple[int, UUID, int]:
    try:
        read = msgspec.convert(message, _Message)
    except msgspec.ValidationError as error:
        metrics.REFUSED.inc()
        raise NoTenant(f"a job without tenant is not started: {error}") from error
    return read.tenant, read.job, read.turn


class _Message(msgspec.Struct, frozen=True):
    tenant: int
    job: UUID
    turn: int


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
