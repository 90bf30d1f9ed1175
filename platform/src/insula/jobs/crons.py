"""Crons: each has one leader at a time, whichever worker has the lease of its row.

A cron that fell due while no worker was up is run once when one is. One whose worker died is run
again by another when the lease is over.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from croniter import croniter
from sqlalchemy import DateTime, Float, Text, Uuid, bindparam, func, or_, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from insula.db import Database, Statement, binds
from insula.jobs import metrics
from insula.jobs.tables import CronRow
from insula.jobs.types import Cron
from insula.tenancy.cells import CATALOGUE_PRELUDE

log = structlog.get_logger("insula.jobs")

LOOK_SECONDS = 1.0

_new = upsert(CronRow).values(**binds("name", "schedule", "due_at"))
_KNOW = Statement(
    _new.on_conflict_do_update(
        index_elements=[CronRow.name],
        set_={"schedule": _new.excluded.schedule, "due_at": _new.excluded.due_at},
        where=CronRow.schedule != _new.excluded.schedule,
    )
)
_worker = bindparam("worker", type_=Uuid)
_lease = func.now() + func.make_interval(0, 0, 0, 0, 0, 0, bindparam("seconds", type_=Float))
_TAKE = Statement(
    update(CronRow)
    .where(
        CronRow.name == func.any(bindparam("names", type_=ARRAY(Text))),
        CronRow.due_at <= func.now(),
        or_(CronRow.lease.is_(None), CronRow.lease < func.now()),
    )
    .values(holder=_worker, lease=_lease)
    .returning(CronRow.name),
    str,
)
_BEAT = Statement(update(CronRow).where(CronRow.holder == _worker).values(lease=_lease))
_DONE = Statement(
    update(CronRow)
    .where(CronRow.name == bindparam("cron"), CronRow.holder == _worker)
    .values(lease=None, holder=None, due_at=bindparam("due", type_=DateTime(timezone=True)))
)


class Crons:
    """Runs what is due, as long as this worker lives."""

    def __init__(
        self,
        catalogue: Database,
        crons: Sequence[Cron],
        services: Mapping[str, Any],
        worker: UUID,
        lease_seconds: float,
    ) -> None:
        self._catalogue = catalogue
        self._crons = {cron.name: cron for cron in crons}
        self._services = dict(services)
        self._worker = worker
        self._lease = lease_seconds
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Look for crons that are due until cancelled."""
        await self._know()
        while True:
            try:
                await self.step()
            except Exception as error:
                log.warning("crons cannot be looked up", exc_info=error)
            await asyncio.sleep(LOOK_SECONDS)

    async def step(self) -> None:
        """Begin what is due and nobody is at."""
        if not self._crons:
            return
        async with self._catalogue.transaction(0, CATALOGUE_PRELUDE) as tx:
            await tx.execute(_BEAT, worker=self._worker, seconds=self._lease)
            names = list(self._crons)
            due = await tx.many(_TAKE, names=names, worker=self._worker, seconds=self._lease)
        for name in due:
            task = asyncio.create_task(self._carry_out(self._crons[name]))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def drain(self, seconds: float) -> None:
        """Let those that run finish; what does not is left to the next worker."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=seconds)
            for task in late:
                task.cancel()

    async def _know(self) -> None:
        async with self._catalogue.transaction(0, CATALOGUE_PRELUDE) as tx:
            for cron in self._crons.values():
                await tx.execute(
                    _KNOW, name=cron.name, schedule=cron.schedule, due_at=following(cron)
                )

    async def _carry_out(self, cron: Cron) -> None:
        with metrics.running(cron.name) as outcome:
            try:
                await cron.run(self._services)
                outcome("succeeded")
            except Exception as error:
                outcome("failed")
                log.error("cron failed", cron=cron.name, exc_info=error)
        async with self._catalogue.transaction(0, CATALOGUE_PRELUDE) as tx:
            await tx.execute(_DONE, cron=cron.name, worker=self._worker, due=following(cron))


def following(cron: Cron, after: datetime | None = None) -> datetime:
    """When it is due next."""
    moment: datetime = croniter(cron.schedule, after or datetime.now(UTC)).get_next(datetime)
    return moment
