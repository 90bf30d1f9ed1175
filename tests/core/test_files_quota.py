"""A tenant's quota: reserved before bytes come, so that nobody gets past it together."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

import asyncpg
from fixtures.files import TUS, begin_tus, chunked, send, upload, used
from fixtures.installation import Installation, TestTenant


def limit(installation: Installation, tenant: TestTenant, quota: int) -> None:
    """Give a tenant a quota of its own."""

    async def write() -> None:
        connection = await asyncpg.connect(installation.settings.database_url)
        try:
            number = await connection.fetchval(
                "SELECT number FROM ctl.tenants WHERE slug = $1", tenant.slug
            )
            await connection.execute(f"UPDATE t_{number}.file_usage SET quota = $1", quota)
        finally:
            await connection.close()

    asyncio.run(write())


def test_no_more_is_taken_than_there_is_room_for(
    acme: TestTenant, installation: Installation
) -> None:
    limit(installation, acme, 1000)
    upload(acme, b"x" * 600)
    answer = send(acme, b"x" * 401)
    assert (answer.status_code, answer.json()["type"]) == (413, "/docs/problems/quota-exceeded")
    assert used(acme) == 600
    upload(acme, b"x" * 400)
    assert acme.http.get("/api/v1/files/usage").json() == {"bytes": 1000, "quota": 1000}


def test_those_who_upload_at_once_do_not_get_past_it(
    acme: TestTenant, installation: Installation
) -> None:
    limit(installation, acme, 500_000)
    body = os.urandom(100_000)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: send(acme, body), range(12)))
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(201), statuses.count(413)) == (5, 7), statuses
    items = acme.http.get("/api/v1/files").json()["items"]
    assert sum(item["size"] for item in items) == used(acme) == 500_000


def test_bodies_of_unknown_length_do_not_either(
    acme: TestTenant, installation: Installation
) -> None:
    limit(installation, acme, 20 << 20)  # what is reserved at once, and a little
    piece = b"x" * (1 << 20)

    def stream(_: int) -> int:
        return acme.http.post("/api/v1/files", content=chunked(*[piece] * 3)).status_code

    with ThreadPoolExecutor(3) as pool:
        statuses = list(pool.map(stream, range(3)))
    assert set(statuses) <= {201, 413}
    assert used(acme) == (3 << 20) * statuses.count(201)


def test_an_upload_under_way_has_its_room(acme: TestTenant, installation: Installation) -> None:
    limit(installation, acme, 1000)
    address = begin_tus(acme, 900)
    assert send(acme, b"x" * 101).status_code == 413
    headers = {**TUS, "Upload-Length": "101"}
    assert acme.http.post("/api/v1/files/tus", headers=headers).status_code == 413
    acme.http.delete(address, headers=TUS)
    assert send(acme, b"x" * 101).status_code == 201


def test_a_refused_upload_gives_its_room_back(acme: TestTenant) -> None:
    refused = send(acme, b"x" * 5000, Repr_Digest="sha-256=:AAAA:")
    assert refused.status_code == 422
    assert used(acme) == 0
