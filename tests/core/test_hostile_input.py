"""Whatever a client sends, the answer is a problem document of the right status, and it comes soon.

Bodies, addresses and methods; test_hostile_headers.py has the rest.
"""

from collections.abc import Iterator

import httpx
import pytest
from fixtures.installation import Installation, SignUp, TestTenant
from fixtures.raw_http import assert_problem, exchange, head_of

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("notes")


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
    head = head_of("POST /api/v1/notes", tenant, f"Content-Length: {limit + 1}")
    assert_problem(exchange(tenant, head), 413, "content-too-large")

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
    assert_problem(exchange(tenant, head_of(f"GET {path}", tenant)), 404)


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
        ("PUT", "/api/v1/me", "GET, HEAD, OPTIONS, PATCH"),
        ("GET", "/api/v1/sessions", "OPTIONS, POST"),
        ("BREW", "/api/v1/me", "GET, HEAD, OPTIONS, PATCH"),
        ("TRACE", "/api/v1/me", "GET, HEAD, OPTIONS, PATCH"),
        ("get", "/api/v1/me", "GET, HEAD, OPTIONS, PATCH"),
        ("POST", "/health/live", "GET, HEAD, OPTIONS"),
    ],
)
def test_another_method_is_told_which_there_are(
    tenant: TestTenant, method: str, path: str, allowed: str
) -> None:
    answer = exchange(tenant, head_of(f"{method} {path}", tenant))
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
    answer = exchange(tenant, head_of(f"GET {path}", tenant))
    assert answer.status_code == 200
    assert answer.headers["ratelimit"]
    assert answer.json() == tenant.http.get("/api/v1/me").json()


@pytest.mark.parametrize("path", ["/api/v1/tenants/", "//api/v1/tenants", "/%2fapi/v1/tenants"])
def test_nothing_leads_round_the_limit_on_sign_ups(tenant: TestTenant, path: str) -> None:
    """Neither another spelling of the path nor a token."""
    anonymous = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    for head in (anonymous, head_of(f"POST {path}", tenant, "Content-Length: 0")):
        answer = exchange(tenant, head)
        assert_problem(answer, 400)
        assert answer.headers["ratelimit-policy"].startswith('"sign-up"')
