"""Signing in, staying signed in, signing out."""

import asyncio
import statistics
import time

import httpx
from fixtures.installation import PASSWORD, Installation, SignUp, TestTenant


def test_sign_in_gives_tokens_that_work(acme: TestTenant) -> None:
    user = acme.sign_in(acme.owner.email)
    assert user.tokens["token_type"] == "Bearer"
    assert user.tokens["expires_in"] == 900
    me = user.http.get("/api/v1/me").json()
    assert me["user"]["email"] == acme.owner.email
    assert me["tenant"]["slug"] == acme.slug


def test_sign_in_says_the_same_for_unknown_address_and_wrong_password(acme: TestTenant) -> None:
    client = acme.anonymous()
    answers = [
        client.post("/api/v1/sessions", json={"email": email, "password": "wrong password 1"})
        for email in (acme.owner.email, "nobody@example.com", "not an address")
    ]
    assert {answer.status_code for answer in answers} == {401}
    bodies = [answer.json() | {"trace_id": ""} for answer in answers]
    assert bodies[0] == bodies[1] == bodies[2]


def test_sign_in_hashes_a_password_for_unknown_addresses_too(acme: TestTenant) -> None:
    client = acme.anonymous()

    def seconds(email: str) -> float:
        start = time.perf_counter()
        client.post("/api/v1/sessions", json={"email": email, "password": "wrong password 1"})
        return time.perf_counter() - start

    known = statistics.median(seconds(acme.owner.email) for _ in range(7))
    unknown = statistics.median(seconds(f"x{n}@example.com") for n in range(7))
    assert unknown > known / 3  # a look-up alone takes a tenth of a hash


def test_failed_sign_ins_are_throttled_whether_the_address_exists_or_not(acme: TestTenant) -> None:
    client = acme.anonymous()
    for email in (acme.owner.email, "nobody@example.com"):
        form = {"email": email, "password": "wrong password 1"}
        statuses = [client.post("/api/v1/sessions", json=form).status_code for _ in range(22)]
        assert statuses[:20] == [401] * 20
        assert statuses[-1] == 429


def test_refresh_gives_a_successor(acme: TestTenant) -> None:
    client = acme.anonymous()
    first = acme.owner.tokens["refresh_token"]
    second = client.post("/api/v1/sessions/refresh", json={"refresh_token": first})
    assert second.status_code == 200
    third = client.post(
        "/api/v1/sessions/refresh", json={"refresh_token": second.json()["refresh_token"]}
    )
    assert third.status_code == 200
    assert acme.user("", third.json()).http.get("/api/v1/me").status_code == 200


def test_reuse_of_a_refresh_token_ends_the_whole_session(acme: TestTenant) -> None:
    client = acme.anonymous()
    old = {"refresh_token": acme.owner.tokens["refresh_token"]}
    successor = client.post("/api/v1/sessions/refresh", json=old).json()
    assert client.post("/api/v1/sessions/refresh", json=old).status_code == 401
    new = {"refresh_token": successor["refresh_token"]}
    assert client.post("/api/v1/sessions/refresh", json=new).status_code == 401
    assert acme.user("", successor).http.get("/api/v1/me").status_code == 401
    assert acme.sign_in(acme.owner.email).http.get("/api/v1/me").status_code == 200


def test_refresh_of_another_tenants_token_is_refused(sign_up: SignUp) -> None:
    ours, theirs = sign_up(), sign_up()
    form = {"refresh_token": theirs.owner.tokens["refresh_token"]}
    assert ours.anonymous().post("/api/v1/sessions/refresh", json=form).status_code == 401
    assert theirs.anonymous().post("/api/v1/sessions/refresh", json=form).status_code == 200


async def test_fifty_parallel_refreshes_give_one_successor(acme: TestTenant) -> None:
    form = {"refresh_token": acme.owner.tokens["refresh_token"]}
    async with httpx.AsyncClient(base_url=acme.url, timeout=60) as client:
        answers = await asyncio.gather(
            *(
                client.post(
                    "/api/v1/sessions/refresh", json=form, headers={"Insula-Tenant": acme.slug}
                )
                for _ in range(50)
            )
        )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] + [401] * 49


def test_sign_out_voids_access_and_refresh_token_at_once(acme: TestTenant) -> None:
    assert acme.http.delete("/api/v1/sessions/current").status_code == 204
    assert acme.http.get("/api/v1/me").status_code == 401
    form = {"refresh_token": acme.owner.tokens["refresh_token"]}
    assert acme.anonymous().post("/api/v1/sessions/refresh", json=form).status_code == 401


def test_sign_out_leaves_other_sessions_alone(acme: TestTenant) -> None:
    other = acme.sign_in(acme.owner.email)
    acme.http.delete("/api/v1/sessions/current")
    assert other.http.get("/api/v1/me").status_code == 200


def test_the_tenant_can_be_named_by_host(installation: Installation, acme: TestTenant) -> None:
    form = {"email": acme.owner.email, "password": PASSWORD}
    answer = httpx.post(
        f"{installation.url}/api/v1/sessions",
        json=form,
        headers={"Host": f"{acme.slug}.localhost:8000"},
    )
    assert answer.status_code == 201


def test_sign_in_without_a_tenant_says_how_to_name_one(installation: Installation) -> None:
    form = {"email": "a@example.com", "password": PASSWORD}
    answer = httpx.post(f"{installation.url}/api/v1/sessions", json=form)
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("/tenant-required")
