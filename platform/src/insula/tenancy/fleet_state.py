"""Which versions the tables of an installation have: what `insula db status` shows."""

import msgspec
from sqlalchemy import func, select

from insula.db import Statement, Work
from insula.module import Module
from insula.tenancy import core
from insula.tenancy.fleet import DUE, latest, tenant_files
from insula.tenancy.migrations import APPLIED, pending
from insula.tenancy.tables import TenantModule


class ModuleState(msgspec.Struct, frozen=True):
    module: str
    latest: int
    """The version of its newest migration file."""
    tenants: int
    """Tenants that have its tables, whether it is on or off."""
    behind: int


class Late(msgspec.Struct, frozen=True):
    tenant: str
    module: str
    version: int
    latest: int


class FleetState(msgspec.Struct, frozen=True):
    catalogue: ModuleState
    """The installation's own tables; ``behind`` counts its missing migrations."""
    modules: tuple[ModuleState, ...]
    behind: tuple[Late, ...]


class _Count(msgspec.Struct, frozen=True):
    module: str
    tenants: int


_COUNTS = Statement(
    select(TenantModule.module, func.count().label("tenants")).group_by(TenantModule.module), _Count
)


async def read_state(catalogue: Work, modules: dict[str, Module]) -> FleetState:
    """Read it from the catalogue, without asking the tenants.

    Raises:
        MigrationChanged: a file of the catalogue was edited after it was applied.
    """
    files = tenant_files(modules)
    versions = {name: steps[-1].version if steps else 0 for name, steps in files.items()}
    counts = {line.module: line.tenants for line in await catalogue.many(_COUNTS)}
    due = await catalogue.many(DUE, **latest(files))
    own = core.catalogue_files()
    missing = pending(own, await catalogue.many(APPLIED, module=core.CATALOGUE))
    return FleetState(
        ModuleState(core.CATALOGUE, own[-1].version, 0, len(missing)),
        tuple(
            ModuleState(
                name,
                version,
                counts.get(name, 0),
                sum(line.module == name for line in due),
            )
            for name, version in versions.items()
        ),
        tuple(Late(line.slug, line.module, line.version, versions[line.module]) for line in due),
    )
