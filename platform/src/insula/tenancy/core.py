"""The tables that every tenant has, whichever modules it switches on."""

from importlib.resources import files

from insula.tenancy.migrations import MigrationFile, read

TENANT = "core"
"""The name under which a tenant's own tables are recorded in ``insula_migrations``."""

CATALOGUE = "catalogue"
SPOOL = "spool"
"""What tenants write to and only the platform reads (:class:`insula.db.SpoolTable`)."""

MIGRATIONS = files("insula.tenancy") / "migrations_core"
CATALOGUE_MIGRATIONS = files("insula.tenancy") / "migrations_catalogue"
SPOOL_MIGRATIONS = files("insula.tenancy") / "migrations_spool"


def tenant_files() -> tuple[MigrationFile, ...]:
    return read(TENANT, MIGRATIONS)


def catalogue_files() -> tuple[MigrationFile, ...]:
    return read(CATALOGUE, CATALOGUE_MIGRATIONS)


def spool_files() -> tuple[MigrationFile, ...]:
    return read(SPOOL, SPOOL_MIGRATIONS)
