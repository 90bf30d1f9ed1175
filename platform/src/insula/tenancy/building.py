"""The scripts that build a tenant's schema: run by the provisioner, each as one message."""

import re
from itertools import groupby

from insula.db.capabilities import Capabilities
from insula.tenancy import core
from insula.tenancy.migrations import MigrationFile, script
from insula.tenancy.registrars import create_role
from insula.tenancy.roles import OWNER
from insula.tenancy.sealing import question
from insula.tenancy.tenant import schema_name

LEAVE = "SET LOCAL ROLE NONE; SET LOCAL search_path = ctl;"

FEW_ROWS = "SET LOCAL max_parallel_maintenance_workers = 0;"
"""Tables are empty: PostgreSQL need not plan how many processes would build each index."""

_TABLES_AT_ONCE = 10
"""Tables that a transaction makes while others serve: 30 reset what every other backend knows of
its relations, 10 did not (FACTS.md)."""
_TABLE = re.compile(r"^CREATE TABLE ", re.MULTILINE)


def enter(number: int) -> str:
    """Become the owner of a tenant's schema, with it on the search path."""
    return f"SET LOCAL ROLE {OWNER}; SET LOCAL search_path = {schema_name(number)}, ext, pg_temp;"


def build(
    number: int, bucket: int, files: tuple[MigrationFile, ...], capabilities: Capabilities
) -> str:
    """Role, schema, privileges, first tables; the script ends inside the schema, as its owner."""
    return create_role(schema_name(number), bucket) + furnish(number, files, capabilities)


def furnish(number: int, files: tuple[MigrationFile, ...], capabilities: Capabilities) -> str:
    """The same for a role that is there.

    Default privileges make every later table the tenant's to use: granting on all tables of a
    schema takes 400 ms in a large catalogue (FACTS.md). Sequences are not the tenant's: identity
    columns need no privilege.
    """
    name = schema_name(number)
    return f"""
        SET LOCAL ROLE {OWNER};
        CREATE SCHEMA {name};
        GRANT USAGE ON SCHEMA {name} TO {name};
        ALTER DEFAULT PRIVILEGES IN SCHEMA {name}
            GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {name};
        {question(name, capabilities)}
        SET LOCAL search_path = {name}, ext, pg_temp;
        {FEW_ROWS}
        {script(files, fresh={core.TENANT})}
        REVOKE INSERT, UPDATE, DELETE ON insula_migrations FROM {name};
        """


def portions(files: tuple[MigrationFile, ...]) -> list[tuple[MigrationFile, ...]]:
    """The files in order, in runs of at most ten tables; one with more is a run of its own."""
    placed, run, tables = [], 0, 0
    for file in files:
        more = len(_TABLE.findall(file.sql))
        if tables and tables + more > _TABLES_AT_ONCE:
            run, tables = run + 1, 0
        tables += more
        placed.append((run, file))
    return [tuple(file for _, file in part) for _, part in groupby(placed, key=lambda p: p[0])]
