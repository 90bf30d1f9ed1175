"""Who makes and drops the tenants' roles: a role for each bucket, which the provisioner becomes.

Whoever makes a role is a member of it from then on (PostgreSQL 16: ``ADMIN OPTION``), and whenever
any role was made, PostgreSQL reads anew what a session's login is a member of, at its next
``SET ROLE``: 10,000 lines for a provisioner that made 10,000 roles by itself, 300 for a bucket's
registrar, and for the provisioner one for each bucket.
"""

from collections.abc import Iterable

import asyncpg

from insula.tenancy.roles import PROVISIONER, bucket_login, registrar

_AT_ONCE = 500
_PROVISIONERS = f"""
SELECT mine.member::regrole::text, array_agg(mine.roleid::regrole::text)
FROM pg_auth_members AS made
JOIN pg_auth_members AS mine
    ON mine.roleid = made.roleid AND mine.member::regrole::text ~ '^app_b[0-9]{{3}}$'
WHERE made.member = '{PROVISIONER}'::regrole AND made.admin_option
    AND made.roleid::regrole::text ~ '^t_[0-9]+$'
    AND to_regrole(replace(mine.member::regrole::text, 'app_b', 'app_r')) IS NOT NULL
GROUP BY 1
"""


async def ensure_registrars(admin: asyncpg.Connection, buckets: Iterable[int]) -> None:
    """Make those that are missing; ``admin`` may create roles."""
    for name in map(registrar, buckets):
        if not await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name):
            await admin.execute(f"CREATE ROLE {name} NOLOGIN NOINHERIT CREATEROLE")
        if not await admin.fetchval("SELECT pg_has_role($1, $2, 'MEMBER')", PROVISIONER, name):
            await admin.execute(f"GRANT {name} TO {PROVISIONER}")


async def hand_over(admin: asyncpg.Connection) -> int:
    """Have registrars keep the roles that the provisioner made, before there were registrars; how
    many there were. Needs a superuser, without whom they stay the provisioner's."""
    if not await admin.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        return 0
    handed = 0
    for login, roles in await admin.fetch(_PROVISIONERS):
        keeper = registrar(int(login[-3:]))
        for at in range(0, len(roles), _AT_ONCE):
            names = ", ".join(roles[at : at + _AT_ONCE])
            # A login's membership counts as long as whoever granted it may: it is granted anew.
            await admin.execute(
                f"GRANT {names} TO {keeper} WITH ADMIN OPTION, INHERIT FALSE, SET FALSE;"
                f"GRANT {names} TO {login} GRANTED BY {keeper};"
                f"REVOKE {names} FROM {PROVISIONER} CASCADE"
            )
        handed += len(roles)
    return handed


_MYSELF = "SET LOCAL ROLE NONE;"  # the login: set_config is for logins alone


def create_role(schema: str, bucket: int) -> str:
    """A tenant's role, which its bucket's login may become; made by the bucket's registrar, where
    the server has one (a cell that was not there when we were last migrated has none). In one
    statement: a GRANT would have PostgreSQL walk through the memberships again."""
    name = registrar(bucket)
    return (
        f"SELECT set_config('role', coalesce(to_regrole('{name}')::text, 'none'), true);"
        f"CREATE ROLE {schema} NOLOGIN ROLE {bucket_login(bucket)}; {_MYSELF}"
    )


def share_role(schema: str, bucket: int) -> str:
    """Let another bucket's login become a tenant's role, which is there already."""
    return f"{as_keeper(schema)} GRANT {schema} TO {bucket_login(bucket)}; {_MYSELF}"


def as_keeper(schema: str) -> str:
    """Become whoever may grant and drop a tenant's role: the registrar that made it, or the
    provisioner, of roles that are older than registrars."""
    keeper = (
        "SELECT member::regrole::text FROM pg_auth_members "
        f"WHERE roleid = to_regrole('{schema}') AND admin_option LIMIT 1"
    )
    return f"{_MYSELF} SELECT set_config('role', coalesce(({keeper}), 'none'), true);"
