"""Browsers on other origins may call with a bearer token (Fetch standard, CORS protocol)."""

import httpx
from fixtures.installation import Installation, TestTenant

ORIGIN = {"Origin": "https://app.example.com"}


def test_a_preflight_is_granted(installation: Installation) -> None:
    asked = {
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,if-match",
    }
    answer = httpx.options(f"{installation.url}/api/v1/me", headers=ORIGIN | asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "if-match", "idempotency-key", "content-type"} <= set(allowed)
    assert "voting-token" in allowed  # of polls
    assert "access-control-allow-credentials" not in answer.headers


def test_an_answer_and_a_problem_can_be_read(acme: TestTenant) -> None:
    for path, status in (("/api/v1/me", 200), ("/api/v1/nowhere", 404)):
        answer = acme.http.get(path, headers=ORIGIN)
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "ETag" in answer.headers["access-control-expose-headers"]


def test_without_an_origin_nothing_is_said(acme: TestTenant) -> None:
    assert "access-control-allow-origin" not in acme.http.get("/api/v1/me").headers
