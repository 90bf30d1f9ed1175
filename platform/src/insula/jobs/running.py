"""One run of one job: claimed, done, and what came of it written down.

The tenant's row is the truth. Every change names the run that makes it, so that a worker that was
taken for dead, and comes back, changes nothing any more.
"""

import asyncio
import random
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import structlog

from insula.db import Database, Work
from insula.db.ids import new_id
from insula.http.problem import Problem
from insula.jobs import events, metrics, queries
from insula.jobs.context import RunContext
from insula.jobs.errors import GiveUp, TryAgain
from insula.jobs.queries import Claim
from insula.jobs.types import Job
from insula.tenancy.tenant import Tenant

log = structlog.get_logger("insula.jobs")

_ERROR_LENGTH = 2000
_SUPERSEDED = "A newer job of the same key has taken its place."


class Run:
    """A job in a worker's hand."""

    def __init__(
        self,
        database: Database,
        services: Mapping[str, Any],
        jobs: Mapping[str, Job[Any]],
        tenant: Tenant,
        job_id: UUID,
    ) -> None:
        self.tenant = tenant
        self.job_id = job_id
        self._id = new_id()
        self._database = database
        self._services = dict(services)
        self._jobs = jobs
        self._task: asyncio.Task[Any] | None = None
        self._stopped = False

    def stop(self) -> None:
        """It was called off, or is another worker's by now."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()

    async def __call__(self) -> datetime | None:
        """Run the job if it is due; when it is to be run again, or None: it is over.

        Raises:
            asyncio.CancelledError: the worker stops; the job has been given back.
        """
        async with self._transaction() as tx:
            claim = await tx.find(queries.CLAIM, job=self.job_id, present=self._id)
            if claim is None:
                rest = await tx.find(queries.REST, job=self.job_id)
        if claim is None:
            return rest.due_at if rest is not None and rest.status == "queued" else None
        return await self._carry_out(claim, self._jobs[claim.name])

    async def _carry_out(self, claim: Claim, job: Job[Any]) -> datetime | None:
        if claim.attempt > job.attempts:  # each attempt took its worker down
            await self._end(claim, "failed", "The worker died each time that it was run.")
            return None
        context = RunContext(
            self._database, self.tenant, self._services, self.job_id, self._id, claim
        )
        with metrics.running(job.name) as outcome:
            try:
                result = await self._attempt(job, context, claim)
            except asyncio.CancelledError:
                outcome("stopped")
                if self._stopped:
                    return None
                if not _is_cancelled():
                    return await self._fail(claim, job, GiveUp("It cancelled itself."))
                await self._give_back()
                raise
            except Exception as error:
                outcome("failed")
                return await self._fail(claim, job, error)
            outcome("succeeded")
        await self._succeed(claim, context, result)
        return None

    async def _attempt(self, job: Job[Any], context: RunContext, claim: Claim) -> Any:
        """What the job returns, as JSON can say it."""

        async def attempt() -> Any:
            args = msgspec.convert(claim.args, job.args)
            limit = asyncio.timeout(job.timeout.total_seconds())
            try:
                async with limit:
                    return msgspec.to_builtins(await job.run(context, args))
            except TimeoutError as error:
                if limit.expired():
                    raise TryAgain(f"It took longer than {job.timeout}.") from error
                raise

        if self._stopped:
            raise asyncio.CancelledError
        self._task = asyncio.create_task(attempt())
        try:
            return await self._task
        finally:
            self._task.cancel()
            await asyncio.wait([self._task])

    # What came of it

    async def _succeed(self, claim: Claim, context: RunContext, result: Any) -> None:
        done, total, note = context.reached
        async with self._transaction() as tx:
            ended = await tx.execute(
                queries.SUCCEED,
                job=self.job_id,
                present=self._id,
                result=result,
                done=done,
                total=total,
                note=note,
            )
            if ended and claim.actor_id is not None:
                await events.tell(tx, events.SUCCEEDED, context.change("succeeded"), claim.actor_id)

    async def _fail(self, claim: Claim, job: Job[Any], error: Exception) -> datetime | None:
        why = _explain(error)
        log.warning(
            "job failed",
            job=job.name,
            job_id=str(self.job_id),
            tenant=self.tenant.slug,
            attempt=claim.attempt,
            exc_info=error if why == _UNEXPECTED.format(type(error).__name__) else None,
            why=why,
        )
        if isinstance(error, GiveUp) or claim.attempt >= job.attempts:
            await self._end(claim, "failed", why)
            return None
        after = error.after if isinstance(error, TryAgain) else None
        wait = after if after is not None else pause(job, claim.attempt)
        try:
            async with self._transaction() as tx:
                return await tx.find(
                    queries.RETRY,
                    job=self.job_id,
                    present=self._id,
                    pause=wait.total_seconds(),
                    why=why,
                )
        except asyncpg.UniqueViolationError:
            await self._end(claim, "cancelled", _SUPERSEDED)
            return None

    async def _end(self, claim: Claim, status: str, why: str) -> None:
        """A dead letter, or a job that is not wanted any more."""
        async with self._transaction() as tx:
            ended = await tx.execute(
                queries.END, job=self.job_id, present=self._id, outcome=status, why=why
            )
            if ended and claim.actor_id is not None:
                kind = events.FAILED if status == "failed" else events.CANCELLED
                change = events.JobChanged(self.job_id, claim.name, status, 0, 0, "", why)
                await events.tell(tx, kind, change, claim.actor_id)

    async def _give_back(self) -> None:
        """The attempt doesn't count: it is the worker that stops."""
        try:
            async with self._transaction() as tx:
                await tx.execute(queries.GIVE_BACK, job=self.job_id, present=self._id)
        except asyncpg.UniqueViolationError:
            async with self._transaction() as tx:
                await tx.execute(
                    queries.END,
                    job=self.job_id,
                    present=self._id,
                    outcome="cancelled",
                    why=_SUPERSEDED,
                )

    def _transaction(self) -> AbstractAsyncContextManager[Work]:
        return self._database.transaction(self.tenant.bucket, self.tenant.prelude)


def _is_cancelled() -> bool:
    """Whether it is this very task that is to stop."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def pause(job: Job[Any], attempt: int) -> timedelta:
    """How long to wait after this attempt: twice as long each time, and never the same for two
    jobs that failed together."""
    longest = job.backoff_limit.total_seconds()
    seconds = min(longest, job.backoff.total_seconds() * 2 ** min(attempt - 1, 40))
    return timedelta(seconds=seconds * random.uniform(0.5, 1.5))  # noqa: S311


_UNEXPECTED = "{} (the worker's log says more)"


def _explain(error: Exception) -> str:
    """What the tenant's admin may read. An error that nobody foresaw may say things about the
    installation: its text is for the operator's log."""
    if isinstance(error, GiveUp | TryAgain):
        said = str(error)
    elif isinstance(error, Problem):
        said = error.detail or error.title
    else:
        said = _UNEXPECTED.format(type(error).__name__)
    return said[:_ERROR_LENGTH].replace("\0", "")
