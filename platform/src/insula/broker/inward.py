"""Events on their way in: CloudEvents that others address to a tenant.

One is written into the tenant's outbox together with the fact that it was received, so that it is
in the log once, however often the broker delivers it.
"""

import asyncio
import contextlib
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID, uuid5

import msgspec
import structlog
from msgspec import Meta
from sqlalchemy import DateTime, bindparam, delete, insert
from sqlalchemy.dialects.postgresql import insert as upsert

from insula.broker.line import line_to
from insula.broker.tables import InboxRow
from insula.db import Statement, Work, binds
from insula.events.outbox import EventBody, OutboxRow
from insula.foundation import Foundation
from insula.telemetry.tracing import read_traceparent
from insula.tenancy.cells import CATALOGUE_PRELUDE
from insula.tenancy.tenant import Tenant

log = structlog.get_logger("insula.broker")

_LONGEST = 256 << 10
_LONGEST_KEY = 2000
"""Bytes of ``source`` and ``id`` together: a line of PostgreSQL's index holds 2,704."""
_KEPT = timedelta(days=7)
"""A broker that delivers again after this long is taken at its word."""
_LOOK_SECONDS = 2.0
_IDS = UUID("01920d3c-6d1b-7e50-9a3f-5b0f6f0c8a11")
"""The name space of ids that events from outside get here."""

Text = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """A CloudEvent in the JSON format. ``tenant`` is an extension of ours: a slug or an id."""

    specversion: str
    id: Text
    source: Text
    type: Annotated[str, Meta(max_length=200, pattern=r"^[a-z][a-z0-9]*(\.[a-z][a-z0-9_]*){2}$")]
    tenant: Text
    subject: Text = "external"
    time: datetime | None = None
    data: dict[str, Any] = {}
    traceparent: str = ""


class Refused(Exception):
    """The message is not one for us; the text says why."""


class Inbound:
    """Takes in what lies at the broker for as long as the worker lives."""

    def __init__(self, foundation: Foundation, ours: Collection[str]) -> None:
        """``ours``: first words of types that nobody outside may use."""
        settings = foundation.settings
        self._foundation = foundation
        self._source = settings.broker_inbound
        self._ours = frozenset(ours)
        self._line = line_to(settings.broker_url)
        self._refusing = line_to(settings.broker_url)

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set."""
        while not stop.is_set():
            try:
                await self._line.listen(self._source, self.receive)
                log.info("listening to the broker", source=self._source)
                while not stop.is_set() and await self._line.is_up():
                    await _pause(stop)
            except Exception as error:
                log.warning("no broker", error=str(error)[:500])
            await self._line.close()
            await _pause(stop)
        await self._refusing.close()

    async def receive(self, body: bytes) -> None:
        """Take one message in.

        Raises:
            Exception: not now; the broker is to deliver it again.
        """
        try:
            event, tenant = await self._read(body)
            await self._keep(event, tenant)
        except Refused as error:
            log.warning("a message from the broker is refused", why=str(error))
            await self._refusing.put(
                f"{self._source}.refused", body[:_LONGEST], reason=str(error)[:500]
            )
            return
        except Exception:
            await asyncio.sleep(1)  # whatever is down, the broker would deliver again at once
            raise

    async def _read(self, body: bytes) -> tuple[Incoming, Tenant]:
        if len(body) > _LONGEST:
            raise Refused(f"longer than {_LONGEST} bytes")
        try:
            event = msgspec.json.decode(body, type=Incoming)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Refused(f"no CloudEvent for a tenant: {error}") from error
        if len((event.source + event.id).encode()) > _LONGEST_KEY:
            raise Refused(f"source and id have more than {_LONGEST_KEY} bytes together")
        if event.specversion != "1.0":
            raise Refused("a version of CloudEvents that nobody here speaks")
        if event.type.partition(".")[0] in self._ours:
            raise Refused(f"{event.type} is an event of Insula's own")
        if b"\\u0000" in body:
            raise Refused("PostgreSQL keeps no NUL")
        tenant = await self._tenant(event.tenant)
        if tenant is None or tenant.status == "deleted":
            raise Refused(f"there is no tenant {event.tenant!r}")
        return event, tenant

    async def _tenant(self, name: str) -> Tenant | None:
        foundation = self._foundation
        catalogue = foundation.catalogue.work(0, CATALOGUE_PRELUDE, writes=False)
        with contextlib.suppress(ValueError):
            return await foundation.directory.by_id(str(UUID(name)), catalogue)
        return await foundation.directory.by_slug(name, catalogue)

    async def _keep(self, event: Incoming, tenant: Tenant) -> None:
        async with self._foundation.tenants.transaction(tenant.bucket, tenant.prelude) as tx:
            await receive_once(tx, event)


async def receive_once(tx: Work, event: Incoming) -> bool:
    """Write the event into the tenant's outbox, unless it has been there; whether it was new."""
    await tx.execute(_PRUNE, before=datetime.now(UTC) - _KEPT)
    if not await tx.execute(_RECEIVE, source=event.source, id=event.id):
        return False
    body = EventBody(
        id=uuid5(_IDS, f"{event.source}\n{event.id}"),
        type=event.type,
        subject=event.subject,
        time=_moment(event.time),
        actor_id=None,
        data=event.data,
        traceparent=event.traceparent if read_traceparent(event.traceparent) else "",
    )
    await tx.execute(_EMIT, body=body)
    return True


def _moment(time: datetime | None) -> datetime:
    if time is None:
        return datetime.now(UTC)
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


async def _pause(stop: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LOOK_SECONDS):
            await stop.wait()


_RECEIVE = Statement(upsert(InboxRow).values(**binds("source", "id")).on_conflict_do_nothing())
_PRUNE = Statement(
    delete(InboxRow).where(
        InboxRow.received_at < bindparam("before", type_=DateTime(timezone=True))
    )
)
# inline: nothing is returned, since nothing may be read.
_EMIT = Statement(insert(OutboxRow).inline().values(kind="event", **binds("body")))
