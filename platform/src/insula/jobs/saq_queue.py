"""SAQ as Insula uses it: what carries a turn to whichever worker has a hand free.

Nothing that matters is in Redis. SAQ's own retries, schedules and heartbeats stay unused, since
they'd be lost with it; what is used is its queue, its worker, and that it takes a key only once.
"""

import asyncio
import contextlib
import logging
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from saq.job import Job as SaqJob
from saq.job import Status
from saq.queue.redis import RedisQueue
from saq.worker import Worker

from insula.jobs.turns import Turn

log = structlog.get_logger("insula.jobs")

FUNCTION = "run"
_POLL_SECONDS = 1.0
"""A worker with nothing to do looks this often whether it is to stop."""
_SWEEP_SECONDS = 30

logging.getLogger("saq").setLevel(logging.WARNING)  # else two lines a job


class TurnQueue(RedisQueue):
    """Turns on their way; a Redis that is down is waited for."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__(Redis.from_url(url), name=name)

    async def send(self, turn: Turn, seconds: float, *, cell: int = 0) -> None:
        """Put a turn that nobody has taken on its way, unless its message still waits there. If a
        worker has the message in hand, it died before it took the turn, and the message is sent
        again; should it be alive, the turn is taken once all the same. After ``seconds`` in a
        worker's hand a message is swept away.

        Raises:
            redis.exceptions.RedisError: Redis is down.
        """
        job = SaqJob(
            FUNCTION,
            {"cell": cell, "tenant": turn.tenant, "job": str(turn.job_id), "turn": turn.turn},
            key=f"{cell}:{turn.job_id}:{turn.turn}",
            timeout=int(seconds),
            retries=1,
            ttl=-1,
        )
        if await self.enqueue(job) is None and await self._is_in_hand(job.key):
            await self.retry(job, None)

    async def _is_in_hand(self, key: str) -> bool:
        sent = await self.job(key)
        return sent is not None and sent.status == Status.ACTIVE

    async def dequeue(
        self,
        timeout: float = 0.0,  # noqa: ASYNC109 - SAQ's signature
        poll_interval: float = 0.0,
    ) -> SaqJob | None:
        try:
            return await super().dequeue(timeout, poll_interval)
        except (RedisError, OSError) as error:
            log.warning("jobs wait for redis", error=str(error))
            await asyncio.sleep(_POLL_SECONDS)
            return None


class Hands(Worker[Any]):
    """A SAQ worker that leaves signals to the process that it is a part of."""

    def __init__(self, queue: TurnQueue, call: Any, *, concurrency: int, drain: int) -> None:
        super().__init__(
            queue,
            [(FUNCTION, call)],
            concurrency=concurrency,
            dequeue_timeout=_POLL_SECONDS,
            shutdown_grace_period_s=drain,
            cancellation_hard_deadline_s=5.0,
        )
        self.SIGNALS = []

    async def upkeep(self) -> list[asyncio.Task[None]]:
        """Of what SAQ looks after, only messages whose worker has died are of interest."""
        return [asyncio.create_task(self._sweep())]

    async def _sweep(self) -> None:
        while not self.event.is_set():
            with contextlib.suppress(RedisError, OSError):  # dequeue says so already
                await self.queue.sweep(lock=_SWEEP_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SWEEP_SECONDS):
                    await self.event.wait()
