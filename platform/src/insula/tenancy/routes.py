"""Signing up, ``/api/v1/modules`` and ``/api/v1/settings``."""

from litestar import Router, delete, get, patch, post, put
from msgspec import UNSET

from insula.access import PUBLIC
from insula.db import Database, Work
from insula.http.exchange import Exchange
from insula.http.preferences import check_language, check_time_zone
from insula.http.redis_line import RedisLine
from insula.i18n import say
from insula.identity.routes import device_of
from insula.identity.sessions import Sessions
from insula.module import Module
from insula.settings import Settings
from insula.tenancy import provisioning
from insula.tenancy.cells import CATALOGUE_PRELUDE
from insula.tenancy.epochs import publish_epoch
from insula.tenancy.errors import (
    ModuleNeeded,
    ModuleNeedsOthers,
    ModuleNotInstalled,
    SlugTaken,
    TenantMoving,
)
from insula.tenancy.schemas import (
    ModulesToEnable,
    ModuleView,
    SignedUp,
    SignUp,
    TenantSettings,
    TenantSettingsUpdate,
    TenantView,
)
from insula.tenancy.signup import sign_up
from insula.tenancy.tenant import Tenant

Modules = dict[str, Module]


@post("/", right=PUBLIC, tenantless=True, problems=(SlugTaken,), tags=["Tenancy"])
async def create_tenant(
    data: SignUp, tx: Work, exchange: Exchange, sessions: Sessions, settings: Settings
) -> SignedUp:
    """Sign up: a tenant with a schema of its own, and its first owner, signed in."""
    new = await sign_up(
        tx,
        sessions,
        data,
        device_of(exchange),
        buckets=settings.buckets,
        low=max(1, settings.slots // 2),
    )
    tenant, tokens = new.tenant, new.tokens
    return SignedUp(
        TenantView(tenant.id, tenant.slug, tenant.name, tenant.status, []),
        tokens.access_token,
        tokens.refresh_token,
        tokens.expires_in,
    )


@get("/modules", right="modules:read")
async def list_modules(tenant: Tenant, modules: Modules) -> list[ModuleView]:
    """Every module that this installation has, and whether it is on."""
    return [_view(module, tenant.modules) for module in modules.values()]


@put("/modules", right="modules:write", problems=(ModuleNotInstalled, ModuleNeedsOthers))
async def enable_modules(
    data: ModulesToEnable,
    tenant: Tenant,
    modules: Modules,
    catalogue: Database,
    redis: RedisLine,
) -> list[ModuleView]:
    """Switch several modules on, all of them or none; the others stay as they are. Doing so twice
    changes nothing."""
    wanted = {name: _find(modules, name) for name in data.enable}
    in_order = [module for name, module in modules.items() if name in wanted]
    async with catalogue.transaction(0, CATALOGUE_PRELUDE) as tx:
        epoch = await provisioning.enable(tx, tenant, *in_order)
    await publish_epoch(redis, tenant, epoch)
    return [_view(module, tenant.modules | wanted.keys()) for module in in_order]


@put(
    "/modules/{name:str}",
    right="modules:write",
    problems=(ModuleNotInstalled, ModuleNeedsOthers, TenantMoving),
)
async def enable_module(
    name: str, tenant: Tenant, modules: Modules, catalogue: Database, redis: RedisLine
) -> ModuleView:
    """Switch a module on. Doing so twice changes nothing."""
    module = _find(modules, name)
    async with catalogue.transaction(0, CATALOGUE_PRELUDE) as tx:
        epoch = await provisioning.enable(tx, tenant, module)
    await publish_epoch(redis, tenant, epoch)
    return _view(module, tenant.modules | {name})


@delete(
    "/modules/{name:str}",
    right="modules:write",
    problems=(ModuleNotInstalled, ModuleNeeded),
)
async def disable_module(
    name: str, tenant: Tenant, modules: Modules, catalogue: Database, redis: RedisLine
) -> None:
    """Switch a module off. Its data stays, and is there again when it is switched on."""
    module = _find(modules, name)
    async with catalogue.transaction(0, CATALOGUE_PRELUDE) as tx:
        epoch = await provisioning.disable(tx, tenant, module, modules)
    await publish_epoch(redis, tenant, epoch)


@get("/settings", right="settings:read")
async def get_settings(tenant: Tenant) -> TenantSettings:
    """The tenant's name, language and time zone."""
    return TenantSettings(tenant.name, tenant.locale, tenant.time_zone, tenant.limits)


@patch("/settings", right="settings:write")
async def update_settings(
    data: TenantSettingsUpdate, tenant: Tenant, catalogue: Database, redis: RedisLine
) -> TenantSettings:
    """Change them. They hold for everybody who has not chosen for themselves."""
    changed = TenantSettings(
        tenant.name if data.name is UNSET else data.name,
        tenant.locale if data.locale is UNSET else check_language(data.locale),
        tenant.time_zone if data.time_zone is UNSET else data.time_zone,
        tenant.limits,
    )
    check_time_zone(changed.time_zone)
    async with catalogue.transaction(0, CATALOGUE_PRELUDE) as tx:
        epoch = await provisioning.set_preferences(
            tx,
            tenant.id,
            name=changed.name,
            locale=changed.locale,
            time_zone=changed.time_zone,
        )
    await publish_epoch(redis, tenant, epoch)
    return changed


def _find(modules: Modules, name: str) -> Module:
    if name not in modules:
        raise ModuleNotInstalled(say("There are {modules}.", modules=", ".join(modules) or "none"))
    return modules[name]


def _view(module: Module, enabled: frozenset[str]) -> ModuleView:
    return ModuleView(
        module.name,
        module.title,
        module.summary,
        module.name in enabled,
        list(module.needs),
        [scope.name for scope in module.scopes],
    )


ROUTER = Router(
    path="/api/v1",
    route_handlers=[
        list_modules,
        enable_modules,
        enable_module,
        disable_module,
        get_settings,
        update_settings,
    ],
    tags=["Tenancy"],
)
