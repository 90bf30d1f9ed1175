"""How far the migrations have come, for the operator: ``/api/v1/tenants/migrations``."""

from typing import Annotated

import msgspec
from litestar import Router, get
from litestar.params import QueryParameter

from insula.access import OPERATOR
from insula.db import Database
from insula.module import Module
from insula.tenancy import fleet_state
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME
from insula.tenancy.errors import TenantNotFound
from insula.tenancy.fleet_state import ModuleState, TenantMigrations, Which

_TAGS = ["Operator"]
_PAGE = 100

Modules = dict[str, Module]


class FleetPage(msgspec.Struct):
    """The whole fleet in numbers, and some of its tenants."""

    catalogue: ModuleState
    modules: tuple[ModuleState, ...]
    tenants: list[TenantMigrations]
    next: int | None
    """``after`` of the following page; null on the last one."""


@get("/migrations", right=OPERATOR, tags=_TAGS)
async def list_migrations(
    catalogue: Database,
    modules: Modules,
    which: Which = "behind",
    after: Annotated[int, QueryParameter(ge=0, le=2**62)] = 0,
) -> FleetPage:
    """Which versions the tables have, and the tenants that are `behind`, `quarantined`, or `all`
    of them."""
    reading = catalogue.work(HOME, CATALOGUE_PRELUDE, writes=False)
    state = await fleet_state.read_state(reading, modules)
    found = await fleet_state.page(reading, modules, after=after, limit=_PAGE, which=which)
    following = found[-1].number if len(found) == _PAGE else None
    return FleetPage(state.catalogue, state.modules, found, following)


@get("/{slug:str}/migrations", right=OPERATOR, tags=_TAGS, problems=(TenantNotFound,))
async def get_migrations(slug: str, catalogue: Database, modules: Modules) -> TenantMigrations:
    """Which versions the tables of one tenant have, and what failed."""
    reading = catalogue.work(HOME, CATALOGUE_PRELUDE, writes=False)
    return await fleet_state.of_tenant(reading, modules, slug)


ROUTER = Router(path="/api/v1/tenants", route_handlers=[list_migrations, get_migrations])
