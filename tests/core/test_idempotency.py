"""``Idempotency-Key``: at most once, and the same answer."""

import asyncio
import secrets

import httpx
import pytest
from fixtures.installation import SignUp, TestTenant


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("notes")


def _key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_hex(12)}


def test_a_repeated_create_gives_the_first_answer(tenant: TestTenant) -> None:
    key, form = _key(), {"title": "Once"}
    first = tenant.http.post("/api/v1/notes", json=form, headers=key)
    again = tenant.http.post("/api/v1/notes", json=form, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["etag"] == first.headers["etag"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert len(tenant.http.get("/api/v1/notes").json()["items"]) == 1


def test_another_body_with_the_same_key_is_refused(tenant: TestTenant) -> None:
    key = _key()
    tenant.http.post("/api/v1/notes", json={"title": "One"}, headers=key)
    other = tenant.http.post("/api/v1/notes", json={"title": "Two"}, headers=key)
    assert other.status_code == 422
    assert other.json()["type"].endswith("/idempotency-key-reused")


def test_a_failed_request_does_not_use_up_its_key(tenant: TestTenant) -> None:
    key = _key()
    assert tenant.http.post("/api/v1/notes", json={"title": 1}, headers=key).status_code == 400
    assert tenant.http.post("/api/v1/notes", json={"title": "1"}, headers=key).status_code == 201


def test_two_users_may_choose_the_same_key(tenant: TestTenant) -> None:
    key, member = _key(), tenant.add_user("member")
    assert tenant.http.post("/api/v1/notes", json={"title": "A"}, headers=key).status_code == 201
    second = member.http.post("/api/v1/notes", json={"title": "B"}, headers=key)
    assert second.status_code == 201
    assert second.json()["title"] == "B"


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\u00e9"])
def test_an_absurd_key_is_refused(tenant: TestTenant, key: str) -> None:
    headers = [(b"Idempotency-Key", key.encode("latin-1"))]
    answer = tenant.http.post("/api/v1/notes", json={"title": "x"}, headers=headers)
    assert answer.status_code == 400


async def test_parallel_creates_with_one_key_give_one_note(tenant: TestTenant) -> None:
    headers = {**_key(), "Authorization": tenant.http.headers["Authorization"]}
    async with httpx.AsyncClient(base_url=tenant.url, headers=headers, timeout=60) as client:
        answers = await asyncio.gather(
            *(client.post("/api/v1/notes", json={"title": "One"}) for _ in range(50))
        )
    created = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    assert len(created) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 409)
    assert len(tenant.http.get("/api/v1/notes").json()["items"]) == 1


# Uploads, whose bodies stream


def _upload(
    tenant: TestTenant, content: bytes, key: dict[str, str], path: str = "/api/v1/files"
) -> httpx.Response:
    kind = {"Content-Type": "application/octet-stream"}
    return tenant.http.post(path, params={"name": "a.txt"}, content=content, headers=kind | key)


def test_a_repeated_upload_gives_the_first_answer_and_stores_nothing(tenant: TestTenant) -> None:
    note = tenant.http.post("/api/v1/notes", json={"title": "Shed"}).json()["id"]
    for path in ("/api/v1/files", f"/api/v1/notes/{note}/attachments"):
        before = tenant.http.get("/api/v1/files/usage").json()["bytes"]
        key = _key()
        first, again = _upload(tenant, b"plan", key, path), _upload(tenant, b"plan", key, path)
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.content == first.content
        assert again.headers["location"] == first.headers["location"]
        assert again.headers["idempotency-replayed"] == "true"
        assert len(tenant.http.get(path).json()["items"]) == 1
        assert tenant.http.get("/api/v1/files/usage").json()["bytes"] == before + 4
        other = _upload(tenant, b"plot", key, path)
        assert other.status_code == 422
        assert other.json()["type"].endswith("/idempotency-key-reused")


def test_a_failed_upload_does_not_use_up_its_key(tenant: TestTenant) -> None:
    key = _key()
    wrong = {"Repr-Digest": "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"}
    assert _upload(tenant, b"plan", key | wrong).status_code == 422
    assert _upload(tenant, b"plan", key).status_code == 201


async def test_of_uploads_at_the_same_time_one_becomes_a_file(tenant: TestTenant) -> None:
    key = _key()
    answers = await asyncio.gather(
        *(asyncio.to_thread(_upload, tenant, b"plan" * 100_000, key) for _ in range(5))
    )
    made = [answer.json() for answer in answers if answer.status_code == 201]
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({file["id"] for file in made}) == 1
    assert len(tenant.http.get("/api/v1/files").json()["items"]) == 1


def test_where_no_key_is_kept_none_is_taken(tenant: TestTenant) -> None:
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "4"}
    form = {"file": ("a.txt", b"plan")}
    for answer in (
        tenant.http.post("/api/v1/files/tus", headers=_key() | tus),
        tenant.http.post("/api/v1/files/batch", files=form, headers=_key()),
        _upload(tenant, b"PK", _key(), "/api/v1/notes/import"),
    ):
        assert answer.status_code == 400
        assert answer.json()["type"].endswith("/idempotency-key-not-kept")
