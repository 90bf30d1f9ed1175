"""Asking the DNS again whether domains are still those of the tenants that have proved them.

A domain that its owner has let go may be somebody else's by now: GitHub, Google Workspace and
Postmark look again too, and give some days of grace. Only an answer counts, and only that the
record is not there; name servers that fail or are silent say nothing about whose a domain is. After
the second such answer the owners are told, and when there were only such for
``INSULA_DOMAIN_GRACE_DAYS``, the domain is no longer the tenant's.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import structlog
from sqlalchemy import DateTime, Integer, Interval, Text, Uuid, bindparam, func, select, update

from insula.db import Database, Statement
from insula.http.redis_line import RedisLine
from insula.settings import Settings
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME
from insula.tenancy.dns import NameServers
from insula.tenancy.domains import record_name, record_value
from insula.tenancy.epochs import publish_epoch_of
from insula.tenancy.errors import DomainUnreachable
from insula.tenancy.provisioning import raise_epoch
from insula.tenancy.tables import DomainRow, TenantRow
from insula.tenancy.telling import Lost, Missing, tell_owners

log = structlog.get_logger("insula.domains")

EVERY = timedelta(hours=12)
TELL_AFTER = 2
"""Answers without the record: one may be a slip while somebody edits the zone."""
LOSE_AFTER = 5
"""At least so many, however long the first is ago: a worker may have been down for most of it."""
_BATCH = 200
_AT_ONCE = 20
MANY = 10
"""So many tenants at least, most of which seem to have lost a record at once, and it is the name
servers that are wrong."""


class Due(msgspec.Struct, frozen=True):
    """A domain that is to be looked at again."""

    tenant_id: UUID
    name: str
    token: str
    verified_at: datetime
    asked_at: datetime | None
    failures: int


class Counted(msgspec.Struct, frozen=True):
    """A domain whose record was not there, once more."""

    tenant_id: UUID
    name: str
    token: str
    verified_at: datetime
    failures: int
    failing_since: datetime
    is_over: bool
    """Whether the days of grace are."""


_this = (
    DomainRow.tenant_id == bindparam("tenant", type_=Uuid),
    DomainRow.name == bindparam("domain", type_=Text),
    # Not if it was proved, lost or looked at by somebody else while the DNS was asked.
    DomainRow.verified_at == bindparam("proved", type_=DateTime(timezone=True)),
    DomainRow.asked_at.is_not_distinct_from(bindparam("asked", type_=DateTime(timezone=True))),
)
_DUE = Statement(
    select(
        DomainRow.tenant_id,
        DomainRow.name,
        DomainRow.token,
        DomainRow.verified_at,
        DomainRow.asked_at,
        DomainRow.failures,
    )
    .join(TenantRow, TenantRow.id == DomainRow.tenant_id)
    .where(
        DomainRow.verified_at.is_not(None),
        func.coalesce(DomainRow.asked_at, DomainRow.verified_at)
        < func.now() - bindparam("every", type_=Interval),
        (TenantRow.status == "active") | (TenantRow.status == "suspended"),
    )
    .order_by(DomainRow.asked_at.nulls_first())
    .limit(bindparam("most", type_=Integer)),
    Due,
)
_ASKED = Statement(update(DomainRow).where(*_this).values(asked_at=func.now()))
_THERE = Statement(
    update(DomainRow).where(*_this).values(asked_at=func.now(), failures=0, failing_since=None)
)
_MISSING = Statement(
    update(DomainRow)
    .where(*_this)
    .values(
        asked_at=func.now(),
        failures=DomainRow.failures + 1,
        failing_since=func.coalesce(DomainRow.failing_since, func.now()),
    )
    .returning(
        DomainRow.tenant_id,
        DomainRow.name,
        DomainRow.token,
        DomainRow.verified_at,
        DomainRow.failures,
        DomainRow.failing_since,
        (DomainRow.failing_since <= func.now() - bindparam("grace", type_=Interval)).label(
            "is_over"
        ),
    ),
    Counted,
)
_LOSE = Statement(
    update(DomainRow).where(*_this[:2]).values(verified_at=None, failures=0, failing_since=None)
)


class Rechecking:
    """One look at every domain that is due."""

    def __init__(self, services: dict[str, Any]) -> None:
        self._catalogue: Database = services["catalogue"]
        self._tenants: Database = services["database"]
        self._redis: RedisLine = services["redis"]
        self._servers: NameServers = services["name_servers"]
        settings: Settings = services["settings"]
        self._grace = timedelta(days=settings.domain_grace_days)

    async def finish(self) -> None:
        """Until none is due: asked is asked, whatever came of it."""
        while due := await self._find():
            answers = await self._ask(due)
            missing = [line for line in due if answers[line.name, line.tenant_id] is False]
            believed = not _is_unlikely(due, missing)
            if not believed:
                log.error(
                    "most domains seem to have lost their records at once: are the name servers "
                    "right?",
                    asked=len(due),
                    missing=len(missing),
                )
            for line in due:
                is_there = answers[line.name, line.tenant_id]
                await self._note(line, is_there if is_there or believed else None)

    async def _find(self) -> list[Due]:
        reading = self._catalogue.work(HOME, CATALOGUE_PRELUDE, writes=False)
        return await reading.many(_DUE, every=EVERY, most=_BATCH)

    async def _ask(self, due: list[Due]) -> dict[tuple[str, UUID], bool | None]:
        """Whether the record of each is there; None: there is no saying."""
        limit = asyncio.Semaphore(_AT_ONCE)

        async def ask(line: Due) -> bool | None:
            async with limit:
                try:
                    found = await self._servers.texts(record_name(line.name))
                except DomainUnreachable:
                    return None
                return record_value(line.token) in found

        answers = await asyncio.gather(*map(ask, due))
        keys = [(line.name, line.tenant_id) for line in due]
        return dict(zip(keys, answers, strict=True))

    async def _note(self, line: Due, is_there: bool | None) -> None:
        which = {
            "tenant": line.tenant_id,
            "domain": line.name,
            "proved": line.verified_at,
            "asked": line.asked_at,
        }
        if is_there is False:
            try:
                await self._count(which)
                return
            except Exception as error:  # its cell is down: the next look counts
                log.warning("domain cannot be counted", domain=line.name, exc_info=error)
        async with self._catalogue.transaction(HOME, CATALOGUE_PRELUDE) as tx:
            await tx.execute(_THERE if is_there else _ASKED, **which)

    async def _count(self, which: dict[str, Any]) -> None:
        """Once more it was not there. Who is told is told before that is committed: if something
        fails in between, they are told again."""
        epoch = None
        async with self._catalogue.transaction(HOME, CATALOGUE_PRELUDE) as tx:
            counted = await tx.find(_MISSING, **which, grace=self._grace)
            if counted is None:
                return
            lost = counted.is_over and counted.failures >= LOSE_AFTER
            if lost:
                await tx.execute(_LOSE, tenant=counted.tenant_id, domain=counted.name)
                epoch = await raise_epoch(tx, counted.tenant_id)
            if lost or counted.failures == TELL_AFTER:
                await tell_owners(tx, self._tenants, counted.tenant_id, self._news(counted, lost))
        if epoch is not None:
            log.warning("domain lost", domain=counted.name, tenant_id=str(counted.tenant_id))
            await publish_epoch_of(self._redis, str(counted.tenant_id), epoch)

    def _news(self, counted: Counted, lost: bool) -> Missing | Lost:
        if lost:
            return Lost(counted.name, counted.token, "missing", self._grace.days)
        left = counted.failing_since + self._grace - datetime.now(UTC)
        return Missing(counted.name, counted.token, max(1, left.days))


def _is_unlikely(due: list[Due], missing: list[Due]) -> bool:
    """Whether it is the answers that are wrong: most of the tenants whose records were there the
    last time have lost one. Tenants, since one may give up many domains at once."""
    sound = {line.tenant_id for line in due if not line.failures}
    gone = {line.tenant_id for line in missing if not line.failures}
    return len(sound) >= MANY and 2 * len(gone) > len(sound)


async def recheck_due(services: dict[str, Any]) -> None:
    """The cron: see the module's docstring."""
    await Rechecking(services).finish()
