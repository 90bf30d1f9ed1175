"""The module contract: what a feature brings, and the checks it has to pass to load."""

import importlib.resources
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from importlib.resources.abc import Traversable
from typing import Any

import click
from litestar import Router
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from sqlalchemy import Enum, Table

from insula.access import PUBLIC, ROLES, SIGNED_IN, Scope
from insula.db import TenantTable, Work
from insula.db.marks import unmarked
from insula.events import EventType, Listener
from insula.events.types import NAME as EVENT_NAME
from insula.graphql.types import Graph
from insula.jobs import Cron, Job
from insula.realtime import Channel
from insula.search import SearchSource

ENTRY_POINTS = "insula.modules"
_NAME = re.compile(r"[a-z][a-z0-9]{1,30}")
_MIGRATION = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
RESERVED = frozenset(
    [
        "me",
        "users",
        "invitations",
        "roles",
        "keys",
        "modules",
        "billing",
        "webhooks",
        "files",
        "jobs",
        "events",
        "search",
        "audit",
        "settings",
        "usage",
        "tenants",
        "sessions",
        "core",
        "realtime",
        "attachments",
        "mail",
        "graphql",
        "exports",
        "imports",
        "erasures",
    ]
)


class ModuleRejected(Exception):
    """A module breaks the contract; the message says which rule and how to mend it."""


@dataclass(frozen=True, kw_only=True)
class Module:
    """A feature that a tenant switches on. Pure data: the platform does the rest.

    ``name`` is the folder, the URL prefix, the table prefix and the scope prefix at once.
    """

    name: str
    title: str
    summary: str
    package: str
    """``__package__`` of the module: where its ``migrations`` folder lies."""
    routes: Sequence[HTTPRouteHandler] = ()
    scopes: Sequence[Scope] = ()
    tables: Sequence[type[TenantTable]] = ()
    events: Sequence[EventType[Any]] = ()
    """What it emits; ``*`` of these names may be subscribed to."""
    listeners: Sequence[Listener] = ()
    jobs: Sequence[Job[Any]] = ()
    crons: Sequence[Cron] = ()
    channels: Sequence[Channel] = ()
    search: Sequence[SearchSource] = ()
    """What people find of it in ``GET /api/v1/search``."""
    graphql: Graph | None = None
    """What it brings to ``/graphql``."""
    compat: Sequence[Router] = ()
    """Routers outside of ``/api/v1/<name>``, below ``/compat/…``: other products' APIs on the
    module's data. Every route of theirs names a right too."""
    cli: Sequence[click.Command] = ()
    needs: Sequence[str] = ()
    """Modules that have to be on before this one."""
    demo: Callable[[Work, "Demo"], Awaitable[None]] | None = None
    """Fills a fresh demo tenant with content worth looking at."""
    arrived: Callable[[Work], Awaitable[None]] | None = None
    """Takes up what rested on jobs and events, once the tables were filled from an archive, which
    has neither: times that are still to come, results that were still to be counted. It must not
    write to anybody: it may be a copy."""
    router: Router = field(init=False, repr=False)
    """What is below ``/api/v1/<name>`` …"""
    routers: tuple[Router, ...] = field(init=False, repr=False)
    """… and everything else that is to be mounted, with it."""

    def __post_init__(self) -> None:
        router = self._mount(f"/api/v1/{self.name}", self.routes)
        object.__setattr__(self, "router", router)
        compat = (self._mount("/", [each]) for each in self.compat)
        object.__setattr__(self, "routers", (router, *compat))

    def _mount(self, path: str, handlers: Sequence[HTTPRouteHandler | Router]) -> Router:
        opt = {"module": self.name}
        return Router(path=path, route_handlers=list(handlers), tags=[self.title], opt=opt)

    @property
    def migrations(self) -> Traversable:
        return importlib.resources.files(self.package) / "migrations"


@dataclass(frozen=True)
class Demo:
    """What a module's demo content may refer to."""

    owner_id: Any


def discover() -> dict[str, Module]:
    """The installed modules by name, each checked, ordered so that needs come first.

    Raises:
        ModuleRejected: a module breaks the contract.
    """
    found: dict[str, Module] = {}
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        module = point.load()
        if not isinstance(module, Module):
            raise ModuleRejected(f"{point.value} is not a Module: point at MODULE in module.py")
        check(module, entry_point=point.name)
        found[module.name] = module
    return _in_order(found)


def _in_order(modules: dict[str, Module]) -> dict[str, Module]:
    ordered: dict[str, Module] = {}

    def visit(name: str, chain: tuple[str, ...]) -> None:
        if name in chain:
            raise ModuleRejected(f"modules need each other in a circle: {' -> '.join(chain)}")
        if name not in modules:
            raise ModuleRejected(f"module {chain[-1]!r} needs {name!r}, which is not installed")
        for needed in modules[name].needs:
            visit(needed, (*chain, name))
        ordered.setdefault(name, modules[name])

    for name in modules:
        visit(name, ())
    return ordered


def check(module: Module, *, entry_point: str) -> None:
    """Hold a module against the contract.

    Raises:
        ModuleRejected: with every rule that it breaks.
    """
    faults = [
        *_check_name(module, entry_point),
        *_check_scopes(module),
        *_check_tables(module),
        *_check_routes(module),
        *_check_names(module),
        *_check_search(module),
        *_check_migrations(module),
    ]
    if faults:
        raise ModuleRejected(f"module {module.name!r}: " + "; ".join(faults))


def _check_name(module: Module, entry_point: str) -> Iterable[str]:
    if not _NAME.fullmatch(module.name):
        yield "the name must be one lower-case word"
    if module.name in RESERVED:
        yield f"the name {module.name!r} belongs to a core service"
    if module.name != entry_point:
        yield f"the entry point is called {entry_point!r}: give both the same name"
    if module.name != module.package.rpartition(".")[2]:
        yield f"its folder is {module.package!r}: name the folder after the module"


def _check_scopes(module: Module) -> Iterable[str]:
    for scope in module.scopes:
        if not scope.name.startswith(f"{module.name}:"):
            yield f"scope {scope.name!r} must begin with '{module.name}:'"
        if unknown := set(scope.roles) - set(ROLES):
            yield f"scope {scope.name!r} names unknown roles {sorted(unknown)}"


def _check_tables(module: Module) -> Iterable[str]:
    for cls in module.tables:
        table = cls.__table__
        assert isinstance(table, Table)
        if table.name != module.name and not table.name.startswith(f"{module.name}_"):
            yield f"table {table.name!r} must be called '{module.name}' or '{module.name}_…'"
        if not table.primary_key.columns:
            yield f"table {table.name!r} has no primary key"
        for column in table.columns:
            if isinstance(column.type, Enum) and column.type.native_enum:
                yield f"{table.name}.{column.name} is an ENUM: use text and a CHECK constraint"
        for name in unmarked(table):
            yield (
                f"{table.name}.{name} seems to be about a person: say what becomes of it when they "
                "are erased, with a mark of insula.db.marks"
            )


def _check_routes(module: Module) -> Iterable[str]:
    scopes = {scope.name for scope in module.scopes} | {PUBLIC, SIGNED_IN}
    compat = [
        handler
        for router in module.compat
        for route in router.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if handler.http_methods != {"OPTIONS"}  # Litestar's own
    ]
    for route in (*module.routes, *compat):
        right = route.opt.get("right")
        if right is None:
            yield f"route {route!r} names no right: declare it with insula.http.get(…, right=…)"
        elif right not in scopes:
            yield f"a route needs {right!r}, which is not among the module's scopes"


def _check_names(module: Module) -> Iterable[str]:
    for event in module.events:
        if not EVENT_NAME.fullmatch(event.name) or not event.name.startswith(f"{module.name}."):
            yield f"event {event.name!r} must be called '{module.name}.<thing>.<past tense>'"
    named = [("listener", listener.name) for listener in module.listeners]
    named += [("job", job.name) for job in module.jobs]
    named += [("cron", cron.name) for cron in module.crons]
    for kind, name in named:
        if not name.startswith(f"{module.name}."):
            yield f"{kind} {name!r} must begin with '{module.name}.'"
    scopes = {scope.name for scope in module.scopes} | {PUBLIC, SIGNED_IN}
    for channel in module.channels:
        if not channel.pattern.startswith(f"{module.name}/"):
            yield f"channel {channel.pattern!r} must begin with '{module.name}/'"
        if channel.right not in scopes:
            yield f"channel {channel.pattern!r} needs {channel.right!r}, which is no scope of it"
    for router in module.compat:
        if not router.path.startswith("/compat/"):
            yield f"the router {router.path!r} must lie below /compat/"


def _check_search(module: Module) -> Iterable[str]:
    scopes = {scope.name for scope in module.scopes}
    tables = {cls.__tablename__: cls for cls in module.tables}
    for source in module.search:
        if not source.kind.startswith(f"{module.name}."):
            yield f"search kind {source.kind!r} must be called '{module.name}.<thing>'"
        if source.right not in scopes | {PUBLIC, SIGNED_IN}:
            yield f"finding {source.kind!r} needs {source.right!r}, which is no scope of the module"
        for only in source.only:
            if only.unless not in scopes:
                yield f"{source.kind!r}: {only.unless!r} is no scope of the module"
        if source.table.name not in tables:
            yield f"{source.kind!r}: the table {source.table.name!r} is not the module's"
        elif "search" not in source.table.columns:
            yield f"{source.kind!r}: give {source.table.name!r} a column search = searchable(…)"


def _check_migrations(module: Module) -> Iterable[str]:
    if not module.tables:
        return
    if not module.migrations.is_dir():
        yield f"no migrations: run `insula modules revise {module.name} -m initial`"
        return
    numbers = [number for number, _ in migration_names(module.migrations)]
    if numbers != list(range(1, len(numbers) + 1)) or not numbers:
        yield f"migrations must be numbered 0001, 0002, … without a gap, found {numbers}"


def migration_names(folder: Traversable) -> list[tuple[int, str]]:
    """Number and file name of each migration, in order."""
    matches = [(_MIGRATION.fullmatch(entry.name), entry.name) for entry in folder.iterdir()]
    return sorted((int(match[1]), name) for match, name in matches if match)
