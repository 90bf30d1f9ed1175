"""What `insula modules revise` compares: the table classes of a name, and its migrations."""

from collections.abc import Sequence
from importlib.metadata import entry_points
from importlib.resources.abc import Traversable
from typing import Any, cast

import msgspec
from sqlalchemy import MetaData, Table
from sqlalchemy.orm import DeclarativeBase

from insula.broker import tables as broker_tables
from insula.db import CatalogueTable, TenantTable
from insula.events import tables as event_tables
from insula.files import tables as file_tables
from insula.i18n import say
from insula.identity import tables as identity_tables
from insula.jobs import tables as jobs_tables
from insula.module import ENTRY_POINTS, Module, migration_names
from insula.portability import tables as portability_tables
from insula.search import tables as search_tables
from insula.tenancy import core
from insula.tenancy import tables as tenancy_tables
from insula.tenancy.errors import ModuleNotInstalled
from insula.webhooks import tables as webhooks_tables

_CORE = (
    broker_tables,
    event_tables,
    file_tables,
    identity_tables,
    jobs_tables,
    portability_tables,
    search_tables,
    tenancy_tables,
    webhooks_tables,
)
"""Whoever declares core tables is named here; the migration test proves that nobody is missing."""


class Target(msgspec.Struct, frozen=True):
    """The tables of the core, of the catalogue or of a module."""

    name: str
    folder: Traversable
    beneath: tuple[str, ...]
    """SQL of what these tables may refer to: the core's and the needed modules' migrations."""
    tables: tuple[Table, ...]
    metadata: MetaData

    def migrations(self) -> list[tuple[int, str]]:
        """Number and SQL of each step there is; none for a module that was just begun."""
        return _read(self.folder) if self.folder.is_dir() else []


def find_target(name: str) -> Target:
    """The target of a name, found without the checks of a module: one without migrations passes
    none of them, and is here to get some.

    Raises:
        ModuleNotInstalled: there is no such module.
    """
    if name == core.TENANT:
        return _platform(name, core.MIGRATIONS, TenantTable)
    if name == core.CATALOGUE:
        return _platform(name, core.CATALOGUE_MIGRATIONS, CatalogueTable)
    module = _load(name)
    needed = _needed(module)
    scripts = [core.MIGRATIONS, *(_load(other).migrations for other in needed)]
    beneath = tuple(sql for folder in scripts for _, sql in _read(folder))
    return Target(name, module.migrations, beneath, _tables(module.tables), TenantTable.metadata)


def _platform(name: str, folder: Traversable, base: type[DeclarativeBase]) -> Target:
    declaring = tuple(part.__name__ for part in _CORE)
    own = [
        mapper.class_ for mapper in base.registry.mappers if mapper.class_.__module__ in declaring
    ]
    return Target(name, folder, (), _tables(own), base.metadata)


def _tables(classes: Sequence[Any]) -> tuple[Table, ...]:
    return tuple(cast(Table, cls.__table__) for cls in classes)


def _load(name: str) -> Module:
    for point in entry_points(group=ENTRY_POINTS, name=name):
        return cast(Module, point.load())
    raise ModuleNotInstalled(say("{name} is not installed here.", name=name))


def _needed(module: Module) -> list[str]:
    """The modules that this one stands on, deepest first."""
    order: list[str] = []
    for name in module.needs:
        order += [other for other in (*_needed(_load(name)), name) if other not in order]
    return order


def _read(folder: Traversable) -> list[tuple[int, str]]:
    return [
        (number, (folder / file).read_text(encoding="utf-8"))
        for number, file in migration_names(folder)
    ]
