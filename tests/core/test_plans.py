"""Statements under row security are planned once a connection, not at each execution."""

import asyncio

import asyncpg
from fixtures.inside import inside
from fixtures.installation import Installation, SignUp, TestTenant
from insula.db.ids import new_id
from insula_tenants.notes import queries

_TIMES = 20
_TRIED = 5
"""Executions that PostgreSQL plans for their own values before it takes one plan for all."""
_COUNTED = "SELECT custom_plans, generic_plans FROM pg_prepared_statements WHERE statement = $1"


async def _plans(installation: Installation, made: TestTenant) -> tuple[int, int]:
    """How often a note was looked for with a plan of its own, and how often with the one for all,
    on one connection."""
    async with inside(installation) as platform:
        tenant = await platform.tenant(made)
        for _ in range(_TIMES):
            async with platform.transaction(tenant) as tx:
                assert await tx.find(queries.GET, id=new_id()) is None
        async with platform.transaction(tenant) as tx:
            connection: asyncpg.Connection = await tx.bare()
            row = await connection.fetchrow(_COUNTED, queries.GET.sql)
    assert row is not None, "it was another connection"
    return row["custom_plans"], row["generic_plans"]


def test_a_tenants_statements_are_planned_once(installation: Installation, sign_up: SignUp) -> None:
    tenant = sign_up().enable("notes")
    assert asyncio.run(_plans(installation, tenant)) == (_TRIED, _TIMES - _TRIED)
