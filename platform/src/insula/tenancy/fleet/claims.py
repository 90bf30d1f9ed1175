"""Which modules of which tenants are behind, and taking hold of them."""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Integer, Text, bindparam, column, exists, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as UUID_TYPE

from insula.db import Statement, Work
from insula.tenancy.cells import cell_of
from insula.tenancy.fleet.files import Files, newest
from insula.tenancy.fleet.report import Options
from insula.tenancy.tables import MoveRow, TenantModule, TenantRow

_ERROR_LENGTH = 1000


class Behind(msgspec.Struct, frozen=True):
    """A module of a tenant whose tables are not at the newest version."""

    tenant_id: UUID
    number: int
    slug: str
    bucket: int
    module: str
    version: int
    state: str = "ok"

    @property
    def key(self) -> tuple[int, str]:
        return self.number, self.module


def latest(files: Files) -> dict[str, Any]:
    """The parameters of :data:`LATEST`."""
    return {
        "modules": list(files),
        "versions": [newest(steps) for steps in files.values()],
    }


async def find_behind(catalogue: Work, files: Files) -> list[Behind]:
    """What is behind, quarantined or not, in the order of modules, then cells, then tenants."""
    lines = await catalogue.many(BEHIND, **latest(files))
    rank = {name: at for at, name in enumerate(files)}
    return sorted(lines, key=lambda line: (rank[line.module], cell_of(line.bucket), line.number))


def is_wanted(line: Behind, options: Options) -> bool:
    """Whether this run is to migrate it."""
    return (
        line.state == "ok"
        and (not options.tenants or line.slug in options.tenants)
        and (not options.modules or line.module in options.modules)
    )


async def claim(catalogue: Work, lines: list[Behind], version: int) -> list[Behind]:
    """Take hold of these modules of tenants, until the end of the transaction; those that are still
    behind and that nobody else has hold of.

    The tenant's own row is held too, or somebody could enable the module in between. One that is
    being moved to another cell is left alone.
    """
    module = lines[0].module
    ids = [line.tenant_id for line in lines]
    claimed = await catalogue.many(_CLAIM, tenants=ids, module=module, version=version)
    versions = {row.tenant_id: row.version for row in claimed}
    held = set(await catalogue.many(_HOLD, tenants=list(versions)))
    return [
        msgspec.structs.replace(line, version=versions[line.tenant_id])
        for line in lines
        if line.tenant_id in held
    ]


async def record_done(catalogue: Work, lines: list[Behind], version: int) -> None:
    """The modules of these tenants have this version now."""
    ids = [line.tenant_id for line in lines]
    await catalogue.execute(_DONE, tenants=ids, name=lines[0].module, new_version=version)


async def record_failure(catalogue: Work, line: Behind, error: str, *, quarantine: bool) -> None:
    """It did not work; with ``quarantine`` it is not tried again until the operator asks for it."""
    await catalogue.execute(
        _FAILED,
        tenant=line.tenant_id,
        name=line.module,
        new_state="quarantined" if quarantine else "ok",
        new_error=error[:_ERROR_LENGTH],
    )


async def lift_quarantine(catalogue: Work, options: Options) -> int:
    """Let what failed be tried again; how many there were."""
    return await catalogue.execute(_LIFT, slugs=list(options.tenants), names=list(options.modules))


async def count_quarantined(catalogue: Work) -> int:
    return await catalogue.one(_COUNT)


class _Claimed(msgspec.Struct, frozen=True):
    tenant_id: UUID
    version: int


LATEST = (
    func.unnest(
        bindparam("modules", type_=ARRAY(Text)), bindparam("versions", type_=ARRAY(Integer))
    )
    .table_valued(column("module", Text), column("version", Integer))
    .render_derived(name="latest")
)
"""The newest version of each module: the parameters are :func:`latest`'s."""
BEHIND = Statement(
    select(
        TenantModule.tenant_id,
        TenantRow.number,
        TenantRow.slug,
        TenantRow.bucket,
        TenantModule.module,
        TenantModule.version,
        TenantModule.state,
    )
    .join(TenantRow, TenantRow.id == TenantModule.tenant_id)
    .join(LATEST, LATEST.c.module == TenantModule.module)
    .where(TenantModule.version < LATEST.c.version)
    .order_by(TenantRow.number, TenantModule.module),
    Behind,
)


def _any(name: str, kind: Any) -> Any:
    return func.any(bindparam(name, type_=ARRAY(kind)))


_CLAIM = Statement(
    select(TenantModule.tenant_id, TenantModule.version)
    .where(
        TenantModule.tenant_id == _any("tenants", UUID_TYPE),
        TenantModule.module == bindparam("module"),
        TenantModule.version < bindparam("version"),
        TenantModule.state == literal("ok"),
    )
    .with_for_update(skip_locked=True),
    _Claimed,
)
_HOLD = Statement(
    select(TenantRow.id)
    .where(
        TenantRow.id == _any("tenants", UUID_TYPE),
        ~exists().where(MoveRow.tenant_id == TenantRow.id, MoveRow.phase != literal("done")),
    )
    .with_for_update(read=True, key_share=True, skip_locked=True),
    UUID,
)
_DONE = Statement(
    update(TenantModule)
    .where(
        TenantModule.tenant_id == _any("tenants", UUID_TYPE),
        TenantModule.module == bindparam("name"),
    )
    .values(
        version=bindparam("new_version"),
        state="ok",
        error=None,
        attempts=0,
        attempted_at=func.now(),
        changed_at=func.now(),
    )
)
_FAILED = Statement(
    update(TenantModule)
    .where(TenantModule.tenant_id == bindparam("tenant"), TenantModule.module == bindparam("name"))
    .values(
        state=bindparam("new_state"),
        error=bindparam("new_error"),
        attempts=TenantModule.attempts + 1,
        attempted_at=func.now(),
    )
)
_slugs = bindparam("slugs", type_=ARRAY(Text))
_names = bindparam("names", type_=ARRAY(Text))
_LIFT = Statement(
    update(TenantModule)
    .where(
        TenantModule.state == literal("quarantined"),
        TenantModule.tenant_id == TenantRow.id,
        (func.cardinality(_slugs) == 0) | (TenantRow.slug == func.any(_slugs)),
        (func.cardinality(_names) == 0) | (TenantModule.module == func.any(_names)),
    )
    .values(state="ok")
)
_COUNT = Statement(
    select(func.count()).select_from(TenantModule).where(TenantModule.state == "quarantined"), int
)
