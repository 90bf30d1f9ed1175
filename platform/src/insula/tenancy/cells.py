"""Cells: the PostgreSQL databases over which an installation's tenants are spread.

A cell is a database. Cell 0, home, is ``INSULA_DATABASE_URL``: the catalogue lies there, and
tenants do. Every further cell (the table ``ctl.cells``, `insula cells add`), on another server or
beside home on its own, has tenants' schemas and a spool of its own, and no catalogue. Buckets are
numbered across cells, a hundred numbers each, so that a tenant's bucket says where it is, and code
that has a tenant needs to know nothing of cells.

Whoever builds or changes a tenant's tables does it on the provisioner's connection to its cell::

    async with catalogue.transaction(cell_of(tenant.bucket), CATALOGUE_PRELUDE) as tx:

At home that transaction may write the catalogue too. Elsewhere the tenant's ``insula_migrations``
are the truth: change the cell first and the catalogue after it, so that what a crash leaves undone
is done by doing it again.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import urlsplit, urlunsplit

import msgspec
from sqlalchemy import bindparam, select

from insula.db import Database, Statement, Work
from insula.db.capabilities import Capabilities
from insula.db.connection import Connection
from insula.db.pool import Pool
from insula.db.wire import Prelude
from insula.settings import Settings, SettingsError
from insula.tenancy.rehearsal import A_SLOT, rehearse
from insula.tenancy.roles import PROVISIONER, bucket_login, login_url
from insula.tenancy.tables import CellRow

HOME = 0
BUCKETS_OF_CELL = 100

CATALOGUE_PRELUDE = Prelude(PROVISIONER, "ctl")


def cell_of(bucket: int) -> int:
    """The cell that a bucket is in."""
    return bucket // BUCKETS_OF_CELL


class Cell(msgspec.Struct, frozen=True):
    """A database."""

    number: int
    name: str
    url: str
    """Without login; ``/name`` is a database of home's server (:func:`address`)."""
    buckets: int
    """How many of its hundred are in use."""
    capacity: int
    """Tenants that it is to hold at most."""
    state: str
    """``open``; ``draining``: no new tenants; ``closed``: not served any more."""


def address(settings: Settings, url: str) -> str:
    """A cell's URL in full. One that begins with a slash is a reference to another database of
    home's server (RFC 3986, section 4.2): wherever that goes, the cell goes with it."""
    if not is_beside_home(url):
        return url or settings.database_url
    return urlunsplit(urlsplit(settings.database_url)._replace(path=url))


def is_beside_home(url: str) -> bool:
    """Whether a cell is another database of home's server."""
    return url.startswith("/")


def buckets_of(cell: Cell) -> range:
    """The buckets of a cell that is not home."""
    first = cell.number * BUCKETS_OF_CELL
    return range(first, first + cell.buckets)


class CellRefused(Exception):
    """Something cannot be done with a cell; the text says why, and what to do."""


class NoSuchCell(CellRefused):
    """A tenant's bucket names a cell that the catalogue does not know."""


CELL = (
    CellRow.number,
    CellRow.name,
    CellRow.url,
    CellRow.buckets,
    CellRow.capacity,
    CellRow.state,
)
KNOWN = Statement(
    select(*CELL).where(CellRow.state != "closed", CellRow.number > HOME).order_by(CellRow.number),
    Cell,
)
_BY_NUMBER = Statement(select(CellRow.url).where(CellRow.number == bindparam("number")), str)


_Address = str | Callable[[], Awaitable[str]]


class Cells:
    """The connections of one process to all cells. A cell that is new is found in the catalogue
    when it is first needed.

    Raises:
        SettingsError: there is no database URL, or there are too many buckets.
    """

    def __init__(self, settings: Settings, *, size: int | None = None) -> None:
        if settings.buckets > BUCKETS_OF_CELL:
            raise SettingsError(f"INSULA_BUCKETS: a cell has {BUCKETS_OF_CELL} at most")
        login_url(settings, PROVISIONER)
        self._settings = settings
        self._size = settings.pool_size if size is None else size
        capabilities = Capabilities(settings.secret_key)
        self.tenants = Database(self._bucket, capabilities)
        """By bucket."""
        self._beside_home: set[int] = set()
        self.catalogue = Database(self._provisioner, capabilities, self._beside_home)
        """By cell, as the provisioner; :data:`HOME` has the catalogue."""

    def _bucket(self, bucket: int) -> Pool:
        cell, login = cell_of(bucket), bucket_login(bucket)
        pooler = self._settings.database_pooler_url if cell == HOME else ""
        address = login_url(self._settings, login, pooler) if pooler else self._address(cell, login)
        return self._pool(address, pooled=bool(pooler))

    def _provisioner(self, cell: int) -> Pool:
        # Whoever holds one at home and connects to another cell asks home for its address: with a
        # place more than anybody holds, that is answered however many do so.
        return self._pool(
            self._address(cell, PROVISIONER),
            spare=int(cell == HOME),
            rehearse=partial(
                rehearse,
                find_slot=lambda: self._home().find(A_SLOT, cell=cell),
                is_home=cell == HOME,
            ),
        )

    def _pool(
        self,
        address: _Address,
        *,
        pooled: bool = False,
        spare: int = 0,
        rehearse: Callable[[Connection], Awaitable[None]] | None = None,
    ) -> Pool:
        settings = self._settings
        return Pool(
            address,
            pooled=pooled,
            size=self._size + spare,
            tenants=settings.connection_tenants,
            statements=settings.connection_statements,
            seconds=settings.connection_seconds,
            rehearse=rehearse,
        )

    async def known(self) -> list[Cell]:
        """Every cell but home that is served."""
        return await self._home().many(KNOWN)

    async def provisioner_url(self, cell: int) -> str:
        """The provisioner's address of a cell.

        Raises:
            NoSuchCell: the catalogue does not know.
        """
        return login_url(self._settings, PROVISIONER, await self.url(cell))

    def _home(self) -> Work:
        return self.catalogue.work(HOME, CATALOGUE_PRELUDE, writes=False)

    def _address(self, cell: int, login: str) -> _Address:
        if cell == HOME:
            return login_url(self._settings, login)

        async def ask() -> str:
            return login_url(self._settings, login, await self.url(cell))

        return ask

    async def url(self, cell: int) -> str:
        """Where a cell is; the login is not its.

        Raises:
            NoSuchCell: the catalogue does not know.
        """
        if cell == HOME:
            return self._settings.database_url
        if (url := await self._home().find(_BY_NUMBER, number=cell)) is None:
            raise NoSuchCell(f"there is no cell {cell}")
        if is_beside_home(url):
            self._beside_home.add(cell)
        else:
            self._beside_home.discard(cell)
        return address(self._settings, url)

    async def close(self) -> None:
        await self.tenants.close()
        await self.catalogue.close()
