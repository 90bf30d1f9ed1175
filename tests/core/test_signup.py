"""Signing up."""

import asyncio
import secrets
from typing import Any

import httpx
import pytest
from fixtures.installation import PASSWORD, Installation, TestTenant


def _form(slug: str, **changes: Any) -> dict[str, Any]:
    owner = {"email": "o@example.com", "name": "Olive", "password": PASSWORD}
    return {"slug": slug, "name": "Acme", "owner": owner} | changes


def _slug() -> str:
    return f"s-{secrets.token_hex(6)}"


def test_sign_up_answers_with_tenant_and_tokens(installation: Installation) -> None:
    slug = _slug()
    answer = httpx.post(f"{installation.url}/api/v1/tenants", json=_form(slug))
    assert answer.status_code == 201
    body = answer.json()
    assert body["tenant"]["slug"] == slug
    assert body["tenant"]["name"] == "Acme"
    assert body["token_type"] == "Bearer"
    headers = {"Authorization": f"Bearer {body['access_token']}"}
    me = httpx.get(f"{installation.url}/api/v1/me", headers=headers).json()
    assert me["user"]["role"] == "owner"


@pytest.mark.parametrize(
    "slug", ["", "a", "Acme", "1acme", "a_b", "-acme", "acme-", "a--b", "a" * 41, "www", "é" * 5]
)
def test_bad_slugs_are_refused(installation: Installation, slug: str) -> None:
    answer = httpx.post(f"{installation.url}/api/v1/tenants", json=_form(slug))
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/slug"


def test_every_fault_of_the_form_is_told_at_once(installation: Installation) -> None:
    owner = {"email": "nope", "name": "O", "password": "short"}
    answer = httpx.post(f"{installation.url}/api/v1/tenants", json=_form("www", owner=owner))
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert pointers == {"/slug", "/owner/email", "/owner/password"}


def test_somebody_signed_in_may_sign_up_another_tenant(acme: TestTenant) -> None:
    form, headers = _form(_slug()), {"Idempotency-Key": secrets.token_hex(8)}
    answer = acme.http.post("/api/v1/tenants", json=form, headers=headers)
    assert answer.status_code == 201
    again = acme.http.post("/api/v1/tenants", json=form, headers=headers)
    assert again.json() == answer.json()


def test_a_taken_slug_is_a_conflict(installation: Installation, acme: TestTenant) -> None:
    answer = httpx.post(f"{installation.url}/api/v1/tenants", json=_form(acme.slug))
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("/slug-taken")


async def test_fifty_parallel_sign_ups_of_one_slug_give_one_tenant(
    installation: Installation,
) -> None:
    form = _form(_slug())
    async with httpx.AsyncClient(base_url=installation.url, timeout=60) as client:
        answers = await asyncio.gather(
            *(client.post("/api/v1/tenants", json=form) for _ in range(50))
        )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 49


def test_sign_up_repeated_with_its_idempotency_key_gives_the_same_answer(
    installation: Installation,
) -> None:
    form, headers = _form(_slug()), {"Idempotency-Key": secrets.token_hex(8)}
    first = httpx.post(f"{installation.url}/api/v1/tenants", json=form, headers=headers)
    again = httpx.post(f"{installation.url}/api/v1/tenants", json=form, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
