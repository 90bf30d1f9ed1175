"""Bringing a tenant's consumers to the end of its log."""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import structlog
from opentelemetry.trace import SpanKind

from insula.db import Database
from insula.events import log as events_log
from insula.events.consumers import Consumer
from insula.events.log import Cursor
from insula.events.types import Event
from insula.telemetry.tracing import Tracing
from insula.tenancy.tenant import Tenant

log = structlog.get_logger("insula.events")

_LOOK_AHEAD = 500
_PATIENCE_SECONDS = 60
_LONGEST_PAUSE = 300.0
_ERROR_LENGTH = 2000
_EVERYTHING = (1 << 62) - 1


class Standing(msgspec.Struct, frozen=True):
    """How far a tenant's consumers are."""

    done_seq: int
    retry_at: datetime | None


class Following:
    """Gives events to consumers. Several processes may follow the same tenant: a consumer's place
    is locked while it is served, and whoever comes second passes on."""

    def __init__(self, tenants: Database, consumers: Sequence[Consumer], tracing: Tracing) -> None:
        self._tenants = tenants
        self._consumers = consumers
        self._tracing = tracing

    def names(self, tenant: Tenant) -> list[str]:
        """The consumers that have a place in this tenant's log."""
        return [consumer.name for consumer in self._consumers if consumer.serves(tenant)]

    async def catch_up(self, tenant: Tenant) -> Standing:
        """Serve every consumer until it is at the end of the log, or waits to be tried again."""
        before = None
        while True:
            places, events = await self._look(tenant)
            if not events or places == before:  # somebody else serves those that are behind
                return _standing(places)
            await self._serve(tenant, places, events)
            before = places

    async def _look(self, tenant: Tenant) -> tuple[list[Cursor], list[Event]]:
        """The places, and what lies after the first of them that can go on."""
        work = self._tenants.work(tenant.bucket, tenant.prelude, writes=False)
        places = await work.many(events_log.CURSORS, consumers=self.names(tenant))
        ready = [place.seq for place in places if not _waits(place)]
        if not ready:
            return places, []
        return places, await work.many(events_log.AFTER, seq=min(ready), most=_LOOK_AHEAD)

    async def _serve(self, tenant: Tenant, places: list[Cursor], events: list[Event]) -> None:
        by_name = {place.consumer: place for place in places}
        idle = []
        for consumer in self._consumers:
            place = by_name.get(consumer.name)
            if place is None or _waits(place):
                continue
            if any(event.seq > place.seq and consumer.wants(event) for event in events):
                while await self._advance(tenant, consumer, events[-1].seq):
                    pass
            else:
                idle.append(consumer.name)
        if idle:
            async with self._tenants.transaction(tenant.bucket, tenant.prelude) as tx:
                await tx.execute(events_log.SKIP, consumers=idle, seq=events[-1].seq)

    async def _advance(self, tenant: Tenant, consumer: Consumer, until: int) -> bool:
        """Give a consumer its next events; whether there may be more before ``until``."""
        given: list[Event] = []
        place: Cursor | None = None
        try:
            async with (
                asyncio.timeout(_PATIENCE_SECONDS),
                self._tenants.transaction(tenant.bucket, tenant.prelude) as tx,
            ):
                place = await tx.find(events_log.LOCK_CURSOR, consumer=consumer.name)
                if place is None or _waits(place) or place.seq >= until:
                    return False
                events = await tx.many(events_log.AFTER, seq=place.seq, most=_LOOK_AHEAD)
                given = [event for event in events if consumer.wants(event)][: consumer.batch]
                seq = given[-1].seq if len(given) == consumer.batch else events[-1].seq
                if given:
                    with self._tracing.span(
                        f"consume {consumer.name}", given[0].traceparent, SpanKind.CONSUMER
                    ):
                        await consumer.consume(tx, tenant, given)
                await tx.execute(events_log.MOVE, name=consumer.name, seq=seq)
        except Exception as error:
            await self._note(tenant, consumer, given, place, error)
            return False
        return seq < until

    async def _note(
        self,
        tenant: Tenant,
        consumer: Consumer,
        given: list[Event],
        place: Cursor | None,
        error: Exception,
    ) -> None:
        """Remember a failure, and when to try again; or set the event aside."""
        log.warning("consumer failed", consumer=consumer.name, tenant=tenant.slug, exc_info=error)
        if place is None or not given:
            raise error
        said = f"{type(error).__name__}: {error}"[:_ERROR_LENGTH].replace("\0", "")
        failures = place.failures + 1
        async with self._tenants.transaction(tenant.bucket, tenant.prelude) as tx:
            if consumer.attempts is not None and failures >= consumer.attempts:
                event = given[0]
                await tx.execute(
                    events_log.SET_ASIDE, consumer=consumer.name, event_id=event.id, error=said
                )
                await tx.execute(events_log.MOVE, name=consumer.name, seq=event.seq)
            else:
                await tx.execute(
                    events_log.NOTE_FAILURE,
                    name=consumer.name,
                    retry_at=datetime.now(UTC) + pause(failures),
                    error=said,
                )


def pause(failures: int) -> timedelta:
    """Twice as long each time, with jitter, five minutes at most."""
    longest = min(_LONGEST_PAUSE, 0.25 * 2**failures)
    return timedelta(seconds=longest * random.uniform(0.5, 1))  # noqa: S311


def _waits(place: Cursor) -> bool:
    return place.retry_at is not None and place.retry_at > datetime.now(UTC)


def _standing(places: list[Cursor]) -> Standing:
    waiting = [place.retry_at for place in places if place.retry_at is not None]
    done = min((place.seq for place in places), default=_EVERYTHING)
    return Standing(done, min(waiting, default=None))
