"""Migrating one tenant, or several in one transaction."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from insula.db import Database, Work
from insula.tenancy.building import LEAVE, enter
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME, cell_of
from insula.tenancy.fleet.claims import Behind, claim, record_done, record_failure
from insula.tenancy.fleet.files import Files, newest
from insula.tenancy.migrations import MigrationChanged, script
from insula.tenancy.placement import UNHURRIED
from insula.tenancy.provisioning import apply

# In a batch, tenants that are done wait for the others with their locks in hand: whoever takes
# longer than that is done alone. A lock that is waited for holds up everybody behind it.
_TOGETHER = "SET LOCAL lock_timeout = '100ms'; SET LOCAL statement_timeout = '1s';"
_ALONE = "SET LOCAL lock_timeout = '1s';"
# Whoever is served waits for the disk, and the migration need not as well (UNHURRIED): at home,
# what a crash of the server undoes, it undoes as a whole; of another cell, what is recorded here
# comes after it.

# The server's faults, not a tenant's: at home they end the run, which can be taken up again.
_SERVER = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
)
_LOST = (
    *_SERVER,
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)
"""What a cell says that is not there, or is another than it is taken for."""
_PASSING = (asyncpg.LockNotAvailableError, asyncpg.TransactionRollbackError)
ELSEWHERE = "another process has hold of it, or it is being moved"


class CellDown(Exception):
    """A server that is not home cannot be worked with; those of its tenants that are not done stay
    as they are."""

    def __init__(self, cell: int, error: Exception) -> None:
        super().__init__(f"{type(error).__name__}: {error}"[:300])
        self.cell = cell


@asynccontextmanager
async def at_cell(catalogue: Database, cell: int) -> AsyncIterator[Work]:
    """A transaction of the provisioner at a cell that is not home, of which home is told later.

    Raises:
        CellDown: it cannot be reached, or is lost on the way.
    """
    try:
        async with catalogue.transaction(cell, CATALOGUE_PRELUDE) as there:
            if catalogue.shares_log(cell):
                await there.run_script(UNHURRIED)
            yield there
    except _LOST as error:
        raise CellDown(cell, error) from error


class Unavailable(Exception):
    """The tenant's tables are in use; later it may work."""


class Broken(Exception):
    """The migration fails at this tenant."""


class Attempts:
    """Each is a transaction: whatever happens in between, all of it counts or nothing. Where the
    tenants lie in another cell than the catalogue, they are changed first: what a crash leaves
    unrecorded fails in the next run's batch, and then the tenant itself is asked.

    ``catalogue`` is by cell, as :class:`~insula.tenancy.cells.Cells` has it.
    """

    def __init__(self, catalogue: Database, files: Files) -> None:
        self._catalogue = catalogue
        self._files = files
        self._scripts: dict[tuple[str, int], str] = {}

    async def together(self, lines: list[Behind]) -> list[Behind] | None:
        """One module of several tenants of one cell: those that nobody else has hold of. None if it
        failed and nothing has changed: at one of them, or because it took too long.

        Raises:
            CellDown: see there.
        """
        version = newest(self._files[lines[0].module])
        try:
            async with self._home() as catalogue:
                if claimed := await claim(catalogue, lines, version):
                    text = "".join(enter(line.number) + self._script(line) for line in claimed)
                    async with self._there(claimed[0], catalogue) as there:
                        await there.run_script(_TOGETHER + text + LEAVE)
                    await record_done(catalogue, claimed, version)
        except _SERVER:
            raise
        except asyncpg.PostgresError:
            return None
        return claimed

    def _script(self, line: Behind) -> str:
        """What a tenant at this version lacks, according to the catalogue's index. If the index is
        wrong, the script fails, since a version is recorded once only, and the truth is read."""
        key = (line.module, line.version)
        if key not in self._scripts:
            steps = self._files[line.module]
            self._scripts[key] = script(tuple(f for f in steps if f.version > line.version))
        return self._scripts[key]

    async def alone(self, line: Behind) -> None:
        """One module of one tenant, from the version that its schema itself says.

        Raises:
            Unavailable, Broken, CellDown: nothing was changed.
        """
        steps = self._files[line.module]
        try:
            async with self._home() as catalogue:
                if not (claimed := await claim(catalogue, [line], newest(steps))):
                    raise Unavailable(ELSEWHERE)
                async with self._there(line, catalogue) as there:
                    await there.run_script(_ALONE)
                    await apply(there, line.number, steps)
                await record_done(catalogue, claimed, newest(steps))
        except _SERVER:
            raise
        except _PASSING as error:
            raise Unavailable(_in_short(error)) from error
        except asyncpg.PostgresError as error:
            raise Broken(_in_short(error)) from error
        except MigrationChanged as error:
            raise Broken(str(error)) from error

    async def note(self, line: Behind, error: str, *, quarantine: bool) -> None:
        """Keep for the operator what went wrong."""
        async with self._catalogue.transaction(HOME, CATALOGUE_PRELUDE) as catalogue:
            await record_failure(catalogue, line, error, quarantine=quarantine)

    @asynccontextmanager
    async def _home(self) -> AsyncIterator[Work]:
        async with self._catalogue.transaction(HOME, CATALOGUE_PRELUDE) as catalogue:
            await catalogue.run_script(UNHURRIED)
            yield catalogue

    @asynccontextmanager
    async def _there(self, line: Behind, catalogue: Work) -> AsyncIterator[Work]:
        """The provisioner where the tenant is: at home, in the same transaction."""
        if (cell := cell_of(line.bucket)) == HOME:
            yield catalogue
            return
        async with at_cell(self._catalogue, cell) as there:
            yield there


def _in_short(error: asyncpg.PostgresError) -> str:
    """Without the detail, which may quote a tenant's data."""
    return f"{error.args[0] if error.args else error} ({error.sqlstate})"
