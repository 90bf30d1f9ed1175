"""What a running job is given."""

import time
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import UUID

from insula.db import Database, Work
from insula.jobs import events, queries
from insula.jobs.queries import Claim
from insula.tenancy.tenant import Tenant

PROGRESS_SECONDS = 1.0
"""Progress is written and told this often at most: a job may report every row that it reads."""
_NOTE_LENGTH = 500


class RunContext:
    """A :class:`insula.jobs.types.JobContext`."""

    def __init__(
        self,
        database: Database,
        tenant: Tenant,
        services: dict[str, Any],
        job_id: UUID,
        run_id: UUID,
        claim: Claim,
    ) -> None:
        self.job_id = job_id
        self.run_id = run_id
        self.tenant = tenant
        self.attempt = claim.attempt
        self.services = services
        self.reached = (0, 0, "")
        """The last that :meth:`progress` was told."""
        self._claim = claim
        self._database = database
        self._told = 0.0

    def transaction(self) -> AbstractAsyncContextManager[Work]:
        return self._database.transaction(self.tenant.bucket, self.tenant.prelude)

    def reading(self) -> Work:
        return self._database.work(self.tenant.bucket, self.tenant.prelude, writes=False)

    async def progress(self, done: int, total: int, note: str = "") -> None:
        self.reached = (done, total, note[:_NOTE_LENGTH].replace("\0", ""))
        if time.monotonic() - self._told < PROGRESS_SECONDS:
            return
        self._told = time.monotonic()
        async with self.transaction() as tx:
            done, total, note = self.reached
            running = await tx.execute(
                queries.PROGRESS,
                job=self.job_id,
                present=self.run_id,
                done=done,
                total=total,
                note=note,
            )
            if running and self._claim.actor_id is not None:
                change = self.change("running")
                await events.tell(tx, events.PROGRESSED, change, self._claim.actor_id)

    def change(self, status: str, error: str | None = None) -> events.JobChanged:
        return events.JobChanged(self.job_id, self._claim.name, status, *self.reached, error)
