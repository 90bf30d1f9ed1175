"""Looks after those who are connected: heartbeats, what has changed since they came, draining."""

import asyncio
import contextlib
import random
import time

import structlog

from insula.http.errors import to_problem
from insula.http.problem import Problem, TooManyRequests
from insula.http.redis_line import RedisDown
from insula.realtime.limits import (
    IDLE_SECONDS,
    SIGN_IN_SECONDS,
    Close,
)
from insula.realtime.service import Live
from insula.realtime.session import Session
from insula.realtime.subscription import Subscription

log = structlog.get_logger("insula.realtime")

_REAUTHORIZE_SECONDS = 60.0
"""How often each channel of a connection is asked again whether it may be watched."""
_TICK_SECONDS = 0.25
_AT_ONCE = 32


class Keeper:
    """One loop a process, not one timer a connection."""

    def __init__(self, live: Live, *, recheck_seconds: float, heartbeat_seconds: float) -> None:
        self._live = live
        self._recheck = recheck_seconds
        self._heartbeat = heartbeat_seconds
        self._task: asyncio.Task[None] | None = None
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._checking: set[Session] = set()
        self._beat = 0.0

    def start(self) -> None:
        self._live.hub.start()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """End every connection that is left, then the hub."""
        self._live.end_all()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._live.hub.close()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            if self._live.drain.active:
                self._live.end_all()
            self._look(time.monotonic())

    def _look(self, now: float) -> None:
        beat = now - self._beat >= self._heartbeat
        if beat:
            self._beat = now
        for session in list(self._live.sessions):
            if beat:
                session.beat()
            self._check_idle(session, now)
            if now - session.checked >= self._recheck and session not in self._checking:
                # Not all those again at the same moment that came at the same moment.
                session.checked = now + random.uniform(-0.2, 0.2) * self._recheck  # noqa: S311
                self._checking.add(session)
                self._live.hub.spawn(self._check(session))

    def _check_idle(self, session: Session, now: float) -> None:
        if session.exchange.tenant is None and now - session.began > SIGN_IN_SECONDS:
            session.end(Close.SIGN_IN, "authenticate first")
        elif session.subscriptions:
            session.idle_since = now
        elif now - session.idle_since > IDLE_SECONDS:
            session.end(Close.IDLE, "nothing subscribed to")

    async def _check(self, session: Session) -> None:
        try:
            async with self._at_once:
                await self._readmit(session)
        except Problem as problem:
            if not isinstance(problem, TooManyRequests):
                session.refuse(problem)
        except Exception:
            log.exception("a live connection could not be checked")
        finally:
            self._checking.discard(session)

    async def _readmit(self, session: Session) -> None:
        live = self._live
        await live.door.readmit(session.exchange, cost=0)
        await live.seats.take(session.exchange, session.id)
        tenant = session.exchange.tenant
        changed = tenant is not None and tenant.epoch != session.epoch
        session.epoch = tenant.epoch if tenant is not None else 0
        for subscription in list(session.subscriptions.values()):
            if changed or time.monotonic() - subscription.authorized >= _REAUTHORIZE_SECONDS:
                await self._reauthorize(session, subscription)
            if subscription.present:
                with contextlib.suppress(RedisDown):
                    await live.presence_of(session, subscription)

    async def _reauthorize(self, session: Session, subscription: Subscription) -> None:
        subscription.authorized = time.monotonic()
        try:
            await self._live.authorize(session.exchange, subscription.place)
        except Exception as error:
            problem = to_problem(error)
            if problem.status < 500:
                self._live.drop(session, subscription, problem)
