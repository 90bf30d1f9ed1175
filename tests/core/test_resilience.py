"""What a hostile user, an unlucky crash or a busy replica must not break."""

import asyncio
import contextlib
import io
import resource
import secrets
import time
import zipfile
from typing import Any

import asyncpg
import httpx
import pytest
from fixtures.installation import PASSWORD, Installation, SignUp, TestTenant
from insula.db import Database, Statement
from insula.db.pool import Pool
from insula.http import body as body_module
from insula.http.body import MAX_DEPTH, check_json, read_body
from insula.http.problem import BadRequest, RequestTimeout
from insula.tenancy.cells import CATALOGUE_PRELUDE
from insula.tenancy.roles import PROVISIONER, bucket_login, login_url
from redis import Redis
from sqlalchemy import literal_column, select

_LIST_OF_BRACKETS = b"[" + b"[]," * 100


@pytest.mark.parametrize(
    "body",
    [
        _LIST_OF_BRACKETS + b'"' + b'\\"' * 1_000_000,  # a string that never ends
        _LIST_OF_BRACKETS + b'"' * 2_000_001,
        _LIST_OF_BRACKETS + b"\\" * 2_000_001 + b"\\u0000",
        b"[" + b"[]," * 700_000,
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) * 15_000,
    ],
    ids=["endless string", "quotes", "backslashes", "brackets", "towers"],
)
def test_body_is_checked_in_time_that_its_length_explains(body: bytes) -> None:
    started = time.process_time()
    check_json(body)
    assert time.process_time() - started < 2  # it was hours


def test_depth_counts_brackets_outside_strings_only() -> None:
    deepest = b'{"[[\\"{":' * (MAX_DEPTH - 1) + b"[]" + b"}" * (MAX_DEPTH - 1)
    check_json(deepest)
    with pytest.raises(BadRequest):
        check_json(b"[" + deepest + b"]")


def test_metrics_do_not_grow_with_methods_that_clients_make_up(installation: Installation) -> None:
    made_up = [f"X{secrets.token_hex(4).upper()}" for _ in range(3)]
    for method in made_up:
        httpx.request(method, installation.url + "/api/v1/me")
    port = installation.environ["INSULA_METRICS_PORT"]
    metrics = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    assert 'method="other"' in metrics
    assert not [method for method in made_up if method in metrics]


# Signing in


async def _sign_in(client: httpx.AsyncClient, email: str, password: str) -> httpx.Response:
    return await client.post("/api/v1/sessions", json={"email": email, "password": password})


async def test_guesses_sent_at_once_are_throttled_like_others(acme: TestTenant) -> None:
    headers = {"Insula-Tenant": acme.slug}
    async with httpx.AsyncClient(base_url=acme.url, headers=headers, timeout=60) as client:
        answers = await asyncio.gather(
            *(_sign_in(client, acme.owner.email, f"wrong password {n}") for n in range(60))
        )
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(401) == 20
    assert set(statuses) == {401, 429}


async def test_people_who_know_the_password_do_not_use_up_the_guesses(acme: TestTenant) -> None:
    headers = {"Insula-Tenant": acme.slug}
    async with httpx.AsyncClient(base_url=acme.url, headers=headers, timeout=60) as client:
        for _ in range(2):
            answers = await asyncio.gather(
                *(_sign_in(client, acme.owner.email, PASSWORD) for _ in range(25))
            )
            assert {answer.status_code for answer in answers} == {201}


def test_spelling_an_address_differently_gives_no_more_guesses(acme: TestTenant) -> None:
    local, _, domain = acme.owner.email.partition("@")
    client = acme.anonymous()
    statuses = []
    for place in range(25):  # a full-width letter in the domain makes no difference to IDNA
        letter = domain[place % len(domain)]
        odd = chr(ord(letter) + 0xFEE0) if letter.isalpha() else letter
        spelling = domain[: place % len(domain)] + odd + domain[place % len(domain) + 1 :]
        form = {"email": f"{local}@{spelling}", "password": "wrong password 1"}
        statuses.append(client.post("/api/v1/sessions", json=form).status_code)
    assert statuses == [401] * 20 + [429] * 5


async def test_no_connection_is_held_while_a_password_is_checked(
    installation: Installation, acme: TestTenant
) -> None:
    watch = await asyncpg.connect(installation.settings.database_url)
    headers = {"Insula-Tenant": acme.slug}
    async with httpx.AsyncClient(base_url=acme.url, headers=headers, timeout=60) as client:
        guesses = asyncio.gather(
            *(_sign_in(client, f"x{n}@example.com", "wrong password 1") for n in range(40))
        )
        held = 0
        while not guesses.done():
            held += await watch.fetchval(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE state = 'idle in transaction' AND usename LIKE 'app_b%'"
            )
            await asyncio.sleep(0.005)
        statuses = {answer.status_code for answer in await guesses}
    await watch.close()
    assert statuses == {401}
    assert held == 0


@pytest.mark.parametrize("change", [{"role": "customer"}, {"status": "disabled"}], ids=str)
async def test_no_token_outlives_what_was_taken_away(
    acme: TestTenant, change: dict[str, str]
) -> None:
    """The user keeps signing in and refreshing while an owner takes the rights away."""
    admin = acme.add_user("admin")
    user_id = admin.http.get("/api/v1/me").json()["user"]["id"]
    tokens: list[dict[str, str]] = []
    over = asyncio.Event()

    async def sign_in_again() -> None:
        while not over.is_set():
            answer = await _sign_in(client, admin.email, PASSWORD)
            tokens.extend([answer.json()] if answer.status_code == 201 else [])

    async def refresh_again() -> None:
        form = {"refresh_token": acme.sign_in(admin.email).tokens["refresh_token"]}
        while not over.is_set():
            answer = await client.post("/api/v1/sessions/refresh", json=form)
            if answer.status_code != 200:
                return
            tokens.append(answer.json())
            form = {"refresh_token": tokens[-1]["refresh_token"]}

    headers = {"Insula-Tenant": acme.slug}
    async with httpx.AsyncClient(base_url=acme.url, headers=headers, timeout=60) as client:
        attempts = [asyncio.create_task(sign_in_again()) for _ in range(6)]
        attempts += [asyncio.create_task(refresh_again()) for _ in range(2)]
        await asyncio.sleep(0.3)
        url = f"/api/v1/users/{user_id}"
        answer = await client.patch(url, json=change, headers=acme.http.headers)
        assert answer.status_code == 200
        await asyncio.sleep(0.2)
        over.set()
        await asyncio.gather(*attempts)
    assert tokens
    for made in tokens:
        # A privileged right, which is closed (503) should Redis be too slow to be asked.
        answer = acme.user("", made).http.post("/api/v1/users", json={})
        assert answer.status_code in (401, 403, 503), answer.text


# Servers that fail


async def test_killed_connections_are_an_unavailable_and_nothing_acknowledged_is_lost(
    installation: Installation, sign_up: SignUp
) -> None:
    headers = sign_up("notes").http.headers
    admin = await asyncpg.connect(installation.settings.database_url)
    over = asyncio.Event()
    statuses: list[int] = []
    kept: list[str] = []

    async def write() -> None:
        while not over.is_set():
            key = {"Idempotency-Key": secrets.token_hex(8)}
            answer = await client.post("/api/v1/notes", json={"body": "x"}, headers=key)
            statuses.append(answer.status_code)
            kept.extend([answer.json()["id"]] if answer.status_code == 201 else [])

    async def read() -> None:
        while not over.is_set():
            statuses.append((await client.get("/api/v1/notes")).status_code)

    url = installation.url
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as client:
        load = [asyncio.create_task(work()) for work in (read, write) * 4]
        for _ in range(6):
            await asyncio.sleep(0.4)
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE usename LIKE 'app\\_%'"
            )
        over.set()
        await asyncio.gather(*load)
        assert {200, 201} <= set(statuses) <= {200, 201, 503}
        await client.get("/api/v1/notes")  # may still meet a connection that is dying
        for note_id in kept:
            assert (await client.get(f"/api/v1/notes/{note_id}")).status_code == 200
    await admin.close()


async def test_a_pool_never_opens_more_than_its_size(installation: Installation) -> None:
    pool = Pool(login_url(installation.settings, bucket_login(0)), size=3)
    in_use, most = 0, 0

    async def use() -> None:
        nonlocal in_use, most
        for number in range(10):
            connection = await pool.acquire("")
            in_use += 1
            most = max(most, in_use)
            await connection.raw.fetchval("SELECT 1")
            in_use -= 1
            if number % 2:
                pool.discard(connection)
            else:
                pool.release(connection)
            await asyncio.sleep(0)

    await asyncio.gather(*(use() for _ in range(12)))
    await pool.close()
    assert most <= 3


async def test_nobody_waits_for_a_lock_for_ever(installation: Installation) -> None:
    connection = await asyncpg.connect(login_url(installation.settings, bucket_login(0)))
    for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        assert await connection.fetchval(f"SHOW {name}") in ("1min", "10s")
    await connection.close()


def test_a_redis_that_refuses_to_write_makes_sign_out_unavailable(
    installation: Installation, acme: TestTenant
) -> None:
    redis = Redis.from_url(installation.settings.redis_url)
    redis.config_set("maxmemory", "1")
    try:
        refused = acme.http.delete("/api/v1/sessions/current")
    finally:
        redis.config_set("maxmemory", "0")
        redis.close()
    assert refused.status_code == 503
    assert acme.http.delete("/api/v1/sessions/current").status_code == 204


def test_a_redis_that_forgot_everything_is_told_again_what_was_revoked(
    installation: Installation, acme: TestTenant
) -> None:
    signed_out, demoted, steady = acme.add_user("admin"), acme.add_user("admin"), acme.add_user()
    user_id = demoted.http.get("/api/v1/me").json()["user"]["id"]
    assert signed_out.http.delete("/api/v1/sessions/current").status_code == 204
    assert acme.http.patch(f"/api/v1/users/{user_id}", json={"role": "member"}).status_code == 200
    with Redis.from_url(installation.settings.redis_url) as redis:
        redis.flushall()
    assert signed_out.http.get("/api/v1/me").status_code == 401
    assert demoted.http.get("/api/v1/me").status_code == 401
    assert steady.http.get("/api/v1/me").status_code == 200
    assert acme.http.get("/api/v1/me").status_code == 200


async def test_a_failed_transaction_is_not_taken_for_committed(installation: Installation) -> None:
    database = Database([Pool(login_url(installation.settings, PROVISIONER), size=1)])
    division = Statement(select(literal_column("1 / 0")), int)
    tx = database.work(0, CATALOGUE_PRELUDE, writes=True)
    with contextlib.suppress(asyncpg.DivisionByZeroError):
        await tx.find(division)
    with pytest.raises(asyncpg.InFailedSQLTransactionError):
        await tx.finish(success=True)
    await database.close()


def test_a_refused_refresh_is_refused_again_with_the_same_idempotency_key(
    acme: TestTenant,
) -> None:
    """It commits, since it ends the session; its key must not stay in flight."""
    form = {"refresh_token": acme.owner.tokens["refresh_token"]}
    client = acme.anonymous()
    assert client.post("/api/v1/sessions/refresh", json=form).status_code == 200
    client.headers["Idempotency-Key"] = "again"
    answers = [client.post("/api/v1/sessions/refresh", json=form) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[1].headers["idempotency-replayed"] == "true"


# Slow clients


async def test_a_body_that_is_late_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_module, "_GRACE", 0.1)
    pieces = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive() -> Any:
        return pieces.pop() if pieces else await asyncio.Event().wait()

    with pytest.raises(RequestTimeout):
        await asyncio.wait_for(read_body(receive, None, 1000), timeout=5)


async def test_a_thousand_idle_uploads_leave_room_for_others(acme: TestTenant) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(4096, hard)), hard))
    address = httpx.URL(acme.url)
    head = (
        "POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Insula-Tenant: {acme.slug}\r\nContent-Length: 100\r\n\r\n"
    )
    writers = []
    for _ in range(1100):
        _, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(head.encode())
        writers.append(writer)
    try:
        answer = await asyncio.to_thread(acme.http.get, "/api/v1/me", timeout=10)
        assert answer.status_code == 200
    finally:
        for writer in writers:
            writer.close()


# Vaults


def _zip(*files: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number, text in enumerate(files):
            archive.writestr(f"note {number}.md", text)
    return packed.getvalue()


async def test_an_export_of_long_notes_leaves_the_loop_to_others(sign_up: SignUp) -> None:
    tenant = sign_up("notes")
    vault = _zip(*(secrets.token_hex(250_000) for _ in range(40)))  # 20 MB: over Litestar's limit
    kind = {"Content-Type": "application/zip"}
    answer = tenant.http.post("/api/v1/notes/import", content=vault, headers=kind)
    assert answer.json()["created"] == 40
    slowest = 0.0
    async with httpx.AsyncClient(base_url=tenant.url, timeout=60) as client:
        headers = tenant.http.headers
        began = time.perf_counter()
        export = asyncio.create_task(client.get("/api/v1/notes/export", headers=headers))
        while not export.done():
            started = time.perf_counter()
            await client.get("/health/live")
            slowest = max(slowest, time.perf_counter() - started)
        assert (await export).status_code == 200
        assert slowest < (time.perf_counter() - began) / 2
