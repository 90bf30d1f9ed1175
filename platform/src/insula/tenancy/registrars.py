"""Who makes and drops the tenants' roles, at the provisioner's wish.

Whoever makes a role without being a superuser is a member of it from then on (PostgreSQL 16:
``ADMIN OPTION``), and whenever any role was made, PostgreSQL reads anew what a session's login is a
member of, down to the last, at its next ``SET ROLE``: with 10,000 roles that takes 4 ms, each time.
So where a superuser installs us, functions of theirs do it (``role_functions.sql``), and nobody but
a bucket's login is a member of anything. Elsewhere there is a role for each bucket, its registrar,
which the provisioner becomes. Scripts find out which it is.
"""

from collections.abc import Iterable
from importlib.resources import files

import asyncpg

from insula.tenancy.roles import PROVISIONER, bucket_login, registrar
from insula.tenancy.tenant import number_of

_FUNCTIONS = files("insula.tenancy") / "role_functions.sql"
_AT_ONCE = 500
_MADE = f"""
SELECT login.member::regrole::text, array_agg(login.roleid::regrole::text)
FROM pg_auth_members AS made
JOIN pg_auth_members AS login
    ON login.roleid = made.roleid AND login.member::regrole::text ~ '^app_b[0-9]{{3,}}$'
WHERE made.member = '{PROVISIONER}'::regrole AND made.admin_option
    AND made.roleid::regrole::text ~ '^t_[0-9]+$'
GROUP BY 1
"""
_REGISTRARS = f"""
SELECT string_agg(roleid::regrole::text, ', ') FROM pg_auth_members
WHERE member = '{PROVISIONER}'::regrole AND roleid::regrole::text ~ '^app_r[0-9]{{3,}}$'
"""


async def ensure_keepers(admin: asyncpg.Connection, buckets: Iterable[int]) -> None:
    """Make what keeps roles in this database, as far as it is missing."""
    if await admin.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        await admin.execute(_FUNCTIONS.read_text(encoding="utf-8"))
        await _release(admin)
    else:
        await _ensure_registrars(admin, buckets)


async def _ensure_registrars(admin: asyncpg.Connection, buckets: Iterable[int]) -> None:
    for name in map(registrar, buckets):
        if not await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name):
            await admin.execute(f"CREATE ROLE {name} NOLOGIN NOINHERIT CREATEROLE")
        if not await admin.fetchval("SELECT pg_has_role($1, $2, 'MEMBER')", PROVISIONER, name):
            await admin.execute(f"GRANT {name} TO {PROVISIONER}")


async def _release(admin: asyncpg.Connection) -> None:
    """Take from the provisioner the roles that it, or registrars, made before."""
    if registrars := await admin.fetchval(_REGISTRARS):
        await admin.execute(f"REVOKE {registrars} FROM {PROVISIONER}")
    for login, roles in await admin.fetch(_MADE):
        for at in range(0, len(roles), _AT_ONCE):
            names = ", ".join(roles[at : at + _AT_ONCE])
            # A login's membership counts as long as whoever granted it may: it is granted anew.
            await admin.execute(
                f"GRANT {names} TO {login}; REVOKE {names} FROM {PROVISIONER} CASCADE"
            )


_MYSELF = "SET LOCAL ROLE NONE;"  # the login: set_config is for logins alone


def _either(function: str, become: str, otherwise: str) -> str:
    """A call of a function of ours where there is one, else a statement of whoever may."""
    signature = function.partition("(")[0]
    return (
        f"{_MYSELF} DO $role$ BEGIN "
        f"IF EXISTS (SELECT FROM pg_proc p WHERE p.proname = '{signature}' "
        f"AND p.pronamespace = to_regnamespace('keep')) "
        f"THEN PERFORM keep.{function}; "
        f"ELSE PERFORM set_config('role', coalesce(({become}), 'none'), true); {otherwise}; "
        f"SET LOCAL ROLE NONE; END IF; END $role$;"
    )


def create_role(schema: str, bucket: int) -> str:
    """A tenant's role, which its bucket's login may become. With a registrar in one statement: a
    GRANT would have PostgreSQL walk through the memberships again."""
    return _either(
        f"make_role({number_of(schema)}, {bucket})",
        f"SELECT to_regrole('{registrar(bucket)}')::text",
        f"CREATE ROLE {schema} NOLOGIN ROLE {bucket_login(bucket)}",
    )


def share_role(schema: str, bucket: int) -> str:
    """Let a bucket's login become a tenant's role, which is there already."""
    return _either(
        f"share_role({number_of(schema)}, {bucket})",
        _keeper(schema),
        f"GRANT {schema} TO {bucket_login(bucket)}",
    )


def unshare_role(schema: str, bucket: int) -> str:
    """Take that back."""
    return _either(
        f"unshare_role({number_of(schema)}, {bucket})",
        _keeper(schema),
        f"REVOKE {schema} FROM {bucket_login(bucket)}",
    )


def drop_role(schema: str) -> str:
    """Nothing is its any more; or there is none."""
    return _either(
        f"drop_role({number_of(schema)})", _keeper(schema), f"DROP ROLE IF EXISTS {schema}"
    )


def _keeper(schema: str) -> str:
    """Whoever may grant and drop a tenant's role: the registrar that made it, or the provisioner,
    of roles that are older than registrars."""
    return (
        "SELECT member::regrole::text FROM pg_auth_members "
        f"WHERE roleid = to_regrole('{schema}') AND admin_option LIMIT 1"
    )
