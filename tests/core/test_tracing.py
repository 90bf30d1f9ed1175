"""Requests are traced where an OTLP endpoint is configured, as part of the caller's trace."""

import httpx
import pytest
from fixtures.collector import Collector
from fixtures.installation import Installation, TestTenant, WebServer
from fixtures.waiting import eventually

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


def test_a_sampled_request_becomes_a_span_of_its_callers_trace(
    installation: Installation, acme: TestTenant, collector: Collector
) -> None:
    environ = installation.environ | {
        "INSULA_OTLP_ENDPOINT": collector.url,
        "INSULA_METRICS_PORT": "0",
    }
    server = WebServer(environ, installation.home / "traced.log")
    server.start()
    try:
        for flags in ("01", "00"):
            headers = {"traceparent": f"00-{TRACE}-{PARENT}-{flags}"} | dict(acme.http.headers)
            answer = httpx.get(f"{server.url}/api/v1/me", headers=headers)
            assert answer.headers["insula-trace-id"] == TRACE
    finally:
        server.stop()  # flushes
    traced = list(eventually(lambda: collector.of_trace(TRACE)).values())
    assert len(traced) == 1  # the second was not sampled by its caller
    assert traced[0].parent_span_id.hex() == PARENT
    assert traced[0].name == "GET /api/v1/me"
    attributes = {item.key: item.value for item in traced[0].attributes}
    assert attributes["insula.tenant"].string_value == acme.slug
    assert attributes["http.response.status_code"].int_value == 200


def test_a_problem_names_its_trace(acme: TestTenant) -> None:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
    answer = acme.http.get("/api/v1/nowhere", headers=headers)
    assert answer.json()["trace_id"] == TRACE


@pytest.mark.parametrize("header", ["", "00-zz", f"00-{'0' * 32}-{PARENT}-01", "x" * 5000])
def test_a_trace_context_that_is_none_starts_a_trace_of_its_own(
    acme: TestTenant, header: str
) -> None:
    answer = acme.http.get("/api/v1/me", headers={"traceparent": header})
    assert answer.status_code == 200
    assert len(answer.headers["insula-trace-id"]) == 32
