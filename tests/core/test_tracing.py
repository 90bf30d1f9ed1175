"""Requests are traced where an OTLP endpoint is configured, as part of the caller's trace."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from fixtures.installation import Installation, TestTenant, WebServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


class Receiver(BaseHTTPRequestHandler):
    """An OTLP/HTTP collector that keeps what it is sent."""

    spans: list[Span]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def collector() -> Iterator[tuple[str, list[Span]]]:
    spans: list[Span] = []
    handler = type("Handler", (Receiver,), {"spans": spans})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", spans
    server.shutdown()
    server.server_close()


def test_a_sampled_request_becomes_a_span_of_its_callers_trace(
    installation: Installation, acme: TestTenant, collector: tuple[str, list[Span]]
) -> None:
    endpoint, spans = collector
    environ = installation.environ | {"INSULA_OTLP_ENDPOINT": endpoint, "INSULA_METRICS_PORT": "0"}
    server = WebServer(environ, installation.home / "traced.log")
    server.start()
    try:
        for flags in ("01", "00"):
            headers = {"traceparent": f"00-{TRACE}-{PARENT}-{flags}"} | dict(acme.http.headers)
            answer = httpx.get(f"{server.url}/api/v1/me", headers=headers)
            assert answer.headers["insula-trace-id"] == TRACE
    finally:
        server.stop()  # flushes
    deadline = time.monotonic() + 10
    while not spans and time.monotonic() < deadline:
        time.sleep(0.05)
    traced = [span for span in spans if span.trace_id.hex() == TRACE]
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
