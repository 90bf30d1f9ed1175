"""Live channels of one process: who is connected, and what they may watch."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from insula.db import Database, Work
from insula.http.door import Door
from insula.http.drain import Drain
from insula.http.errors import to_problem
from insula.http.exchange import Exchange
from insula.http.problem import Problem, Unavailable
from insula.http.redis_line import Address, RedisDown, RedisLine
from insula.i18n import say
from insula.realtime import metrics
from insula.realtime.directory import Channels, Place
from insula.realtime.errors import TooManyChannels
from insula.realtime.hub import Hub
from insula.realtime.limits import CATCH_UP_SIZE, Close, expiry_milliseconds
from insula.realtime.log import Logs, prefix_of
from insula.realtime.presence import Presence
from insula.realtime.seats import Seats
from insula.realtime.session import Session
from insula.realtime.subscription import Subscription
from insula.realtime.wire import Key, key_of, refused, told
from insula.settings import Settings
from insula.tenancy.errors import TenantRequired
from insula.tenancy.tenant import Tenant

_SNAPSHOTS = 16
"""Taken at once after a log was lost: everybody wants one then."""


class Live:
    """See the module's docstring."""

    def __init__(
        self,
        settings: Settings,
        redis: RedisLine,
        database: Database,
        door: Door,
        channels: Channels,
        drain: Drain,
    ) -> None:
        self.door = door
        self.drain = drain
        self.channels = channels
        self.logs = Logs(redis, length=settings.live_log_length, seconds=settings.live_log_seconds)
        self.hub = Hub(Address(settings.redis_url), self.logs)
        expiry = expiry_milliseconds(settings.live_recheck_seconds)
        self.seats = Seats(
            redis,
            per_tenant=settings.live_connections,
            per_user=settings.live_user_connections,
            expiry=expiry,
        )
        self.presence = Presence(redis, expiry)
        self.snapshots = asyncio.Semaphore(_SNAPSHOTS)
        self.sessions: set[Session] = set()
        self._database = database
        self._channel_limit = settings.live_channels

    # Connections

    async def enter(self, session: Session) -> None:
        """Count somebody who has connected.

        Raises:
            TooManyConnections: see there.
        """
        await self.seats.take(session.exchange, session.id)
        self.sessions.add(session)
        metrics.CONNECTIONS.labels(session.transport.name).inc()

    async def leave(self, session: Session) -> None:
        """Forget somebody who has gone."""
        if session not in self.sessions:
            return
        self.sessions.discard(session)
        metrics.CONNECTIONS.labels(session.transport.name).dec()
        for name in list(session.subscriptions):
            self.unsubscribe(session, name)
        await self.seats.give_back(session.exchange, session.id)

    def end_all(self) -> None:
        """Have everybody connect to another replica."""
        for session in list(self.sessions):
            session.end(Close.RESTART, "this replica is restarting: connect again and resume")

    # Channels

    async def authorize(self, exchange: Exchange, place: Place) -> None:
        """Make sure that this client may watch.

        Raises:
            TenantRequired: nobody knows yet whose channel it is.
            Exception: what the channel raises.
        """
        if exchange.tenant is None:
            raise TenantRequired
        await place.authorize(self._work(exchange.tenant), exchange.caller, exchange.tenant)

    async def subscribe(
        self, session: Session, place: Place, after: str | None, *, authorized: bool = False
    ) -> None:
        """Have a client watch a channel, from the message after ``after``, or from a snapshot.

        Raises:
            Problem: it may not, or cannot now.
        """
        name = place.name
        if name in session.subscriptions:
            self.unsubscribe(session, name)
        if len(session.subscriptions) >= self._channel_limit:
            raise TooManyChannels(
                say("At most {channel_limit}.", channel_limit=self._channel_limit)
            )
        try:
            if not authorized:
                await self.authorize(session.exchange, place)
            assert session.exchange.tenant is not None
            key = prefix_of(session.exchange.tenant.key) + name
            subscription = Subscription(
                place, key, session.push, partial(self._begin_again, session)
            )
            session.subscriptions[name] = subscription
            with _reachable():
                await self.hub.watch(key, name, subscription)
                position = None if after is None else key_of(after)
                await self._begin(session, subscription, position, resuming=after is not None)
        except Exception as error:
            self.unsubscribe(session, name)
            raise to_problem(error) from error

    def unsubscribe(self, session: Session, name: str) -> bool:
        """Have a client watch a channel no longer; False if it did not."""
        subscription = session.subscriptions.pop(name, None)
        if subscription is None:
            return False
        self.hub.leave(subscription.key, subscription)
        caller = session.exchange.caller
        if subscription.present and caller is not None:
            self.hub.spawn(self._leave(subscription.key, caller.user_id, session.id))
        return True

    def drop(self, session: Session, subscription: Subscription, problem: Problem) -> None:
        """Take a channel from a client, and say why."""
        if session.subscriptions.get(subscription.place.name) is subscription:
            self.unsubscribe(session, subscription.place.name)
            session.push(refused(subscription.place.name, problem.body()))
            session.push(told("unsubscribed", subscription.place.name))

    # Where a client begins

    async def _begin(
        self, session: Session, subscription: Subscription, after: Key | None, *, resuming: bool
    ) -> None:
        """Serve a client from a position, or with a snapshot from where the log stands. One that
        is ``resuming`` from where the log no longer reaches is told so by a ``reset``."""
        place = subscription.place
        opened = await self.logs.open(subscription.key, place.name, after)
        extra = await self.presence_of(session, subscription)
        if after is not None and opened.found and opened.size <= CATCH_UP_SIZE:
            session.push(told("resumed", place.name, after, **extra))
            subscription.follow(after, opened.messages)
            return
        tenant = session.exchange.tenant
        assert tenant is not None
        data = await place.snapshot(self._work(tenant), session.exchange.caller)
        kind = "reset" if resuming else "snapshot"
        session.push(told(kind, place.name, opened.last, data=data, **extra))
        subscription.follow(opened.last, ())

    def _begin_again(self, session: Session, subscription: Subscription) -> None:
        self.hub.spawn(self._reset(session, subscription))

    async def _reset(self, session: Session, subscription: Subscription) -> None:
        try:
            async with self.snapshots:
                await self._begin(session, subscription, subscription.position, resuming=True)
        except RedisDown:
            session.end(Close.RESTART, "out of reach for a moment: connect again and resume")
        except Exception as error:
            self.drop(session, subscription, to_problem(error))

    async def presence_of(self, session: Session, subscription: Subscription) -> dict[str, Any]:
        """Be seen on a channel that says who is here, or go on being seen; what to tell of it."""
        if not subscription.place.channel.presence:
            return {}
        caller = session.exchange.caller
        if caller is None:
            return {}
        present = await self.presence.join(subscription.key, caller.user_id, session.id)
        subscription.present = True
        return {"present": present}

    async def _leave(self, key: str, user: Any, connection: str) -> None:
        try:
            await self.presence.leave(key, user, connection)
        except RedisDown:
            return  # it expires

    def _work(self, tenant: Tenant) -> Work:
        return self._database.work(tenant.bucket, tenant.prelude, writes=False)


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except RedisDown as error:
        raise Unavailable("Live channels are out of reach: try again.") from error
