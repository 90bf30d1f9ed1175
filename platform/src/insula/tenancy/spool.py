"""The spool of a cell: what tenants hand over to the platform, and whose turn it is."""

from insula.db import Work
from insula.tenancy import core
from insula.tenancy.migrations import ALONE, APPLIED, MigrationFile, pending, script

_SCHEMAS = """
CREATE SCHEMA IF NOT EXISTS ctl;
CREATE SCHEMA IF NOT EXISTS spool;
GRANT USAGE ON SCHEMA spool TO PUBLIC;
"""
# What a cell has of the catalogue: which migrations its spool has seen.
_RECORDS = """
CREATE TABLE IF NOT EXISTS ctl.insula_migrations (
    module TEXT NOT NULL,
    version INTEGER NOT NULL,
    checksum TEXT NOT NULL,
    applied_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_insula_migrations PRIMARY KEY (module, version)
);
"""


async def install(tx: Work) -> int:
    """Make or migrate the spool of a cell that is not home; how many steps were due.

    Raises:
        MigrationChanged: a file was edited after it was applied here.
    """
    await tx.run_script(ALONE + _SCHEMAS + _RECORDS)
    if due := await _due(tx):
        await tx.run_script(f"SET LOCAL search_path = spool, ctl; {script(due)}")
        await tx.run_script("SET LOCAL search_path = ctl")
    return len(due)


async def due(tx: Work) -> int:
    """How many steps the spool of a cell is behind."""
    return len(await _due(tx))


async def _due(tx: Work) -> tuple[MigrationFile, ...]:
    return pending(core.spool_files(), await tx.many(APPLIED, module=core.SPOOL))
