"""A tenant as a request sees it, and the process-wide cache of them."""

import asyncio
import time
from collections import OrderedDict
from datetime import timedelta
from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID
from weakref import WeakValueDictionary

import msgspec
from msgspec import Meta
from sqlalchemy import Interval, bindparam, func, literal_column, select

from insula.db import Statement, Work
from insula.db.wire import Prelude
from insula.i18n.catalogues import SOURCE
from insula.tenancy.errors import TenantMoving, TenantNotFound
from insula.tenancy.tables import DomainRow, FormerSlug, TenantModule, TenantRow

STALE_SECONDS = 30.0
"""However quiet Redis is, a change to a cached tenant is noticed after this long."""

_LATE_SECONDS = 60.0
"""How long the transaction of a change may have taken: it counts from its beginning."""

_MOVING_SECONDS = 10.0
"""A request waits so long for a tenant that moves to another server."""
_LOOK_SECONDS = 0.02

UNKNOWN_SECONDS = 2.0
"""A host name that is nobody's domain is not looked for again for this long."""


class TenantRecord(msgspec.Struct, frozen=True):
    """The catalogue row, with the modules that are switched on."""

    id: UUID
    number: int
    slug: str
    name: str
    status: str
    bucket: int
    epoch: int
    modules: list[str]
    locale: str | None = None
    time_zone: str | None = None
    suspension: str | None = None
    limits: dict[str, Any] = {}
    domains: list[str] = []


class Limits(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the operator has set for one tenant; None is what the installation has for everybody."""

    rate_limit: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    """Requests a minute of one user, key or address."""
    rate_burst: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    """Requests that may come at once on top of the even rate."""
    users: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    """Users that are not disabled, customers not counted."""
    files_quota: Annotated[int, Meta(ge=0, le=1 << 50)] | None = None
    """Bytes that its files may take."""


class _Place:
    """Where a tenant is, as far as this process knows."""

    __slots__ = ("__weakref__", "bucket", "epoch")

    def __init__(self, bucket: int, epoch: int) -> None:
        self.bucket = bucket
        self.epoch = epoch


_places: WeakValueDictionary[UUID, _Place] = WeakValueDictionary()


def _place(record: TenantRecord) -> _Place:
    """One place for all that hold the tenant, so that each of them finds it after it has moved."""
    place = _places.get(record.id)
    if place is None:
        place = _places[record.id] = _Place(record.bucket, record.epoch)
    elif place.epoch <= record.epoch:
        place.bucket, place.epoch = record.bucket, record.epoch
    return place


_NO_LIMITS = Limits()


@lru_cache(1024)
def _shared(modules: frozenset[str]) -> frozenset[str]:
    """The same one for all tenants who have the same modules: each request looks at it, and what is
    not in the processor's caches takes it as long as a hundred instructions."""
    return modules


class Tenant:
    """One tenant, resolved: ready to be bound."""

    __slots__ = (
        "_place",
        "domains",
        "epoch",
        "id",
        "key",
        "limits",
        "locale",
        "modules",
        "name",
        "number",
        "prelude",
        "slug",
        "status",
        "suspension",
        "time_zone",
    )

    def __init__(self, record: TenantRecord) -> None:
        self.id = record.id
        self.key = str(record.id)
        self.number = record.number
        self.slug = record.slug
        self.name = record.name
        self.status = record.status
        self._place = _place(record)
        self.epoch = record.epoch
        self.modules = _shared(frozenset(record.modules))
        self.locale = record.locale or SOURCE
        """What people read who have not said what they want to."""
        self.time_zone = record.time_zone or "UTC"
        self.suspension = record.suspension or ""
        """Why it is suspended."""
        self.limits = msgspec.convert(record.limits, Limits) if record.limits else _NO_LIMITS
        self.domains = frozenset(record.domains)
        """Its own host names, those that are verified."""
        self.prelude = prelude(record.number)

    @property
    def bucket(self) -> int:
        """Where it is now; whoever holds a tenant for long follows it when it moves."""
        return self._place.bucket


def schema_name(number: int) -> str:
    """The schema, and the role, of a tenant."""
    return f"t_{number}"


def number_of(schema: str) -> int:
    """The number of the tenant whose schema and role this is."""
    return int(schema.removeprefix("t_"))


def prelude(number: int) -> Prelude:
    """``pg_temp`` comes last: a temporary table must not shadow a tenant's."""
    name = schema_name(number)
    return Prelude(name, f"{name}, ext, pg_temp", sealed=True)


_enabled = (
    select(func.array_agg(TenantModule.module))
    .where(TenantModule.tenant_id == TenantRow.id, TenantModule.enabled)
    .scalar_subquery()
)
_domains = (
    select(func.array_agg(DomainRow.name))
    .where(DomainRow.tenant_id == TenantRow.id, DomainRow.verified_at.is_not(None))
    .correlate(TenantRow)
    .scalar_subquery()
)
_columns = select(
    TenantRow.id,
    TenantRow.number,
    TenantRow.slug,
    TenantRow.name,
    TenantRow.status,
    TenantRow.bucket,
    TenantRow.epoch,
    func.coalesce(_enabled, literal_column("'{}'::text[]")).label("modules"),
    TenantRow.locale,
    TenantRow.time_zone,
    TenantRow.suspension,
    TenantRow.limits,
    func.coalesce(_domains, literal_column("'{}'::text[]")).label("domains"),
)
BY_SLUG = Statement(_columns.where(TenantRow.slug == bindparam("slug")), TenantRecord)
BY_NUMBER = Statement(_columns.where(TenantRow.number == bindparam("number")), TenantRecord)
BY_ID = Statement(_columns.where(TenantRow.id == bindparam("id")), TenantRecord)
_BY_FORMER_SLUG = Statement(
    _columns.join(FormerSlug, FormerSlug.tenant_id == TenantRow.id).where(
        FormerSlug.slug == bindparam("former"), FormerSlug.until > func.now()
    ),
    TenantRecord,
)
_BY_DOMAIN = Statement(
    _columns.join(DomainRow, DomainRow.tenant_id == TenantRow.id).where(
        DomainRow.name == bindparam("domain"), DomainRow.verified_at.is_not(None)
    ),
    TenantRecord,
)


class _Changed(msgspec.Struct, frozen=True):
    id: UUID
    number: int
    slug: str


_CHANGED = Statement(
    select(TenantRow.id, TenantRow.number, TenantRow.slug).where(
        TenantRow.updated_at > func.now() - bindparam("since", type_=Interval)
    ),
    _Changed,
)


class Directory:
    """Tenants by slug and by id, read from the catalogue and kept while their epoch holds.

    A tenant that does not exist is never remembered: it may sign up the next moment.
    """

    def __init__(self, capacity: int = 20_000) -> None:
        self._capacity = capacity
        self._swept = time.monotonic()
        self._sweep_at = self._swept + STALE_SECONDS
        # A tenant is in all three or in none; by slug, in the order in which they came.
        self._slugs: OrderedDict[str, Tenant] = OrderedDict()
        self._ids: dict[str, Tenant] = {}
        self._numbers: dict[int, Tenant] = {}
        self._hosts: OrderedDict[str, str | float] = OrderedDict()
        self._settling: dict[UUID, asyncio.Task[Tenant]] = {}

    def knows(self, slug: str) -> bool:
        """Whether a tenant of this slug was there lately."""
        return slug in self._slugs

    async def by_slug(self, slug: str, catalogue: Work) -> Tenant | None:
        """The tenant of this slug, or the one that has given it up not long ago."""
        if time.monotonic() > self._sweep_at:
            await self._sweep(catalogue)
        if (cached := self._slugs.get(slug)) is not None:
            return cached
        record = await catalogue.find(BY_SLUG, slug=slug)
        if record is None and (moved := await catalogue.find(_BY_FORMER_SLUG, former=slug)):
            return self._remember(moved.slug, moved)
        return self._remember(slug, record)

    def has_looked_for(self, host: str) -> bool:
        """Whether it is known, for the moment, whose domain this is."""
        found = self._hosts.get(host, 0.0)
        return isinstance(found, str) or found > time.monotonic()

    async def by_domain(self, host: str, catalogue: Work) -> Tenant | None:
        """The tenant whose verified domain this is."""
        found = self._hosts.get(host, 0.0)
        if isinstance(found, str):
            tenant = await self.by_id(found, catalogue)
            if tenant is not None and host in tenant.domains:
                return tenant
        elif found > time.monotonic():
            return None
        record = await catalogue.find(_BY_DOMAIN, domain=host)
        self._hosts[host] = str(record.id) if record else time.monotonic() + UNKNOWN_SECONDS
        if len(self._hosts) > self._capacity:
            self._hosts.popitem(last=False)
        return self._remember(record.slug, record) if record else None

    async def by_id(self, tenant_id: str, catalogue: Work) -> Tenant | None:
        if time.monotonic() > self._sweep_at:
            await self._sweep(catalogue)
        if (cached := self._ids.get(tenant_id)) is not None:
            return cached
        record = await catalogue.find(BY_ID, id=UUID(tenant_id))
        return self._remember(record.slug if record else "", record)

    async def by_number(self, number: int, catalogue: Work) -> Tenant | None:
        if time.monotonic() > self._sweep_at:
            await self._sweep(catalogue)
        if (cached := self._numbers.get(number)) is not None:
            return cached
        record = await catalogue.find(BY_NUMBER, number=number)
        return self._remember(record.slug if record else "", record)

    async def _sweep(self, catalogue: Work) -> None:
        """Forget those that have changed, or begun, in the last while: one query for all, instead
        of one for each tenant that has been here for half a minute."""
        now = time.monotonic()
        seconds = now - self._swept + _LATE_SECONDS
        self._sweep_at = now + STALE_SECONDS  # nobody else sweeps meanwhile
        try:
            changed = await catalogue.many(_CHANGED, since=timedelta(seconds=seconds))
        except BaseException:
            self._sweep_at = now
            raise
        self._swept = now
        for line in changed:
            self._drop(line.slug, str(line.id), line.number)

    async def settled(self, tenant: Tenant, catalogue: Work) -> Tenant:
        """The tenant as it is now; if it moves, once it has moved. However many wait, one asks.

        Raises:
            TenantMoving: it takes longer than it should.
            TenantNotFound: it is gone.
        """
        asking = self._settling.get(tenant.id)
        if asking is None:
            asking = self._settling[tenant.id] = asyncio.create_task(
                self._await_move(tenant, catalogue)
            )
            asking.add_done_callback(lambda _: self._settling.pop(tenant.id, None))
        return await asyncio.shield(asking)

    async def _await_move(self, tenant: Tenant, catalogue: Work) -> Tenant:
        deadline = time.monotonic() + _MOVING_SECONDS
        while time.monotonic() < deadline:
            self.forget(tenant)
            fresh = await self.by_id(tenant.key, catalogue)
            if fresh is None:
                raise TenantNotFound
            if fresh.status != "moving":
                return fresh
            await asyncio.sleep(_LOOK_SECONDS)
        raise TenantMoving

    def forget(self, tenant: Tenant) -> None:
        self._drop(tenant.slug, tenant.key, tenant.number)

    def _drop(self, slug: str, key: str, number: int) -> None:
        """Whoever is known by one of them: an older state of this tenant, or who had its slug."""
        for known in (self._slugs.get(slug), self._ids.get(key), self._numbers.get(number)):
            if known is not None:
                self._slugs.pop(known.slug, None)
                self._ids.pop(known.key, None)
                self._numbers.pop(known.number, None)

    def _remember(self, slug: str, record: TenantRecord | None) -> Tenant | None:
        if record is None:
            if (gone := self._slugs.get(slug)) is not None:
                self.forget(gone)
            return None
        tenant = Tenant(record)
        self.forget(tenant)
        self._slugs[tenant.slug] = self._ids[tenant.key] = self._numbers[tenant.number] = tenant
        if len(self._slugs) > self._capacity:
            self.forget(next(iter(self._slugs.values())))
        return tenant
