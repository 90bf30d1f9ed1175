"""Making a PostgreSQL database a cell, and what the operator does with cells."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import msgspec
from sqlalchemy import (
    BigInteger,
    Integer,
    SmallInteger,
    Text,
    bindparam,
    case,
    column,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from insula.db import Statement, Work, binds
from insula.settings import Settings
from insula.tenancy import beside, spool
from insula.tenancy.cells import (
    BUCKETS_OF_CELL,
    CATALOGUE_PRELUDE,
    CELL,
    HOME,
    Cell,
    CellRefused,
    Cells,
    address,
    buckets_of,
)
from insula.tenancy.installation import prepare, seal
from insula.tenancy.roles import without_login
from insula.tenancy.tables import CellRow, TenantRow
from insula.tenancy.tenant import schema_name


class CellLine(msgspec.Struct, frozen=True):
    """A cell as the operator sees it."""

    number: int
    name: str
    state: str
    tenants: int
    capacity: int
    buckets: int
    url: str
    """Without login; ``/name`` is another database of home's server. Empty for home."""


class Joined(msgspec.Struct, frozen=True):
    """What became of a new cell."""

    cell: CellLine
    skipped: tuple[str, ...]
    """Hardening steps that its server refuses."""


_tenants = (
    select(func.count())
    .where(TenantRow.bucket // BUCKETS_OF_CELL == CellRow.number)
    .scalar_subquery()
)
_LINES = Statement(
    select(
        CellRow.number,
        CellRow.name,
        CellRow.state,
        _tenants.label("tenants"),
        CellRow.capacity,
        CellRow.buckets,
        CellRow.url,
    ).order_by(CellRow.number),
    CellLine,
)
_BY_NAME = Statement(select(*CELL).where(CellRow.name == bindparam("name")), Cell)
_BY_URL = Statement(
    select(CellRow.name).where(CellRow.url == bindparam("url"), CellRow.name != bindparam("name")),
    str,
)
_next = select(func.max(CellRow.number) + 1).scalar_subquery()
_new = upsert(CellRow).values(
    number=_next, state="closed", **binds("name", "url", "buckets", "capacity")
)
_ADD = Statement(
    _new.on_conflict_do_update(
        index_elements=[CellRow.name],
        set_={
            "url": _new.excluded.url,
            "capacity": _new.excluded.capacity,
            "buckets": case(
                (CellRow.buckets > _new.excluded.buckets, CellRow.buckets),
                else_=_new.excluded.buckets,
            ),
        },
    ).returning(*CELL),
    Cell,
)
_SET_CAPACITY = Statement(
    update(CellRow)
    .where(CellRow.name == bindparam("cell", type_=Text))
    .values(capacity=bindparam("new_capacity", type_=Integer))
)
_SET_STATE = Statement(
    update(CellRow)
    .where(CellRow.name == bindparam("cell", type_=Text))
    .values(state=bindparam("new_state", type_=Text))
    .returning(CellRow.number),
    int,
)
_COUNT = Statement(
    select(func.count())
    .where(TenantRow.bucket // BUCKETS_OF_CELL == bindparam("cell", type_=SmallInteger))
    .select_from(TenantRow),
    int,
)
_SCHEMAS = Statement(
    text("SELECT nspname::text AS name FROM pg_namespace WHERE nspname ~ '^t_[0-9]+$'").columns(
        column("name", Text)
    ),
    str,
)
_KNOWN = Statement(
    text(f"""
    SELECT number FROM tenants LEFT JOIN moves ON tenant_id = id AND phase <> 'done'
    WHERE :cell IN (
        bucket / {BUCKETS_OF_CELL}, source / {BUCKETS_OF_CELL}, target / {BUCKETS_OF_CELL}
    )
    UNION ALL SELECT number FROM slots
    """)
    .bindparams(bindparam("cell", type_=Integer))
    .columns(column("number", BigInteger)),
    int,
)
_MARK = "CREATE TABLE IF NOT EXISTS ctl.cell (number smallint NOT NULL)"
_MARKED: Statement[int] = Statement(
    text("SELECT number FROM ctl.cell").columns(column("number", SmallInteger)), int
)
_SET_MARK = Statement(
    text("INSERT INTO ctl.cell VALUES (:number)").bindparams(bindparam("number", type_=Integer))
)


async def list_cells(catalogue: Work) -> list[CellLine]:
    """Every cell, home first."""
    return await catalogue.many(_LINES)


async def add(settings: Settings, name: str, url: str, *, buckets: int, capacity: int) -> Joined:
    """Make a database a cell: logins, privileges and spool, as far as they are not there. ``url``
    is of a login that may create roles; it is used now and not kept. The same name again repairs or
    upgrades the cell, or says that it has gone to another address.

    Raises:
        CellRefused: the database belongs to another cell or installation.
    """
    async with _connected(settings) as cells, _administrating(url) as admin:
        if await admin.fetchval("SELECT to_regclass('ctl.tenants')") is not None:
            raise CellRefused("This database is an installation's home: name another one.")
        cell = await _reserve(cells, name, without_login(url), buckets, capacity)
        return await _join(settings, cells, cell, admin)


async def add_beside_home(settings: Settings, name: str, *, buckets: int, capacity: int) -> Joined:
    """The same with another database of home's server, which is made.

    Raises:
        CellRefused: a cell of this name is elsewhere, or the database is somebody else's.
    """
    async with beside.administrating(settings) as home, _connected(settings) as cells:
        database = await beside.name_for(home, name)
        url = beside.url_of(database)
        async with cells.catalogue.transaction(HOME, CATALOGUE_PRELUDE) as catalogue:
            known = await catalogue.find(_BY_NAME, name=name)
        if known is None and await beside.is_there(home, database):
            raise CellRefused(f"There is a database {database}: take another name for the cell.")
        if known is not None and known.number != HOME and known.url != url:
            raise CellRefused(f"{name} is at {known.url}, not on home's server.")
        cell = await _reserve(cells, name, url, buckets, capacity)
        await beside.ensure(home, database)
        async with _administrating(address(settings, url)) as admin:
            return await _join(settings, cells, cell, admin)


@asynccontextmanager
async def _connected(settings: Settings) -> AsyncIterator[Cells]:
    cells = Cells(settings, size=1)
    try:
        yield cells
    finally:
        await cells.close()


@asynccontextmanager
async def _administrating(url: str) -> AsyncIterator[asyncpg.Connection]:
    admin = await asyncpg.connect(url)
    try:
        yield admin
    finally:
        await admin.close()


async def _join(settings: Settings, cells: Cells, cell: Cell, admin: asyncpg.Connection) -> Joined:
    skipped = await prepare(admin, settings, buckets_of(cell))
    await seal(settings, address(settings, cell.url))
    async with cells.catalogue.transaction(cell.number, CATALOGUE_PRELUDE) as tx:
        await spool.install(tx)
        await _mark(tx, cell)
    async with cells.catalogue.transaction(HOME, CATALOGUE_PRELUDE) as catalogue:
        if cell.state == "closed":
            await catalogue.one(_SET_STATE, cell=cell.name, new_state="open")
        lines = await list_cells(catalogue)
    return Joined(next(line for line in lines if line.name == cell.name), skipped)


async def _reserve(cells: Cells, name: str, url: str, buckets: int, capacity: int) -> Cell:
    """The cell's number, on which its logins' names rest; it stays closed until all is there."""
    async with cells.catalogue.transaction(HOME, CATALOGUE_PRELUDE) as catalogue:
        known = await catalogue.find(_BY_NAME, name=name)
        if known is not None and known.number == HOME:
            raise CellRefused("That is home, which INSULA_DATABASE_URL names.")
        if (other := await catalogue.find(_BY_URL, url=url, name=name)) is not None:
            raise CellRefused(f"This database is the cell {other} already.")
        return await catalogue.one(_ADD, name=name, url=url, buckets=buckets, capacity=capacity)


async def _mark(tx: Work, cell: Cell) -> None:
    """Write into the database which cell it is, or see that it is that one.

    Raises:
        CellRefused: it is another one.
    """
    await tx.run_script(_MARK)
    marked = await tx.find(_MARKED)
    if marked is None:
        await tx.execute(_SET_MARK, number=cell.number)
    elif marked != cell.number:
        raise CellRefused(f"This database is cell {marked}, not {cell.name}.")


async def set_state(catalogue: Work, name: str, state: str) -> None:
    """``open``, ``draining`` or ``closed``.

    Raises:
        CellRefused: there is no such cell; a cell with tenants, or home, cannot be closed.
    """
    number = await catalogue.find(_SET_STATE, cell=name, new_state=state)
    if number is None:
        raise CellRefused(f"There is no cell {name}: `insula cells list`.")
    if state == "closed" and (number == HOME or await catalogue.one(_COUNT, cell=number) > 0):
        raise CellRefused(f"{name} has tenants: `insula tenants move` them first.")


async def set_capacity(catalogue: Work, name: str, capacity: int) -> None:
    """How many tenants it is to hold.

    Raises:
        CellRefused: there is no such cell.
    """
    if not await catalogue.execute(_SET_CAPACITY, cell=name, new_capacity=capacity):
        raise CellRefused(f"There is no cell {name}: `insula cells list`.")


async def check(cells: Cells, cell: CellLine) -> str:
    """What is wrong with a cell; nothing: an empty text."""
    try:
        async with cells.catalogue.transaction(cell.number, CATALOGUE_PRELUDE) as tx:
            await tx.run_script("SET LOCAL session_replication_role = replica")
            schemas = await tx.many(_SCHEMAS)
            if cell.number != HOME:
                if await tx.find(_MARKED) != cell.number:
                    return "the database is another cell's"
                if due := await spool.due(tx):
                    return f"{due} migrations of the spool are due: `insula db migrate`"
        return await _strays(cells, cell, schemas)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return f"{type(error).__name__}: {error}"


async def _strays(cells: Cells, cell: CellLine, schemas: list[str]) -> str:
    """A sign-up that died between its two commits leaves a schema that is nobody's."""
    home = cells.catalogue.work(HOME, CATALOGUE_PRELUDE, writes=False)
    known = {schema_name(number) for number in await home.many(_KNOWN, cell=cell.number)}
    if strays := sorted(set(schemas) - known):
        return f"{len(strays)} schemas are nobody's and can be dropped: {', '.join(strays[:10])}"
    return ""
