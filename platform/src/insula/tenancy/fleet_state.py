"""Which versions the tables of an installation have: what `insula db status` shows, and the
operator API. Read from the catalogue, without asking the tenants."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from sqlalchemy import (
    BigInteger,
    bindparam,
    case,
    exists,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as UUID_TYPE

from insula.db import Statement, Work
from insula.i18n import say
from insula.module import Module
from insula.tenancy import core
from insula.tenancy.errors import TenantNotFound
from insula.tenancy.fleet import tenant_files
from insula.tenancy.fleet.claims import LATEST, latest
from insula.tenancy.migrations import APPLIED, pending
from insula.tenancy.tables import TenantModule, TenantRow

Standing = Literal["current", "behind", "quarantined"]
Which = Literal["all", "behind", "quarantined"]


class ModuleState(msgspec.Struct, frozen=True):
    module: str
    latest: int
    """The version of its newest migration file."""
    tenants: int
    """Tenants that have its tables, whether it is on or off."""
    behind: int
    quarantined: int = 0
    """Of those behind, how many failed and are left out until `--retry-quarantined`."""


class FleetState(msgspec.Struct, frozen=True):
    catalogue: ModuleState
    """The installation's own tables; ``behind`` counts its missing migrations."""
    modules: tuple[ModuleState, ...]

    @property
    def is_behind(self) -> bool:
        return any(line.behind for line in (self.catalogue, *self.modules))


class ModuleMigration(msgspec.Struct, frozen=True):
    """A module's tables at one tenant."""

    module: str
    version: int
    latest: int
    state: Standing
    enabled: bool
    changed_at: datetime
    """When the version or the switch last changed."""
    attempts: int
    """Migrations that have failed since."""
    attempted_at: datetime | None
    error: str | None


class TenantMigrations(msgspec.Struct, frozen=True):
    tenant: str
    """Its slug."""
    number: int
    """Names its schema, and is the cursor of :func:`page`."""
    state: Standing
    """The worst of its modules'."""
    modules: tuple[ModuleMigration, ...]


async def read_state(catalogue: Work, modules: dict[str, Module]) -> FleetState:
    """The whole fleet, in numbers.

    Raises:
        MigrationChanged: a file of the catalogue was edited after it was applied.
    """
    newest = latest(tenant_files(modules))
    counts = {line.module: line for line in await catalogue.many(_COUNTS, **newest)}
    own = core.catalogue_files()
    missing = pending(own, await catalogue.many(APPLIED, module=core.CATALOGUE))
    return FleetState(
        ModuleState(core.CATALOGUE, own[-1].version, 0, len(missing)),
        tuple(
            counts.get(name, ModuleState(name, version, 0, 0))
            for name, version in zip(newest["modules"], newest["versions"], strict=True)
        ),
    )


async def of_tenant(catalogue: Work, modules: dict[str, Module], slug: str) -> TenantMigrations:
    """One tenant.

    Raises:
        TenantNotFound: nobody has this slug.
    """
    found = await catalogue.find(_BY_SLUG, slug=slug)
    if found is None:
        raise TenantNotFound(say("No tenant is called '{slug}'.", slug=slug))
    return (await _with_modules(catalogue, modules, [found]))[0]


async def page(
    catalogue: Work,
    modules: dict[str, Module],
    *,
    after: int = 0,
    limit: int = 100,
    which: Which = "all",
) -> list[TenantMigrations]:
    """Tenants in the order of their numbers, from behind ``after`` on; those of which a module is
    behind, or those that failed, alone if so asked."""
    found = await catalogue.many(
        _PAGES[which], after=after, size=limit, **latest(tenant_files(modules))
    )
    return await _with_modules(catalogue, modules, found)


class _Tenant(msgspec.Struct, frozen=True):
    id: UUID
    number: int
    slug: str


class _Line(msgspec.Struct, frozen=True):
    tenant_id: UUID
    module: str
    version: int
    latest: int
    state: Standing
    enabled: bool
    changed_at: datetime
    attempts: int
    attempted_at: datetime | None
    error: str | None


async def _with_modules(
    catalogue: Work, modules: dict[str, Module], tenants: list[_Tenant]
) -> list[TenantMigrations]:
    newest = latest(tenant_files(modules))
    ids = [tenant.id for tenant in tenants]
    lines: dict[UUID, list[ModuleMigration]] = {each: [] for each in ids}
    for line in await catalogue.many(_LINES, tenants=ids, **newest):
        fields = msgspec.structs.asdict(line)
        lines[fields.pop("tenant_id")].append(ModuleMigration(**fields))
    return [
        TenantMigrations(each.slug, each.number, _worst(lines[each.id]), tuple(lines[each.id]))
        for each in tenants
    ]


def _worst(modules: list[ModuleMigration]) -> Standing:
    states = {module.state for module in modules}
    if "quarantined" in states:
        return "quarantined"
    return "behind" if "behind" in states else "current"


_is_behind = TenantModule.version < LATEST.c.version
_is_quarantined = _is_behind & (TenantModule.state == literal("quarantined"))
_COUNTS = Statement(
    select(
        TenantModule.module,
        func.min(LATEST.c.version).label("latest"),
        func.count().label("tenants"),
        func.count().filter(_is_behind).label("behind"),
        func.count().filter(_is_quarantined).label("quarantined"),
    )
    .join(LATEST, LATEST.c.module == TenantModule.module)
    .group_by(TenantModule.module),
    ModuleState,
)
_tenants = select(TenantRow.id, TenantRow.number, TenantRow.slug)
_BY_SLUG = Statement(_tenants.where(TenantRow.slug == bindparam("slug")), _Tenant)


def _pages(which: Which) -> Statement[_Tenant]:
    having = {"behind": _is_behind, "quarantined": _is_quarantined}
    of_them = TenantModule.tenant_id == TenantRow.id
    query = _tenants.where(TenantRow.number > bindparam("after", type_=BigInteger))
    if which in having:
        lines = (
            select(1).select_from(TenantModule).join(LATEST, LATEST.c.module == TenantModule.module)
        )
        query = query.where(exists(lines.where(of_them, having[which]).correlate(TenantRow)))
    query = query.order_by(TenantRow.number).limit(bindparam("size", type_=BigInteger))
    return Statement(query, _Tenant)


_PAGES: dict[Which, Statement[_Tenant]] = {
    "all": _pages("all"),
    "behind": _pages("behind"),
    "quarantined": _pages("quarantined"),
}
_LINES = Statement(
    select(
        TenantModule.tenant_id,
        TenantModule.module,
        TenantModule.version,
        LATEST.c.version.label("latest"),
        case(
            (_is_quarantined, literal("quarantined")),
            (_is_behind, literal("behind")),
            else_=literal("current"),
        ).label("state"),
        TenantModule.enabled,
        TenantModule.changed_at,
        TenantModule.attempts,
        TenantModule.attempted_at,
        TenantModule.error,
    )
    .join(LATEST, LATEST.c.module == TenantModule.module)
    .where(TenantModule.tenant_id == func.any(bindparam("tenants", type_=ARRAY(UUID_TYPE))))
    .order_by(TenantModule.tenant_id, TenantModule.module),
    _Line,
)
