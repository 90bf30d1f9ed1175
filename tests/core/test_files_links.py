"""Signed URLs: one file, for a while, without login."""

from typing import Any

import httpx
import pytest
from fixtures.files import content, upload, used
from fixtures.installation import SignUp, TestTenant
from fixtures.waiting import eventually


@pytest.fixture
def link(acme: TestTenant) -> Any:
    file = upload(acme, b"shared with you", "a.txt")
    made = acme.http.post(f"/api/v1/files/{file['id']}/links", json={"expires_in": 600})
    assert made.status_code == 201, made.text
    return {**made.json(), "file": file}


def test_whoever_has_the_url_reads_the_file(acme: TestTenant, link: Any) -> None:
    nobody = httpx.get(acme.url + link["url"], headers={"Range": "bytes=0-5"})
    assert (nobody.status_code, nobody.content) == (206, b"shared")
    assert nobody.headers["content-disposition"].startswith("inline")
    assert "sandbox" in nobody.headers["content-security-policy"]


def test_a_url_with_another_letter_in_it_opens_nothing(acme: TestTenant, link: Any) -> None:
    ticket = link["ticket"]
    for place in (0, 10, 45, len(ticket) // 2, len(ticket) - 5):
        other = "A" if ticket[place] != "A" else "B"
        forged = ticket[:place] + other + ticket[place + 1 :]
        answer = httpx.get(f"{acme.url}/api/v1/files/links/{forged}")
        assert (answer.status_code, answer.json()["type"]) == (403, "/docs/problems/link-refused")


@pytest.mark.parametrize("ticket", ["x", "AAAA", "%00", "é", "A" * 3000, "AA=="])
def test_nonsense_opens_nothing(acme: TestTenant, ticket: str) -> None:
    answer = httpx.get(f"{acme.url}/api/v1/files/links/{ticket}")
    assert answer.status_code in (400, 403, 404)


def test_it_expires(acme: TestTenant, link: Any) -> None:
    file = link["file"]
    brief = acme.http.post(f"/api/v1/files/{file['id']}/links", json={"expires_in": 1}).json()
    eventually(lambda: httpx.get(acme.url + brief["url"]).status_code == 403)
    too_long = acme.http.post(f"/api/v1/files/{file['id']}/links", json={"expires_in": 10**9})
    assert too_long.status_code == 400


def test_it_ends_with_the_file(acme: TestTenant, link: Any) -> None:
    acme.http.delete(f"/api/v1/files/{link['file']['id']}")
    assert httpx.get(acme.url + link["url"]).status_code == 404


def test_another_tenant_named_beside_it_is_refused(link: Any, sign_up: SignUp) -> None:
    other = sign_up()
    assert other.anonymous().get(link["url"]).status_code == 403
    assert other.http.get(link["url"]).status_code == 403


def test_one_file_is_uploaded_by_a_url(acme: TestTenant) -> None:
    wanted = {"name": "../report.txt", "max_size": 10}
    link = acme.http.post("/api/v1/files/links", json=wanted).json()
    address = acme.url + link["url"]
    assert httpx.put(address, content=b"x" * 11).status_code == 413
    assert httpx.get(address).status_code == 403
    made = httpx.put(address, content=b"0123456789")
    assert (made.status_code, made.json()["name"]) == (201, "report.txt")
    assert made.json()["created_by"] is None
    again = httpx.put(address, content=b"x")
    assert (again.status_code, again.json()["type"]) == (409, "/docs/problems/link-used")
    assert content(acme, link).content == b"0123456789"
    assert used(acme) == 10
