"""Sealing: row security that opens a tenant's tables to nothing but a binding of ours.

A login may become every tenant of its bucket. Row security therefore asks each statement for the
capability of the tenant whose table it is (:mod:`insula.db.capabilities`); ``SET ROLE`` alone shows
empty tables and writes nothing. The question is a function of the tenant's own schema, which the
planner puts in the policy's place: PostgreSQL computes one SHA-256 a statement, and looks nothing
up. Owners are not asked (no FORCE): migrations, exports and COPY run as before.

Authors of modules need do nothing: :func:`insula.tenancy.migrations.script` seals what its files
have made.
"""

import asyncpg

from insula.db.capabilities import CAPABILITY, Capabilities
from insula.tenancy.roles import OWNER

_BODY = (
    "SELECT pg_catalog.sha256(pg_catalog.convert_to("
    f"pg_catalog.current_setting('{CAPABILITY}', true), 'UTF8')) "
    "OPERATOR(pg_catalog.=) '\\x{digest}'::pg_catalog.bytea"
)

SEAL = """
DO $seal$
DECLARE
    statements text := (
        -- By dependency: pg_class has no index by schema, and 10,000 tenants have 2,000,000 lines.
        SELECT string_agg(format('ALTER TABLE %1$s ENABLE ROW LEVEL SECURITY;'
            'CREATE POLICY bound ON %1$s USING ((SELECT %2$I()));', c.oid::regclass,
            'insula_bound_' || substr(current_schema(), 3)), '' ORDER BY c.oid)
        FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
        WHERE d.refclassid = 'pg_namespace'::regclass
            AND d.refobjid = current_schema()::text::regnamespace
            AND d.classid = 'pg_class'::regclass
            AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
    );
BEGIN
    IF statements IS NOT NULL THEN
        EXECUTE statements; -- all at once: each EXECUTE costs something
    END IF;
END
$seal$;
"""
"""Seals what is not, in the schema that the search path begins with."""


def _body(schema: str, capabilities: Capabilities) -> str:
    return _BODY.format(digest=capabilities.digest_of(schema).hex())


def question_name(schema: str) -> str:
    """What a tenant's function is called. Not as its neighbours' are: PostgreSQL looks functions up
    by name and then by schema, and would read a line of each tenant."""
    return f"insula_bound_{schema.removeprefix('t_')}"


def question(schema: str, capabilities: Capabilities, *, name: str = "") -> str:
    """The function that a tenant's policies call; run as the owner, ahead of any :data:`SEAL`."""
    return (
        f"CREATE OR REPLACE FUNCTION {schema}.{name or question_name(schema)}() RETURNS boolean "
        f"LANGUAGE sql STABLE PARALLEL SAFE AS $body${_body(schema, capabilities)}$body$;"
    )


_AT_ONCE = 200
_OLD_NAME = "insula_bound"  # until migrations_core/0014_names.sql
_FOUND = f"""
SELECT n.nspname, p.prosrc, p.proname FROM pg_namespace n
LEFT JOIN pg_proc p ON p.pronamespace = n.oid AND p.proargtypes = ''
    AND p.proname IN ('{_OLD_NAME}', 'insula_bound_' || substr(n.nspname, 3))
WHERE n.nspname ~ '^t_[0-9]+$'
"""


async def ensure_questions(provisioner: asyncpg.Connection, capabilities: Capabilities) -> int:
    """Have every tenant's function ask for the capability of today's secret: of tenants that are
    older than row security, and of all when the secret was changed. Returns how many were not."""
    due = [
        (schema, name or "")
        for schema, body, name in await provisioner.fetch(_FOUND)
        if body != _body(schema, capabilities)
    ]
    for at in range(0, len(due), _AT_ONCE):
        some = due[at : at + _AT_ONCE]
        async with provisioner.transaction():
            await provisioner.execute(f"SET LOCAL ROLE {OWNER}")
            await provisioner.execute(
                "".join(question(schema, capabilities, name=name) for schema, name in some)
            )
    return len(due)
