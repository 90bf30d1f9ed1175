"""Hostile headers: none is our fault, none smuggles a request, none forges a caller."""

import base64
import json
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fixtures.installation import Installation, SignUp, TestTenant, WebServer
from fixtures.raw_http import assert_problem, exchange, head_of, send
from insula.identity.tokens import AccessTokens


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("notes")


@pytest.mark.parametrize("name", ["If-Match", "Idempotency-Key", "Insula-Tenant", "Host",
                                  "traceparent", "Accept", "Accept-Language", "X-Forwarded-For",
                                  "If-None-Match", "Range", "Cookie", "User-Agent"])  # fmt: skip
@pytest.mark.parametrize("value", ["", "\xff\xfe", "a" * 9000, "'\"><", "*", ",,,;;=", "\t", "🌱"])
def test_an_absurd_header_is_never_our_fault(tenant: TestTenant, name: str, value: str) -> None:
    head = head_of("POST /api/v1/notes", tenant, "Content-Type: application/json",
                 "Content-Length: 13").encode()  # fmt: skip
    if name == "Host":
        head = head.replace(b"Host: insula.example\r\n", b"")
    head = head[:-2] + f"{name}: ".encode() + value.encode("utf-8") + b"\r\n\r\n"
    answer = exchange(tenant, head + b'{"title":"A"}')
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and answer.content:
        assert_problem(answer, answer.status_code)


def test_a_tenant_that_nobody_has_is_not_found(
    tenant: TestTenant, installation: Installation
) -> None:
    token = {"Authorization": tenant.http.headers["authorization"]}
    for headers in (
        {"Insula-Tenant": "nobody-has-this"},
        {"Host": f"nobody-has-this.{installation.settings.base_domain}"},
        {"Host": f".{installation.settings.base_domain}"},
        {"Host": f"a.b.{installation.settings.base_domain}"},
        {"Insula-Tenant": "'; drop schema public; --"},
    ):
        for sent in (headers, headers | token):
            answer = httpx.get(tenant.url + "/api/v1/me", headers=sent)
            assert_problem(answer, 404, "tenant-not-found")


def test_a_host_that_is_not_ours_names_no_tenant(tenant: TestTenant) -> None:
    headers = {"Host": f"{tenant.slug}.evil.example"}
    answer = httpx.post(
        tenant.url + "/api/v1/sessions", headers=headers, json={"email": "a@b.c", "password": "x"}
    )
    assert_problem(answer, 400)


@pytest.mark.parametrize(
    "length",
    ["-1", "abc", "1e3", "+5", "0x10", "5, 6", "9" * 30, "٣", "", "5\r\nContent-Length: 6"],
)
def test_an_impossible_content_length_ends_the_request(tenant: TestTenant, length: str) -> None:
    head = head_of("POST /api/v1/notes", tenant, "Content-Type: application/json",
                 f"Content-Length: {length}")  # fmt: skip
    answer = exchange(tenant, head + "{}")
    assert answer.status_code in (400, 413)


def test_length_and_chunks_together_do_not_smuggle_a_second_request(tenant: TestTenant) -> None:
    head = head_of("POST /api/v1/notes", tenant, "Content-Type: application/json",
                 "Content-Length: 4", "Transfer-Encoding: chunked")  # fmt: skip
    smuggled = head_of("POST /api/v1/notes", tenant, "Content-Length: 0")
    raw = send(tenant, (head + "0\r\n\r\n" + smuggled).encode())
    assert raw.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("header", "status"),
    [('"1"', 200), ("*", 200), ('"9", "1"', 200), ('"9"', 412), ("nonsense", 412),
     ('W/"1"', 412), ("1", 412), ('"' + "9" * 300 + '"', 400)],
)  # fmt: skip
def test_if_match_compares_strongly(tenant: TestTenant, header: str, status: int) -> None:
    note = tenant.http.post("/api/v1/notes", json={"title": "A"}).json()["id"]
    answer = tenant.http.patch(
        f"/api/v1/notes/{note}", json={"title": "B"}, headers={"If-Match": header}
    )
    assert answer.status_code == status, answer.text
    if status >= 400:
        assert_problem(answer, status)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ('"1"', 304),
        ('W/"1"', 304),
        ("*", 304),
        ('"9", "1"', 304),
        ('"9"', 200),
        ("1", 200),
        (",", 200),
    ],
)
def test_if_none_match_compares_weakly(tenant: TestTenant, header: str, status: int) -> None:
    note = tenant.http.post("/api/v1/notes", json={"title": "A"}).json()["id"]
    answer = tenant.http.get(f"/api/v1/notes/{note}", headers={"If-None-Match": header})
    assert answer.status_code == status
    assert answer.headers["etag"] == '"1"'
    assert bool(answer.content) == (status == 200)


def test_a_spoofed_address_does_not_reset_the_limit(
    tenant: TestTenant, installation: Installation
) -> None:
    environ = {"INSULA_RATE_LIMIT": "1", "INSULA_RATE_BURST": "5", "INSULA_METRICS_PORT": "0"}
    server = WebServer(installation.environ | environ, installation.home / "spoofed.log")
    server.start()
    try:
        headers = {"X-Forwarded-For": "203.0.113.9"}
        statuses = [
            httpx.get(
                server.url + "/api/v1/me",
                headers={"X-Forwarded-For": f"192.0.2.{number}, 198.51.100.7"},
            ).status_code
            for number in range(7)
        ]
        other = httpx.get(server.url + "/api/v1/me", headers=headers)
    finally:
        server.stop()
    assert statuses == [401] * 5 + [429] * 2
    assert other.status_code == 401


# Tokens


def _base64(raw: Any) -> str:
    raw = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _forged(tenant: TestTenant, installation: Installation) -> dict[str, str]:
    """Tokens made from a good one, none of which is good."""
    good = tenant.owner.tokens["access_token"]
    head, payload, signature = good.split(".")
    said = json.loads(base64.urlsafe_b64decode(payload + "=="))
    user: dict[str, Any] = {
        "user_id": UUID(said["sub"]),
        "tenant_id": UUID(said["tid"]),
        "session_id": uuid4(),
    }
    other_key = AccessTokens("another secret " * 5, seconds=900).issue(**user, role="owner")
    expired = AccessTokens(installation.settings.secret_key, seconds=-1).issue(**user, role="owner")
    none = _base64({"alg": "none", "typ": "at+jwt"})
    hs256 = _base64({"alg": "HS256", "typ": "at+jwt"})
    jwt = _base64({"alg": "Ed25519", "typ": "JWT"})
    embedded = _base64({"alg": "Ed25519", "typ": "at+jwt", "jwk": {"kty": "OKP", "crv": "Ed25519",
                        "x": _base64(b"\x01" * 32)}})  # fmt: skip
    return {
        "alg none": f"{none}.{payload}.",
        "alg none, signed": f"{none}.{payload}.{signature}",
        "alg HS256": f"{hs256}.{payload}.{signature}",
        "another typ": f"{jwt}.{payload}.{signature}",
        "key of its own": f"{embedded}.{payload}.{signature}",
        "another payload": f"{head}.{_base64({**said, 'role': 'owner', 'exp': 9e9})}.{signature}",
        "no signature": f"{head}.{payload}.",
        "half": good[: len(good) // 2],
        "one letter": f"{head}.{payload}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}",
        "another key": other_key,
        "expired": expired,
        "refresh token": tenant.owner.tokens["refresh_token"],
        "dots": "..",
        "four parts": good + ".x",
        "long": "a" * 7000,
        "not base64": "é.ü.ß",
        "payload no object": f"{head}.{_base64([])}.{signature}",
        "deep header": f"{_base64(b'[' * 3000)}.{payload}.{signature}",
    }


def test_a_token_that_is_not_ours_opens_nothing(
    tenant: TestTenant, installation: Installation
) -> None:
    for name, token in _forged(tenant, installation).items():
        headers = [(b"Authorization", b"Bearer " + token.encode())]
        answer = httpx.get(tenant.url + "/api/v1/me", headers=headers)
        assert answer.status_code == 401, name
        assert_problem(answer, 401)
        assert answer.headers["www-authenticate"].startswith("Bearer"), name


@pytest.mark.parametrize(
    "header", ["", "Bearer", "bearer x", "Basic YTpi", "Token x", "\xff", "null"]
)
def test_another_way_to_sign_in_is_refused(tenant: TestTenant, header: str) -> None:
    headers = {b"Authorization": header.encode("latin-1"), b"Insula-Tenant": tenant.slug.encode()}
    assert_problem(httpx.get(tenant.url + "/api/v1/me", headers=headers), 401)


def test_a_token_of_another_tenant_is_refused(tenant: TestTenant, acme: TestTenant) -> None:
    answer = acme.http.get("/api/v1/me", headers={"Insula-Tenant": tenant.slug})
    assert_problem(answer, 403, "wrong-tenant")
