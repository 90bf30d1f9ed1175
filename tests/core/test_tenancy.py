"""One schema and role per tenant: nothing half-made, nothing mixed up."""

import asyncio
import os
import secrets
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import asyncpg
import httpx
import pytest
from fixtures.installation import PASSWORD, Installation, SignUp, TestTenant, WebServer
from insula.db import TenantTable
from insula.embedded import postgres
from insula.tenancy.cells import BUCKETS_OF_CELL
from insula.tenancy.registrars import (
    create_role,
    drop_role,
    ensure_keepers,
    share_role,
    unshare_role,
)
from insula.tenancy.roles import PROVISIONER, bucket_login, login_url, registrar


def _psql(url: str, statement: str) -> subprocess.CompletedProcess[str]:
    command = [str(postgres.programs() / "psql"), url, "-Atqc", statement]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _rows(installation: Installation, statement: str) -> set[str]:
    result = _psql(installation.settings.database_url, statement)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_tables_of_short_text_have_no_toast(installation: Installation, sign_up: SignUp) -> None:
    tenant = sign_up("blog", "notes", "polls", "tasks")
    without = _rows(
        installation,
        "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
        f"JOIN ctl.tenants t ON nspname = 't_' || number WHERE slug = '{tenant.slug}' "
        "AND relkind = 'r' AND reltoastrelid = 0",
    )
    tables = TenantTable.metadata.tables.values()
    short = {table.name for table in tables if table.info.get("short")}
    assert len(short) >= 20
    assert short <= without


def test_a_bucket_login_reaches_nothing_unless_it_is_bound(
    installation: Installation, sign_up: SignUp
) -> None:
    tenant = sign_up("notes")
    number = next(
        iter(_rows(installation, f"select number from ctl.tenants where slug = '{tenant.slug}'"))
    )
    for bucket in range(installation.settings.buckets):
        url = login_url(installation.settings, bucket_login(bucket))
        for statement in (f"select * from t_{number}.notes", "select * from ctl.tenants"):
            result = _psql(url, statement)
            assert result.returncode != 0
            assert "permission denied" in result.stderr
            assert result.stdout == ""


def test_a_tenants_role_belongs_to_its_bucket_alone(
    installation: Installation, acme: TestTenant
) -> None:
    members = _rows(
        installation,
        "select m.rolname from pg_auth_members a join pg_roles r on r.oid = a.roleid "
        "join pg_roles m on m.oid = a.member join ctl.tenants t on 't_' || t.number = r.rolname "
        f"where t.slug = '{acme.slug}'",
    )
    bucket = _rows(installation, f"select bucket from ctl.tenants where slug = '{acme.slug}'")
    number = int(bucket.pop())
    assert members == {bucket_login(number)}


@pytest.mark.parametrize("by", ["a superuser's function", "a registrar", "the provisioner"])
async def test_roles_are_dropped_whoever_has_made_them(installation: Installation, by: str) -> None:
    """Registrars make them where no superuser installs us, and did before superusers' functions."""
    schema = f"t_{9_000_000_000 + secrets.randbelow(10**6)}"
    settings, keeper = installation.settings, registrar(0)
    admin = await asyncpg.connect(settings.database_url)
    provisioner = await asyncpg.connect(login_url(settings, PROVISIONER))
    try:
        await admin.execute(
            f"DROP ROLE IF EXISTS {keeper}; CREATE ROLE {keeper} NOLOGIN NOINHERIT CREATEROLE;"
            f"GRANT {keeper} TO {PROVISIONER}"
        )
        script = create_role(schema, 0)
        if by != "a superuser's function":
            script = f"CREATE ROLE {schema} NOLOGIN ROLE {bucket_login(0)}"
        if by == "a registrar":
            script = f"SET LOCAL ROLE {keeper}; {script}"
        await provisioner.execute(f"BEGIN; {script}; COMMIT")
        async with admin.transaction():
            await ensure_keepers(admin, [0])
        members = await admin.fetch(
            "SELECT member::regrole::text FROM pg_auth_members WHERE roleid = $1::text::regrole",
            schema,
        )
        others = {keeper} if by == "a registrar" else set()
        assert {member for (member,) in members} == {bucket_login(0), *others}
        assert not await admin.fetchval(
            "SELECT pg_has_role($1, $2::text, 'MEMBER')", PROVISIONER, schema
        )
        await provisioner.execute(f"BEGIN; {unshare_role(schema, 0)} COMMIT")
        assert not await admin.fetchval(
            "SELECT pg_has_role($1, $2::text, 'MEMBER')", bucket_login(0), schema
        )
        await provisioner.execute(f"BEGIN; {drop_role(schema)} COMMIT")
        assert await admin.fetchval("SELECT to_regrole($1)", schema) is None
    finally:
        await admin.execute(f"DROP ROLE {keeper}")
        await provisioner.close()
        await admin.close()


def test_nobody_but_the_provisioner_has_roles_made(installation: Installation) -> None:
    url = login_url(installation.settings, bucket_login(0))
    for call in ("make_role(9999999999, 0)", "share_role(1, 0)", "drop_role(1)"):
        result = _psql(url, f"select keep.{call}")
        assert result.returncode != 0
        assert "permission denied" in result.stderr


async def test_buckets_of_the_tenth_cell_have_four_digits(installation: Installation) -> None:
    schema = f"t_{9_000_000_000 + secrets.randbelow(10**6)}"
    admin = await asyncpg.connect(installation.settings.database_url)
    trial = admin.transaction()
    await trial.start()
    try:
        await admin.execute(f"CREATE ROLE {bucket_login(1000)}")
        await admin.execute(create_role(schema, 1000))
        assert await admin.fetchval(
            "SELECT pg_has_role($1, $2::text, 'MEMBER')", bucket_login(1000), schema
        )
    finally:
        await trial.rollback()
        await admin.close()


async def test_without_functions_a_registrar_keeps_roles(installation: Installation) -> None:
    """As on a managed server; in a database of its own, which has none."""
    schema = f"t_{9_000_000_000 + secrets.randbelow(10**6)}"
    settings, keeper = installation.settings, registrar(90)
    admin = await asyncpg.connect(settings.database_url)
    login = bucket_login(90)
    await admin.execute(
        f"CREATE ROLE {keeper} NOLOGIN NOINHERIT CREATEROLE; GRANT {keeper} TO {PROVISIONER};"
        f"CREATE ROLE {login} NOLOGIN"
    )
    await admin.execute(f"CREATE DATABASE {schema}_db OWNER {PROVISIONER}")
    bare = await asyncpg.connect(login_url(settings, PROVISIONER), database=f"{schema}_db")
    try:
        await bare.execute(f"BEGIN; {create_role(schema, 90)} COMMIT")
        members = (
            "SELECT array_agg(member::regrole::text ORDER BY member::regrole::text) "
            "FROM pg_auth_members WHERE "
        )
        made = await admin.fetchval(members + "roleid = $1::text::regrole", schema)
        assert made == [login, keeper]
        await bare.execute(f"BEGIN; {unshare_role(schema, 90)} COMMIT")
        await bare.execute(f"BEGIN; {share_role(schema, 90)} COMMIT")
        assert await admin.fetchval(members + "roleid = $1::text::regrole", schema) == made
        await bare.execute(f"BEGIN; {drop_role(schema)} COMMIT")
        assert await admin.fetchval("SELECT to_regrole($1)", schema) is None
    finally:
        await bare.close()
        await admin.execute(f"DROP DATABASE {schema}_db")
        await admin.execute(f"DROP ROLE {keeper}; DROP ROLE {login}")
        await admin.close()


def test_a_tenants_role_cannot_rewrite_its_migrations(
    installation: Installation, acme: TestTenant
) -> None:
    number, bucket = (
        _rows(installation, f"select {column} from ctl.tenants where slug = '{acme.slug}'").pop()
        for column in ("number", "bucket")
    )
    url = login_url(installation.settings, bucket_login(int(bucket)))
    bound = f"set role t_{number}; set search_path = t_{number}; "
    assert _psql(url, bound + "select count(*) from insula_migrations").returncode == 0
    for statement in (
        "delete from insula_migrations",
        "create table mine (a int)",
        "create temp table users (a int)",
        "select set_config('role', 'none', false)",
    ):
        result = _psql(url, bound + statement)
        assert "permission denied" in result.stderr, statement


async def test_requests_of_many_tenants_on_the_same_connections_never_mix(
    sign_up: SignUp,
) -> None:
    tenants = [sign_up("notes") for _ in range(6)]
    notes = {
        tenant.slug: tenant.http.post("/api/v1/notes", json={"title": tenant.slug}).json()["id"]
        for tenant in tenants
    }
    async with httpx.AsyncClient(base_url=tenants[0].url, timeout=60) as client:

        async def read(tenant: TestTenant) -> None:
            headers = {"Authorization": tenant.http.headers["Authorization"]}
            for other in tenants:
                answer = await client.get(f"/api/v1/notes/{notes[other.slug]}", headers=headers)
                assert answer.status_code == (200 if other is tenant else 404)
                listed = (await client.get("/api/v1/notes", headers=headers)).json()["items"]
                assert {item["title"] for item in listed} <= {tenant.slug, f"{tenant.slug}!"}
                made = await client.post(
                    "/api/v1/notes", headers=headers, json={"title": f"{tenant.slug}!"}
                )
                assert made.status_code == 201

        await asyncio.gather(*(read(tenant) for tenant in tenants))
    for tenant in tenants:
        listed = tenant.http.get("/api/v1/notes?limit=100").json()["items"]
        assert len(listed) == 1 + len(tenants)
        assert {item["title"] for item in listed} == {tenant.slug, f"{tenant.slug}!"}


def test_clients_that_hang_up_leave_no_binding_behind(
    installation: Installation, sign_up: SignUp
) -> None:
    ours, theirs = sign_up("notes"), sign_up("notes")
    mine = ours.http.post("/api/v1/notes", json={"title": "mine"}).json()["id"]

    def hang_up(_: int) -> None:
        with suppress(httpx.TimeoutException):
            httpx.get(
                f"{installation.url}/api/v1/notes/{mine}", headers=ours.http.headers, timeout=0.002
            )

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(hang_up, range(80)))
    for _ in range(20):
        assert theirs.http.get(f"/api/v1/notes/{mine}").status_code == 404
        assert ours.http.get(f"/api/v1/notes/{mine}").json()["title"] == "mine"


@pytest.mark.parametrize("after", [0.05, 0.15, 0.4])
def test_a_sign_up_killed_half_way_leaves_nothing(installation: Installation, after: float) -> None:
    environ = installation.environ | {"INSULA_METRICS_PORT": "0"}
    server = WebServer(environ, installation.home / "killed.log")
    server.start()
    slugs = [f"k-{secrets.token_hex(5)}" for _ in range(12)]

    def form(slug: str) -> dict[str, object]:
        owner = {"email": "o@example.com", "name": "O", "password": PASSWORD}
        return {"slug": slug, "name": "Killed", "owner": owner}

    def attempt(slug: str) -> None:
        with suppress(httpx.TransportError):
            httpx.post(f"{server.url}/api/v1/tenants", json=form(slug), timeout=20)

    def kill() -> None:
        time.sleep(after)
        assert server.process is not None
        os.killpg(server.process.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(attempt, slugs))
    killer.join()

    for slug in slugs:
        again = httpx.post(f"{installation.url}/api/v1/tenants", json=form(slug), timeout=60)
        assert again.status_code in (201, 409)
        login = httpx.post(
            f"{installation.url}/api/v1/sessions",
            json={"email": "o@example.com", "password": PASSWORD},
            headers={"Insula-Tenant": slug},
        )
        assert login.status_code == 201
    both = "select number, bucket from ctl.tenants union all select number, bucket from ctl.slots"
    known = f"from ({both}) as known"
    names = _rows(installation, f"select 't_' || number {known}")
    elsewhere = _rows(
        installation, f"select 't_' || number {known} where bucket >= {BUCKETS_OF_CELL}"
    )
    schemas = "select nspname from pg_namespace where nspname ~ '^t_[0-9]+$'"
    assert names - elsewhere == _rows(installation, schemas) - elsewhere
    # Roles are the server's. Longer ones are of another installation on it.
    roles = "select rolname from pg_roles where rolname ~ '^t_[0-9]{1,6}$'"
    assert names == _rows(installation, roles)
