"""The tenant's rows in the spool: events and jobs on their way, turns, endpoints, its lane."""

import asyncio
import json

import asyncpg

from insula.tenancy.roles import OWNER
from insula.tenancy.tenant import number_of

_LOOK_SECONDS = 0.05
_PATIENCE_SECONDS = 65
"""Longer than a request's transaction may idle (``insula.tenancy.installation``)."""

# Leases are of workers that look into the source's spool: the turns come again at the target.
_READ = """
SELECT jsonb_build_object(
    'outbox', (
        SELECT jsonb_agg(
            jsonb_build_object('kind', kind, 'due_at', due_at, 'body', body) ORDER BY id
        ) FROM spool.outbox WHERE tenant = $1),
    'turns', (
        SELECT jsonb_agg(to_jsonb(t) || '{"lease": null, "holder": null}')
        FROM spool.job_turns t WHERE tenant = $2),
    'queue', (
        SELECT jsonb_agg(to_jsonb(q) || jsonb_build_object('leased_until', NULL, 'due_at',
            CASE WHEN leased_until IS NULL THEN due_at ELSE now() END))
        FROM spool.webhook_queue q WHERE tenant = $1),
    'lanes', (SELECT jsonb_agg(l) FROM spool.event_lanes l WHERE tenant = $2)
)::text
"""
_WRITE = (
    "DELETE FROM spool.outbox WHERE tenant = $1 AND $2::text IS NOT NULL",
    "DELETE FROM spool.job_turns WHERE tenant = substr($1, 3)::bigint AND $2::text IS NOT NULL",
    "DELETE FROM spool.webhook_queue WHERE tenant = $1 AND $2::text IS NOT NULL",
    "DELETE FROM spool.event_lanes WHERE tenant = substr($1, 3)::bigint AND $2::text IS NOT NULL",
    """INSERT INTO spool.outbox (tenant, kind, due_at, body)
    SELECT $1, r.kind, r.due_at, r.body
    FROM jsonb_array_elements(nullif($2::text::jsonb -> 'outbox', 'null')) WITH ORDINALITY e,
        LATERAL jsonb_populate_record(NULL::spool.outbox, e.value) r ORDER BY e.ordinality""",
    """INSERT INTO spool.job_turns SELECT r.* FROM jsonb_populate_recordset(
        NULL::spool.job_turns, nullif($2::text::jsonb -> 'turns', 'null')) r
        WHERE r.tenant = substr($1, 3)::bigint""",
    """INSERT INTO spool.webhook_queue SELECT r.* FROM jsonb_populate_recordset(
        NULL::spool.webhook_queue, nullif($2::text::jsonb -> 'queue', 'null')) r
        WHERE r.tenant = $1""",
    """INSERT INTO spool.event_lanes SELECT r.* FROM jsonb_populate_recordset(
        NULL::spool.event_lanes, nullif($2::text::jsonb -> 'lanes', 'null')) r
        WHERE r.tenant = substr($1, 3)::bigint
    ON CONFLICT (tenant) DO UPDATE
    SET last_seq = excluded.last_seq, done_seq = excluded.done_seq, retry_at = NULL""",
)


async def carry(source: asyncpg.Connection, target: asyncpg.Connection, schema: str) -> None:
    """Put the tenant's rows into the target's spool in place of what is there of it."""
    rows = await source.fetchval(_READ, schema, number_of(schema))
    async with target.transaction():
        for statement in _WRITE:
            await target.execute(statement, schema, rows)


# What was on its way when the tenant was cut off

_OPEN = """
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'virtualxid' AND granted AND pid <> pg_backend_pid()
"""
_LATE = """
SELECT jsonb_agg(jsonb_build_object('kind', kind, 'due_at', due_at, 'body', body) ORDER BY id)::text
FROM spool.outbox WHERE tenant = $1
"""
_WAITING = "SELECT body ->> 'id' FROM spool.outbox WHERE tenant = $1 AND kind = 'event'"
_ADD = """
INSERT INTO spool.outbox (tenant, kind, due_at, body)
SELECT $1, r.kind, r.due_at, r.body
FROM jsonb_array_elements($2::text::jsonb) WITH ORDINALITY e,
    LATERAL jsonb_populate_record(NULL::spool.outbox, e.value) r
WHERE NOT $3::text::jsonb ? coalesce(r.body ->> 'id', '')
ORDER BY e.ordinality
"""


async def outlast(source: asyncpg.Connection) -> None:
    """Wait for every transaction that is open now: one that was bound before the cut may still
    write into the outbox, if it writes nothing else."""
    open_now = {row[0] for row in await source.fetch(_OPEN)}
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PATIENCE_SECONDS
    while open_now and loop.time() < deadline:
        await asyncio.sleep(_LOOK_SECONDS)
        open_now &= {row[0] for row in await source.fetch(_OPEN)}


async def carry_late(source: asyncpg.Connection, target: asyncpg.Connection, schema: str) -> None:
    """Carry what the source's outbox has and the target has not had. Jobs may come twice, which is
    once; events are known by their ids."""
    rows = await source.fetchval(_LATE, schema)
    if rows is None:
        return
    known = [row[0] for row in await target.fetch(_WAITING, schema)]
    # In this order: what the relay takes from the one, it puts into the other.
    async with target.transaction():
        await target.execute(f"SET LOCAL ROLE {OWNER}")
        known += [
            row[0]
            for row in await target.fetch(
                f"SELECT e.id::text FROM {schema}.events e, "
                "jsonb_array_elements($1::text::jsonb) r WHERE e.id::text = r -> 'body' ->> 'id'",
                rows,
            )
        ]
    await target.execute(_ADD, schema, rows, json.dumps(known))


async def in_hand(source: asyncpg.Connection, schema: str) -> int:
    """Jobs of the tenant that workers have in hand; those that wait are put off meanwhile."""
    number = number_of(schema)
    await source.execute(
        "UPDATE spool.job_turns SET due_at = now() + interval '3s' "
        f"WHERE tenant = {number} AND lease IS NULL AND due_at < now() + interval '1s'"
    )
    return int(
        await source.fetchval(
            f"SELECT count(*) FROM spool.job_turns WHERE tenant = {number} AND lease IS NOT NULL"
        )
    )
