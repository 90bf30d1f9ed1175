"""Whatever a client sends, the answer is a problem document of the right status, and it comes soon.

What httpx would mend or refuse to send goes over a bare socket.
"""

import base64
import json
import socket
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fixtures.installation import Installation, SignUp, TestTenant, WebServer
from insula.http.problem import KINDS
from insula.identity.tokens import AccessTokens

JSON = {"Content-Type": "application/json"}
SECONDS = 10


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("notes")


def assert_problem(answer: httpx.Response, status: int, slug: str = "") -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = dict(answer.json())
    assert document["status"] == status
    kind = document["type"].removeprefix("/docs/problems/")
    assert KINDS[kind].status == status
    assert not slug or kind == slug
    assert len(document["trace_id"]) == 32
    return document


def _post(tenant: TestTenant, body: bytes, path: str = "/api/v1/notes") -> httpx.Response:
    return tenant.http.post(path, content=body, headers=JSON)


# Bodies

_DEEP = 100_000
_BODIES = {
    "nothing": b"",
    "white space": b"  \n",
    "half": b'{"title": "a',
    "two": b'{"title": "a"}{"title": "b"}',
    "trailing comma": b'{"title": "a",}',
    "single quotes": b"{'title': 'a'}",
    "NaN": b'{"title": NaN}',
    "comment": b'{"title": "a" /* b */}',
    "byte order mark": b'\xef\xbb\xbf{"title": "a"}',
    "UTF-16": '{"title": "a"}'.encode("utf-16"),
    "bad UTF-8": b'{"title": "\xff\xfe"}',
    "overlong UTF-8": b'{"title": "\xc0\xaf"}',
    "surrogate in UTF-8": b'{"title": "\xed\xa0\x80"}',
    "lone surrogate": b'{"title": "\\ud800"}',
    "surrogates reversed": b'{"title": "\\udc00\\ud800"}',
    "raw NUL": b'{"title": "a\x00b"}',
    "NUL": b'{"title": "a\\u0000b"}',
    "NUL in a name": b'{"ti\\u0000tle": "a"}',
    "deep arrays": b"[" * _DEEP,
    "deep objects": b'{"a":' * _DEEP,
    "deep and closed": b'{"title":' + b"[" * _DEEP + b"]" * _DEEP + b"}",
    "array": b"[]",
    "string": b'"a"',
    "null": b"null",
    "number": b"1e999999",
    "long number": b'{"title": ' + b"9" * 200_000 + b"}",
    "huge exponent": b'{"title": 1e400}',
    "unknown field": b'{"title": "a", "is_admin": true}',
    "prototype": b'{"__proto__": {"a": 1}, "title": "a"}',
    "wrong type": b'{"title": {"$gt": ""}}',
    "blank": b'{"title": "   "}',
    "multipart": b"--x\r\n\r\n",
}


@pytest.mark.parametrize("name", _BODIES)
def test_a_body_that_makes_no_sense_is_refused(tenant: TestTenant, name: str) -> None:
    assert_problem(_post(tenant, _BODIES[name]), 400)


def test_of_duplicate_keys_one_is_taken_and_nothing_breaks(tenant: TestTenant) -> None:
    answer = _post(tenant, b'{"title": "first", "title": "second"}')
    assert answer.status_code == 201
    assert answer.json()["title"] == "second"


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/xml", "multipart/form-data; boundary=x", "application/jsonx", "",
     "application/x-www-form-urlencoded", "application/json/", "json", "*/*", "a" * 8000],
)  # fmt: skip
def test_another_media_type_is_refused(tenant: TestTenant, kind: str) -> None:
    headers = {"Content-Type": kind}
    answer = tenant.http.post("/api/v1/notes", content=b'{"title": "a"}', headers=headers)
    assert_problem(answer, 415, "unsupported-media-type")


def test_too_large_a_body_is_refused_whether_declared_or_sent(
    tenant: TestTenant, installation: Installation
) -> None:
    limit = installation.settings.body_limit
    head = _head("POST /api/v1/notes", tenant, f"Content-Length: {limit + 1}")
    assert_problem(_exchange(tenant, head), 413, "content-too-large")

    def chunks() -> Iterator[bytes]:
        for _ in range(limit // 65536 + 2):
            yield b" " * 65536

    answer = tenant.http.post("/api/v1/notes", content=chunks(), headers=JSON)
    assert_problem(answer, 413, "content-too-large")


# URLs


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=-1", "limit=101", "limit=1e2", "limit=abc", "limit=", "limit=٣",
     "limit=99999999999999999999", "limit=1&limit=2", "sort=body", "sort=--title", "sort=",
     "sort=title;drop table notes", "cursor=x", "cursor=gA", "cursor=%ff", "cursor=" + "A" * 5000,
     "nonsense=1", "title[regex]=.*", "title[]=x", "created_at=yesterday",
     "created_at[gte]=2026-01-01", "created_at[gte]=99999-01-01T00:00:00Z",
     "author_id=1", "fields=secret", "fields=id,__class__",
     "q=%00", "title=%00", "fields=%00"],
)  # fmt: skip
def test_a_list_refuses_a_query_that_it_does_not_know(tenant: TestTenant, query: str) -> None:
    assert_problem(tenant.http.get("/api/v1/notes?" + query), 400)


@pytest.mark.parametrize(
    "query",
    ["q=%22", "q=%27", "q=--", "q=" + "%28" * 400, "q=%25%25", "q=%5C", "q=%F0%9F%8C%B1", "q=",
     "q=a%26%7C%21%3A*", "q=" + "x" * 4000, "title=%27%20or%201%3D1", "q=%ff", "title=%ed%a0%80",
     "fields=", "&&&", "limit=1&&"],
)  # fmt: skip
def test_a_list_takes_odd_words_as_words(tenant: TestTenant, query: str) -> None:
    answer = tenant.http.get("/api/v1/notes?" + query)
    assert answer.status_code == 200, answer.text


_ID = "019aa000-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    "path",
    ["/nonsense", "/api", "/api/", "/api/v1", "/api/v2/notes", "/api/v1/nonsense",
     "/api/v1/notes/1", f"/api/v1/notes/{_ID}", f"/api/v1/notes/{_ID}x", "/api/v1/notes/%27",
     "/api/v1/notes/%2e%2e/users", "/api/v1/notes%2f" + _ID, "/api/v1/../../etc/passwd",
     "/api/v1/notes/..",
     "/api/v1/notes/%ff%fe",
     "/docs/../../etc/passwd", "/docs/%2e%2e%2fstyle.css", "/docs/problems/..%2f..",
     f"/api/v1/notes/{_ID}/revisions/1", "/" + "a" * 6000, "/api/v1/notes/" + "%41" * 2000],
)  # fmt: skip
def test_an_address_that_is_nobodys_is_not_found(tenant: TestTenant, path: str) -> None:
    assert_problem(_exchange(tenant, _head(f"GET {path}", tenant)), 404)


@pytest.mark.parametrize(
    "path", ["/api/v1/notes/%00", "/%00", "/api/v1/me?a=%00", "/docs/problems/%00", "/docs?%00"]
)
def test_nul_in_an_address_is_refused(tenant: TestTenant, path: str) -> None:
    assert_problem(tenant.http.get(path), 400, "bad-request")


@pytest.mark.parametrize("number", ["0", "99999999999", "-1", "9" * 5000])
def test_numbers_that_no_column_holds_find_nothing(tenant: TestTenant, number: str) -> None:
    note = tenant.http.post("/api/v1/notes", json={"title": "A"}).json()["id"]
    answer = tenant.http.get(f"/api/v1/notes/{note}/revisions/{number}")
    assert_problem(answer, answer.status_code)
    assert answer.status_code in (400, 404)


# Methods


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/v1/notes", "GET, HEAD, OPTIONS, POST"),
        ("POST", f"/api/v1/notes/{_ID}", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("PUT", "/api/v1/me", "GET, HEAD, OPTIONS"),
        ("GET", "/api/v1/sessions", "OPTIONS, POST"),
        ("BREW", "/api/v1/me", "GET, HEAD, OPTIONS"),
        ("TRACE", "/api/v1/me", "GET, HEAD, OPTIONS"),
        ("get", "/api/v1/me", "GET, HEAD, OPTIONS"),
        ("POST", "/health/live", "GET, HEAD, OPTIONS"),
    ],
)
def test_another_method_is_told_which_there_are(
    tenant: TestTenant, method: str, path: str, allowed: str
) -> None:
    answer = _exchange(tenant, _head(f"{method} {path}", tenant))
    assert_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == allowed


def test_head_is_get_without_the_content(tenant: TestTenant) -> None:
    read, head = tenant.http.get("/api/v1/me"), tenant.http.head("/api/v1/me")
    assert head.status_code == 200
    assert head.content == b""
    for name in ("content-length", "content-type", "etag"):
        assert head.headers[name] == read.headers[name]
    lost = tenant.http.head(f"/api/v1/notes/{_ID}")
    assert lost.status_code == 404
    assert lost.content == b""


def test_options_names_the_methods_and_preflight_what_may_be_sent(tenant: TestTenant) -> None:
    answer = tenant.anonymous().options("/api/v1/notes")
    assert answer.status_code == 204
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    asked = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    answer = tenant.anonymous().options("/api/v1/notes", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "authorization" in answer.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("path", ["/api/v1/me/", "//api/v1/me", "/api//v1/me", "/%2fapi/v1/me//"])
def test_further_slashes_change_nothing(tenant: TestTenant, path: str) -> None:
    answer = _exchange(tenant, _head(f"GET {path}", tenant))
    assert answer.status_code == 200
    assert answer.headers["ratelimit"]
    assert answer.json() == tenant.http.get("/api/v1/me").json()


@pytest.mark.parametrize("path", ["/api/v1/tenants/", "//api/v1/tenants", "/%2fapi/v1/tenants"])
def test_nothing_leads_round_the_limit_on_sign_ups(tenant: TestTenant, path: str) -> None:
    """Neither another spelling of the path nor a token."""
    anonymous = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    for head in (anonymous, _head(f"POST {path}", tenant, "Content-Length: 0")):
        answer = _exchange(tenant, head)
        assert_problem(answer, 400)
        assert answer.headers["ratelimit-policy"].startswith('"sign-up"')


# Headers


@pytest.mark.parametrize("name", ["If-Match", "Idempotency-Key", "Insula-Tenant", "Host",
                                  "traceparent", "Accept", "Accept-Language", "X-Forwarded-For",
                                  "If-None-Match", "Range", "Cookie", "User-Agent"])  # fmt: skip
@pytest.mark.parametrize("value", ["", "\xff\xfe", "a" * 9000, "'\"><", "*", ",,,;;=", "\t", "🌱"])
def test_an_absurd_header_is_never_our_fault(tenant: TestTenant, name: str, value: str) -> None:
    head = _head("POST /api/v1/notes", tenant, "Content-Type: application/json",
                 "Content-Length: 13").encode()  # fmt: skip
    if name == "Host":
        head = head.replace(b"Host: insula.example\r\n", b"")
    head = head[:-2] + f"{name}: ".encode() + value.encode("utf-8") + b"\r\n\r\n"
    answer = _exchange(tenant, head + b'{"title":"A"}')
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
    head = _head("POST /api/v1/notes", tenant, "Content-Type: application/json",
                 f"Content-Length: {length}")  # fmt: skip
    answer = _exchange(tenant, head + "{}")
    assert answer.status_code in (400, 413)


def test_length_and_chunks_together_do_not_smuggle_a_second_request(tenant: TestTenant) -> None:
    head = _head("POST /api/v1/notes", tenant, "Content-Type: application/json",
                 "Content-Length: 4", "Transfer-Encoding: chunked")  # fmt: skip
    smuggled = _head("POST /api/v1/notes", tenant, "Content-Length: 0")
    raw = _send(tenant, (head + "0\r\n\r\n" + smuggled).encode())
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
    user = {"user_id": UUID(said["sub"]), "tenant_id": UUID(said["tid"]), "session_id": uuid4()}
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


# Bare sockets


def _head(line: str, tenant: TestTenant, *headers: str) -> str:
    lines = [f"{line} HTTP/1.1", "Host: insula.example", "Connection: close",
             f"Authorization: {tenant.http.headers['authorization']}", *headers]  # fmt: skip
    return "\r\n".join(lines) + "\r\n\r\n"


def _exchange(tenant: TestTenant, request: str | bytes) -> httpx.Response:
    """The answer to the bytes of one request."""
    raw = _send(tenant, request.encode() if isinstance(request, str) else request)
    head, _, content = raw.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    pairs = [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    return httpx.Response(int(status.split()[1]), headers=pairs, content=content)


def _send(tenant: TestTenant, request: bytes) -> bytes:
    url = httpx.URL(tenant.url)
    with socket.create_connection((url.host, url.port or 80), timeout=SECONDS) as connection:
        connection.sendall(request)
        started, parts = time.monotonic(), []
        while part := connection.recv(65536):
            parts.append(part)
            assert time.monotonic() - started < SECONDS
    return b"".join(parts)
