"""One trace leads from a request over the outbox, a job, and a webhook to its receiver."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fixtures.background import WorkerProcess
from fixtures.collector import Collector
from fixtures.installation import Installation, SignUp, WebServer
from fixtures.receiver import Receiver
from fixtures.waiting import eventually
from opentelemetry.proto.trace.v1.trace_pb2 import Span

pytestmark = pytest.mark.xdist_group("webhook-clock")  # there too, the usual worker is off

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"


@contextmanager
def traced(
    installation: Installation, worker: WorkerProcess, collector: Collector
) -> Iterator[str]:
    """Web and worker that export their spans; the URL."""
    environ = installation.environ | {
        "INSULA_OTLP_ENDPOINT": collector.url,
        "INSULA_METRICS_PORT": "0",
    }
    web = WebServer(environ, installation.home / "traced-web.log")
    tracing = WorkerProcess(environ, installation.home / "traced-worker.log")
    worker.stop()
    try:
        web.start()
        tracing.start()
        yield web.url
    finally:
        web.stop()
        tracing.stop()  # which exports what is left
        worker.start()


def ancestors(spans: dict[str, Span], span: Span) -> list[str]:
    """Names from a span upwards to the one that the caller began."""
    names = [span.name]
    while span.parent_span_id.hex() != CALLER:
        span = spans[span.parent_span_id.hex()]
        names.append(span.name)
    return names


def test_one_trace_from_the_request_to_the_receiver(
    installation: Installation,
    sign_up: SignUp,
    worker: WorkerProcess,
    collector: Collector,
    receiver: Receiver,
) -> None:
    acme = sign_up("blog")
    hook = {"url": receiver.url, "events": ["blog.article.published"]}
    assert acme.http.post("/api/v1/webhooks", json=hook).status_code == 201
    article = acme.http.post("/api/v1/blog/articles", json={"title": "Later"}).json()
    with traced(installation, worker, collector) as url:
        publish = httpx.post(
            f"{url}/api/v1/blog/articles/{article['id']}/publish",
            headers=dict(acme.http.headers) | {"traceparent": f"00-{TRACE}-{CALLER}-01"},
            json={"at": (datetime.now(UTC) + timedelta(seconds=1)).isoformat()},
            timeout=30,
        )
        assert publish.json()["status"] == "scheduled", publish.text
        (got,) = receiver.wait_for(1)
    version, trace_id, parent, flags = got.headers["traceparent"].split("-")
    assert (version, trace_id, flags) == ("00", TRACE, "01")
    spans = eventually(lambda: collector.of_trace(TRACE))
    assert ancestors(spans, spans[parent]) == [
        "webhook blog.article.published",
        "job blog.publish",
        "POST /api/v1/blog/articles/{article_id}/publish",
    ]
    kinds = {span.name: span.kind for span in spans.values()}
    assert kinds["webhook blog.article.published"] == Span.SPAN_KIND_CLIENT
    assert kinds["job blog.publish"] == Span.SPAN_KIND_CONSUMER
    assert "consume webhooks" in kinds
