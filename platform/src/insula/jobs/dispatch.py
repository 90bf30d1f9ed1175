"""Whose turn it is: jobs that are due wait in PostgreSQL and are handed out fairly.

A tenant has so many jobs in hand at most, and whoever has fewest comes first. Only as many are on
their way through Redis as workers soon have hands for: a job that comes late to a long queue would
wait for all of it, whoever it belongs to.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from itertools import groupby
from typing import Annotated, Any, Protocol
from uuid import UUID

import msgspec
import structlog
from msgspec import Meta
from redis.exceptions import RedisError

from insula.db import Database
from insula.db.ids import new_id
from insula.jobs import metrics, turns
from insula.jobs.saq_queue import TurnQueue
from insula.jobs.turns import Turn
from insula.jobs.types import Job
from insula.settings import Settings
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME
from insula.tenancy.tenant import number_of

log = structlog.get_logger("insula.jobs")

_MARGIN = timedelta(minutes=1)
LOOK_SECONDS = 1.0
"""How often it is looked for jobs that are due again; for new ones there is :meth:`wake`."""


class Body(msgspec.Struct, frozen=True):
    """What the outbox has of a job; a tenant's role wrote it, and so it may be anything."""

    job_id: UUID
    name: Annotated[str, Meta(max_length=200)]
    traceparent: Annotated[str, Meta(max_length=100)] = ""
    cancel: bool = False


class Due(Protocol):
    """A row of the outbox whose time has come."""

    @property
    def role(self) -> str: ...
    @property
    def body(self) -> str | None: ...


class Dispatcher:
    """Hands turns of a cell to SAQ."""

    def __init__(
        self,
        catalogue: Database,
        queue: TurnQueue,
        jobs: Mapping[str, Job[Any]],
        settings: Settings,
        cell: int = HOME,
    ) -> None:
        self._cell = cell
        self._spool = partial(catalogue.transaction, cell, CATALOGUE_PRELUDE)
        self._queue = queue
        self._jobs = jobs
        self._settings = settings
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look at once: something is due, or a hand is free."""
        self._woken.set()

    async def accept(self, due: Sequence[Due]) -> None:
        """Take over what the relay has; once this returns, the outbox may forget it. Twice is
        once. What cannot be read is dropped: nobody else's jobs wait for it."""
        readable = [read for row in due if (read := _read(row)) is not None]
        async with self._spool() as tx:
            for cancelling, rows in groupby(readable, key=lambda read: read[1].cancel):
                if cancelling:
                    await tx.execute_many(turns.CANCEL, [_this(*row) for row in rows])
                else:
                    await tx.execute_many(turns.ADD, [_new_turn(*row) for row in rows])
        self.wake()

    async def run(self) -> None:
        """Hand out turns until cancelled."""
        while True:
            self._woken.clear()
            try:
                await self.step()
            except Exception as error:
                log.warning("jobs cannot be handed out", exc_info=error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._woken.wait()

    async def step(self) -> int:
        """Hand out what may be handed out now; how many turns that was."""
        settings, names = self._settings, list(self._jobs)
        seconds = settings.job_lease_seconds
        async with self._spool() as tx:
            await tx.execute(turns.LOCK)
            await tx.execute(turns.RECLAIM)
            found = await tx.many(turns.RENEW, names=names, seconds=seconds)
            found += await tx.many(
                turns.HAND_OUT,
                room=2 * settings.job_concurrency,
                limit=settings.job_tenant_limit,
                seconds=seconds,
                names=names,
            )
            backlog = await tx.one(turns.COUNT)
        metrics.WAITING.set(backlog.waiting)
        metrics.LAG.set(backlog.lag)
        await self._send(found)
        return len(found)

    async def _send(self, found: Sequence[Turn]) -> None:
        for place, turn in enumerate(found):
            timeout = self._jobs[turn.name].timeout + _MARGIN
            try:
                await self._queue.send(turn, timeout.total_seconds(), cell=self._cell)
            except (RedisError, OSError) as error:
                log.warning("jobs wait for redis", error=str(error))
                await self._take_back(found[place:])
                return

    async def _take_back(self, unsent: Sequence[Turn]) -> None:
        async with self._spool() as tx:
            await tx.execute_many(
                turns.TAKE_BACK,
                [
                    {"number": turn.tenant, "job": turn.job_id, "number_of_turn": turn.turn}
                    for turn in unsent
                ],
            )


def _read(row: Due) -> tuple[int, Body] | None:
    """The tenant's number, and what it says; None if it makes no sense."""
    try:
        return number_of(row.role), msgspec.json.decode(row.body or "", type=Body)
    except (ValueError, msgspec.DecodeError, RecursionError) as error:
        log.warning("no job in the outbox", role=row.role, error=str(error))
        return None


def _this(number: int, body: Body) -> dict[str, Any]:
    return {"number": number, "job": body.job_id}


def _new_turn(number: int, body: Body) -> dict[str, Any]:
    return {
        "tenant": number,
        "job_id": body.job_id,
        "name": body.name,
        "traceparent": body.traceparent,
        "ticket": new_id(),
    }
