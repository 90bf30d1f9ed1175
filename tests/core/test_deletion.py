"""Deleting tenants: as if they did not exist, brought back, gone for good."""

import asyncio
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import asyncpg
import httpx
import pytest
import redis
from fixtures.background import WorkerProcess
from fixtures.command import CommandLine
from fixtures.files import upload
from fixtures.installation import PASSWORD, Installation, SignUp, TestTenant
from fixtures.receiver import Receiver
from fixtures.waiting import eventually
from insula.embedded import postgres
from insula.keys import operator_token
from insula.tenancy.cells import Cells
from insula.tenancy.filling import Filling


@pytest.fixture
def operator(installation: Installation) -> Iterator[httpx.Client]:
    token = operator_token(installation.settings.secret_key)
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{installation.url}/api/v1/tenants"
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture
def insula(installation: Installation) -> CommandLine:
    return CommandLine(installation)


def _ask(installation: Installation, statement: str) -> list[asyncpg.Record]:
    async def ask() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(installation.settings.database_url)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    return asyncio.run(ask())


def _number(installation: Installation, tenant: TestTenant) -> int:
    rows = _ask(installation, f"SELECT number FROM ctl.tenants WHERE slug = '{tenant.slug}'")
    return int(rows[0]["number"])


def _delete(operator: httpx.Client, tenant: TestTenant) -> None:
    answer = operator.delete(f"/{tenant.slug}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "deleted"


def _sign_up(url: str, slug: str) -> int:
    owner = {"email": "o@example.com", "name": "O", "password": PASSWORD}
    form = {"slug": slug, "name": "Again", "owner": owner}
    return httpx.post(f"{url}/api/v1/tenants", json=form, timeout=60).status_code


def test_a_deleted_tenant_answers_as_if_it_did_not_exist(
    operator: httpx.Client, sign_up: SignUp
) -> None:
    tenant = sign_up("notes")
    link = _link(tenant)
    assert httpx.get(link).status_code == 200
    nobody = httpx.get(f"{tenant.url}/api/v1/me", headers={"Insula-Tenant": "nobody-at-all"})
    _delete(operator, tenant)
    credentials = {"email": tenant.owner.email, "password": PASSWORD}
    refresh = {"refresh_token": tenant.owner.tokens["refresh_token"]}
    answers = [
        tenant.http.get("/api/v1/me"),
        tenant.http.post("/api/v1/notes", json={"title": "A"}),
        tenant.anonymous().get("/api/v1/me"),
        tenant.anonymous().post("/api/v1/sessions", json=credentials),
        tenant.anonymous().post("/api/v1/sessions/refresh", json=refresh),
    ]
    for answer in answers:
        assert answer.status_code == 404
        same = ("type", "title", "status", "detail")
        assert [answer.json().get(key) for key in same] == [nobody.json().get(key) for key in same]
    assert httpx.get(link).status_code in (403, 404)


def _link(tenant: TestTenant) -> str:
    """A signed URL of a file of the tenant's."""
    file = upload(tenant, b"shared with you")
    made = tenant.http.post(f"/api/v1/files/{file['id']}/links", json={"expires_in": 600})
    assert made.status_code == 201, made.text
    return f"{tenant.url}{made.json()['url']}"


def test_the_operator_sees_what_is_deleted_and_cannot_delete_it_twice(
    operator: httpx.Client, acme: TestTenant
) -> None:
    _delete(operator, acme)
    seen = operator.get(f"/{acme.slug}").json()
    assert seen["status"] == "deleted"
    assert seen["purge_at"] > seen["created_at"]
    assert operator.delete(f"/{acme.slug}").status_code == 404
    assert operator.post(f"/{acme.slug}/suspend", json={}).status_code == 404


def test_its_slug_stays_taken_until_it_is_purged(
    installation: Installation, operator: httpx.Client, insula: CommandLine, acme: TestTenant
) -> None:
    _delete(operator, acme)
    assert _sign_up(acme.url, acme.slug) == 409
    assert insula.json("tenants", "purge", acme.slug, "--yes") == {"purged": [acme.slug]}
    assert _sign_up(acme.url, acme.slug) == 201
    assert acme.http.get("/api/v1/me").status_code == 404, "the token was of another tenant"


def test_what_is_undeleted_is_as_it_was_but_everybody_signs_in_anew(
    operator: httpx.Client, sign_up: SignUp
) -> None:
    tenant = sign_up("notes")
    member = tenant.add_user()
    note = tenant.http.post("/api/v1/notes", json={"title": "Kept"}).json()["id"]
    _delete(operator, tenant)
    assert operator.post(f"/{tenant.slug}/undelete").json()["status"] == "active"
    for user in (tenant.owner, member):
        assert user.http.get("/api/v1/me").status_code == 401
        refresh = {"refresh_token": user.tokens["refresh_token"]}
        answer = tenant.anonymous().post("/api/v1/sessions/refresh", json=refresh)
        assert answer.status_code == 401
    again = tenant.sign_in(tenant.owner.email)
    assert again.http.get(f"/api/v1/notes/{note}").json()["title"] == "Kept"


def test_what_was_suspended_is_undeleted_suspended(
    operator: httpx.Client, acme: TestTenant
) -> None:
    operator.post(f"/{acme.slug}/suspend", json={})
    _delete(operator, acme)
    assert acme.http.get("/api/v1/me").status_code == 404
    assert operator.post(f"/{acme.slug}/undelete").json()["status"] == "suspended"
    assert acme.anonymous().get("/api/v1/me").status_code == 403


def test_only_what_is_deleted_is_undeleted_and_only_within_the_time_of_grace(
    installation: Installation, operator: httpx.Client, acme: TestTenant
) -> None:
    answer = operator.post(f"/{acme.slug}/undelete")
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("/tenant-not-deleted")
    assert operator.post("/nobody-at-all/undelete").status_code == 404
    _delete(operator, acme)
    _ask(installation, f"UPDATE ctl.tenants SET purge_at = now() WHERE slug = '{acme.slug}'")
    assert operator.post(f"/{acme.slug}/undelete").status_code == 404


def test_webhooks_of_a_deleted_tenant_stop(
    operator: httpx.Client,
    sign_up: SignUp,
    worker: WorkerProcess,
    make_receiver: Callable[[], Receiver],
) -> None:
    ours, theirs = sign_up("notes"), sign_up("notes")
    receivers = [make_receiver(), make_receiver()]
    for tenant, receiver in zip((ours, theirs), receivers, strict=True):
        hook = {"url": receiver.url, "events": ["notes.note.created"]}
        assert tenant.http.post("/api/v1/webhooks", json=hook).status_code == 201
    assert worker.process is not None
    worker.process.send_signal(signal.SIGSTOP)
    try:
        assert ours.http.post("/api/v1/notes", json={"title": "A"}).status_code == 201
        _delete(operator, ours)
        assert theirs.http.post("/api/v1/notes", json={"title": "B"}).status_code == 201
    finally:
        worker.process.send_signal(signal.SIGCONT)
    receivers[1].wait_for(1)
    assert receivers[0].requests == []


def test_purging_leaves_nothing_anywhere(
    installation: Installation,
    operator: httpx.Client,
    insula: CommandLine,
    sign_up: SignUp,
    receiver: Receiver,
) -> None:
    tenant = sign_up("notes", "polls")
    number = _number(installation, tenant)
    upload(tenant, b"gone for good")
    tenant.http.post("/api/v1/notes", json={"title": "A"})
    hook = {"url": receiver.url, "events": ["*"]}
    assert tenant.http.post("/api/v1/webhooks", json=hook).status_code == 201
    assert _traces(installation, tenant, number) >= {"schema", "role", "files", "redis", "row"}
    _delete(operator, tenant)
    assert insula.json("tenants", "purge", tenant.slug, "--yes") == {"purged": [tenant.slug]}
    assert _traces(installation, tenant, number) == set()
    assert operator.get(f"/{tenant.slug}").status_code == 404


def _traces(installation: Installation, tenant: TestTenant, number: int) -> set[str]:
    """Where something of the tenant is left."""
    name = f"t_{number}"
    counts = _ask(
        installation,
        "SELECT "
        f"(SELECT count(*) FROM pg_namespace WHERE nspname = '{name}') AS schema, "
        f"(SELECT count(*) FROM pg_roles WHERE rolname = '{name}') AS role, "
        f"(SELECT count(*) FROM ctl.tenants WHERE id = '{tenant.id}') AS row, "
        f"(SELECT count(*) FROM ctl.tenant_modules WHERE tenant_id = '{tenant.id}') AS modules, "
        f"(SELECT count(*) FROM ctl.slots WHERE number = {number}) AS slot, "
        f"(SELECT count(*) FROM spool.outbox WHERE tenant = '{name}') AS outbox, "
        f"(SELECT count(*) FROM spool.webhook_queue WHERE tenant = '{name}') AS hooks, "
        f"(SELECT count(*) FROM spool.event_lanes WHERE tenant = {number}) AS lanes, "
        f"(SELECT count(*) FROM spool.job_turns WHERE tenant = {number}) AS jobs",
    )[0]
    left = {place for place, count in counts.items() if count}
    folder = installation.settings.home / "files" / str(number)
    with redis.Redis.from_url(installation.settings.redis_url) as client:
        keys = list(client.scan_iter(f"*{tenant.id}*"))
    return left | ({"files"} if folder.exists() else set()) | ({"redis"} if keys else set())


def test_a_worker_purges_when_the_time_of_grace_is_over(
    installation: Installation, operator: httpx.Client, acme: TestTenant, worker: WorkerProcess
) -> None:
    _delete(operator, acme)
    _ask(installation, f"UPDATE ctl.tenants SET purge_at = now() WHERE slug = '{acme.slug}'")
    _ask(installation, "UPDATE spool.crons SET due_at = now() WHERE name = 'tenants.purge'")
    eventually(lambda: operator.get(f"/{acme.slug}").status_code == 404)
    assert _sign_up(acme.url, acme.slug) == 201


@pytest.mark.parametrize("table", ["outbox", "tenants"])
def test_a_purge_killed_half_way_is_finished_by_the_next(
    installation: Installation,
    operator: httpx.Client,
    insula: CommandLine,
    sign_up: SignUp,
    table: str,
) -> None:
    """Held up where the spool, or the catalogue, is written, and killed there."""
    tenant = sign_up("notes")
    number = _number(installation, tenant)
    upload(tenant, b"gone for good")
    _delete(operator, tenant)
    held = {"outbox": "spool.outbox", "tenants": f"t_{number}.users"}[table]
    with _locked(installation, held):
        process = insula.start("tenants", "purge", tenant.slug, "--yes")
        eventually(lambda: _waits_for(installation, held))
        process.kill()
        process.communicate()
        assert "schema" in _traces(installation, tenant, number)
    if table == "outbox":
        assert insula.run("tenants", "purge").returncode == 0
    else:  # it is nobody's any more, and dropped by whoever fills slots
        assert _sign_up(tenant.url, tenant.slug) == 201
        asyncio.run(_drop_all(installation))
    # A worker may be at it, too.
    eventually(lambda: not _traces(installation, tenant, number))


async def _drop_all(installation: Installation) -> None:
    cells = Cells(installation.settings, size=1)
    try:
        await Filling(cells.catalogue, buckets=installation.settings.buckets).drop_all()
    finally:
        await cells.close()
        await asyncio.sleep(0)  # transports close in the next turn of the loop


@contextmanager
def _locked(installation: Installation, table: str) -> Iterator[None]:
    """Somebody writes to a table, and nobody else may."""
    url = installation.settings.database_url
    command = [str(postgres.programs() / "psql"), url, "-XAtq"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write(
            f"BEGIN; LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE; SELECT 'locked';\n".encode()
        )
        holder.stdin.flush()
        assert holder.stdout.readline() == b"locked\n"
        yield
        holder.stdin.write(b"ROLLBACK;\n")
        holder.stdin.close()


def _waits_for(installation: Installation, table: str) -> bool:
    """Whether a purge does: a worker's relay may wait for the outbox, too."""
    waiting = (
        "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) "
        f"WHERE relation = '{table}'::regclass AND NOT granted "
        "AND (query LIKE '%DELETE FROM spool.outbox%WHERE tenant =%' OR query LIKE '%DROP %')"
    )
    return bool(_ask(installation, waiting))


def test_commands_delete_and_bring_back(insula: CommandLine, acme: TestTenant) -> None:
    assert insula.run("tenants", "delete", acme.slug).returncode == 2, "it takes a yes"
    assert acme.http.get("/api/v1/me").status_code == 200
    assert insula.json("tenants", "delete", acme.slug, "--yes")["status"] == "deleted"
    assert acme.http.get("/api/v1/me").status_code == 404
    refused = insula.run("modules", "enable", "notes", "--tenant", acme.slug)
    assert refused.returncode == 1
    assert "is deleted" in refused.stderr
    assert insula.json("tenants", "undelete", acme.slug)["status"] == "active"
    assert acme.sign_in(acme.owner.email).http.get("/api/v1/me").status_code == 200
    assert insula.run("tenants", "purge", acme.slug, "--yes").returncode == 1, "it is not deleted"
