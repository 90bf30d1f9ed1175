"""Filling a tenant that is there already from an archive whose core is older than its own.

What the archive has fits tables of its age only. They are made beside the tenant's, in a schema of
their own, filled, and migrated; then their rows go over, and the schema is dropped, all in the
transaction of the import.
"""

from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, column, text

from insula.db import Statement, Work
from insula.portability.anatomy import TableAnatomy, early, read_anatomy
from insula.portability.importing import Filling, Target, build_modules, fill
from insula.portability.loading import AT_ONCE, DEFERRED, constrain, empty, number_on
from insula.portability.manifest import Manifest
from insula.portability.naming import quoted
from insula.portability.storing import FileLoader
from insula.portability.unpacking import Reader
from insula.portability.versions import Standing
from insula.tenancy import core, provisioning
from insula.tenancy.building import LEAVE, build, enter
from insula.tenancy.registrars import drop_role
from insula.tenancy.roles import OWNER
from insula.tenancy.tenant import Tenant, TenantRecord, schema_name

KEPT = frozenset({"users"})
"""Tables of a tenant that is there already whose rows stay beside those of the archive."""
_BLANK = TenantRecord(UUID(int=0), 0, "", "", "active", 0, 0, [])
_NUMBER = Statement(
    text("SELECT nextval('slots_number_seq') AS number").columns(column("number", BigInteger)), int
)


class Stage:
    """A schema for a while, where the tenant is."""

    def __init__(
        self, catalogue: Work, there: Work, tenant: Tenant, standings: dict[str, Standing]
    ) -> None:
        self._catalogue = catalogue
        self._there = there
        self._tenant = tenant
        self._standings = standings

    async def fill(
        self, target: Target, manifest: Manifest, reader: Reader, how: Filling
    ) -> FileLoader:
        """Fill the tenant's tables; its modules' are made, as they are now.

        Raises:
            ArchiveRefused: see there.
        """
        there, seen = self._there, self._standings[core.TENANT].seen
        number = await self._catalogue.one(_NUMBER)  # nobody else's, ever
        stage = Tenant(msgspec.structs.replace(_BLANK, number=number, bucket=self._tenant.bucket))
        await there.run_script(build(number, stage.bucket, seen, there.capabilities) + LEAVE)
        await build_modules(there, stage, self._standings)
        how = msgspec.structs.replace(
            how, kept=frozenset(), quota=await self._quota(how.quota), owner=self._tenant.number
        )
        files = await fill(there, target, stage, manifest, reader, how)
        latest = [standing.files for standing in self._standings.values() if standing.files]
        for each in (number, self._tenant.number):
            await provisioning.apply(there, each, *latest)
        await self._carry_over(schema_name(number), [line.name for line in manifest.modules])
        await there.run_script(
            f"SET LOCAL ROLE {OWNER}; DROP SCHEMA {schema_name(number)} CASCADE; {LEAVE}"
            f"{drop_role(schema_name(number))} {LEAVE}"
        )
        return files

    async def _quota(self, default: int | None) -> int | None:
        connection = await self._there.bare()
        await connection.execute(enter(self._tenant.number))
        own = await connection.fetchval("SELECT quota FROM file_usage")
        await connection.execute(LEAVE)
        return default if own is None else int(own)

    async def _carry_over(self, stage: str, modules: list[str]) -> None:
        connection = await self._there.bare()
        await connection.execute(enter(self._tenant.number))
        tables = await read_anatomy(connection, modules)
        await empty(connection, [table for table in tables if table.name not in KEPT])
        deferred = early(tables)
        await constrain(connection, deferred, DEFERRED)
        for table in tables:
            await connection.execute(_copy(stage, table))
        await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        await constrain(connection, deferred, AT_ONCE)
        await number_on(connection, tables)
        await connection.execute(LEAVE)


def _copy(stage: str, table: TableAnatomy) -> str:
    columns = ", ".join(quoted(column.name) for column in table.columns if not column.is_generated)
    return (
        f"INSERT INTO {quoted(table.name)} ({columns}) OVERRIDING SYSTEM VALUE "
        f"SELECT {columns} FROM {stage}.{quoted(table.name)}"
    )
