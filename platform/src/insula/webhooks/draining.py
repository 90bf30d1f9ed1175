"""Sending an endpoint what is waiting for it, until nothing is."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final

from insula.db import Work
from insula.tenancy.tenant import Tenant
from insula.webhooks import sending, service
from insula.webhooks.posting import Attempted, Clock, Poster
from insula.webhooks.schedule import (
    DISABLE_AFTER,
    Random,
    is_failing,
    next_attempt,
    pause_of_endpoint,
)
from insula.webhooks.sending import Endpoint, Waiting
from insula.webhooks.telling import tell_owners

BATCH: Final = 200
AT_ONCE: Final = 8
"""Requests to one endpoint at the same time."""
_FLUSH_SECONDS: Final = 1.0
_KEEP: Final = timedelta(days=30)
_PRUNE_SHARE: Final = 0.02

Transaction = Callable[[], AbstractAsyncContextManager[Work]]


class Drain:
    """One endpoint, leased. ``renew`` keeps the lease, and fails if it is lost."""

    def __init__(
        self,
        tenant: Tenant,
        endpoint: Endpoint,
        poster: Poster,
        transaction: Transaction,
        renew: Callable[[], Awaitable[None]],
        *,
        clock: Clock,
        rand: Random = random.random,
    ) -> None:
        self.tenant = tenant
        self.endpoint = endpoint
        self.failures = endpoint.failures
        self._poster = poster
        self._keys = poster.keys(endpoint)
        self._transaction = transaction
        self._renew = renew
        self._clock = clock
        self._rand = rand
        self._done: list[Attempted] = []
        self._probing = is_failing(endpoint.failures)
        self._stopped = False

    async def run(self, waiting: list[Waiting]) -> None:
        """Send a batch: subjects beside each other, the events of one after each other."""
        limit = asyncio.Semaphore(AT_ONCE)
        chains: dict[str, list[Waiting]] = {}
        for delivery in sorted(waiting, key=lambda each: each.position):
            chains.setdefault(delivery.subject, []).append(delivery)
        tasks = {asyncio.create_task(self._send(chain, limit)) for chain in chains.values()}
        try:
            while tasks:
                done, tasks = await asyncio.wait(tasks, timeout=_FLUSH_SECONDS)
                await self._record()
                await self._renew()
                for task in done:
                    task.result()
        finally:
            for task in tasks:
                task.cancel()

    @property
    def is_over(self) -> bool:
        """Whether the endpoint is to be left alone for now."""
        return self._stopped or is_failing(self.failures)

    @property
    def pause(self) -> timedelta | None:
        """For how long."""
        return pause_of_endpoint(self.failures)

    async def _send(self, chain: list[Waiting], limit: asyncio.Semaphore) -> None:
        for delivery in chain:
            async with limit:
                if self._stopped or (is_failing(self.failures) and not self._probing):
                    return
                self._probing = False
                attempted = await self._poster.post(self.endpoint, self._keys, delivery)
                self._done.append(attempted)
                self.failures = 0 if attempted.is_success else self.failures + 1
                self._stopped |= attempted.is_gone
            if not attempted.is_success:
                return  # what comes later in this subject waits

    async def _record(self) -> None:
        done, self._done = self._done, []
        if not done:
            return
        now = self._clock()
        async with self._transaction() as tx:
            await tx.execute(sending.LOG, rows=[_log(each) for each in done])
            await tx.execute(sending.SETTLE, rows=[self._settled(each) for each in done], now=now)
            await self._judge(tx, done)
            if random.random() < _PRUNE_SHARE:  # noqa: S311 - housekeeping
                await tx.execute(sending.PRUNE, id=self.endpoint.id, before=now - _KEEP)

    async def _judge(self, tx: Work, done: list[Attempted]) -> None:
        """Remember how the endpoint is doing, and switch it off if that is hopeless."""
        now, webhook_id = self._clock(), self.endpoint.id
        if any(each.is_success for each in done):
            await tx.execute(sending.SUCCEEDED, id=webhook_id)
        failed = _failed_last(done)
        if failed:
            await tx.execute(sending.FAILED, id=webhook_id, more=failed, now=now)
        if any(each.is_gone for each in done):
            await self._switch_off(tx, "gone")
        elif failed == len(done) and self._is_hopeless():
            await self._switch_off(tx, "failing")

    def _is_hopeless(self) -> bool:
        since = self.endpoint.failing_since
        return since is not None and self._clock() - since >= DISABLE_AFTER

    async def _switch_off(self, tx: Work, reason: str) -> None:
        self._stopped = True
        webhook = await service.disable(tx, self.endpoint.id, reason)
        if webhook is not None:
            await tell_owners(tx, self.tenant, webhook)

    def _settled(self, attempted: Attempted) -> dict[str, object]:
        delivery, now = attempted.delivery, self._clock()
        tried, again, outcome = delivery.tries + 1, None, "delivered"
        if not attempted.is_success:
            if not attempted.is_gone:
                again = next_attempt(tried, now, attempted.retry_after, self._rand)
            outcome = "waiting" if again else "failed"
        return {
            "delivery": delivery.id,
            "outcome": outcome,
            "number": delivery.attempts + 1,
            "tried": tried,
            "again": again,
            "code": attempted.status,
        }


def _failed_last(done: list[Attempted]) -> int:
    """How many failed since the last success."""
    failed = 0
    for each in done:
        failed = 0 if each.is_success else failed + 1
    return failed


def _log(attempted: Attempted) -> dict[str, object]:
    return {
        "delivery_id": attempted.delivery.id,
        "number": attempted.delivery.attempts + 1,
        "started_at": attempted.started_at,
        "duration_ms": attempted.duration_ms,
        "request_headers": attempted.request_headers,
        "response_status": attempted.status,
        "response_headers": attempted.response_headers,
        "response_body": attempted.response_body,
        "error": attempted.error,
    }
