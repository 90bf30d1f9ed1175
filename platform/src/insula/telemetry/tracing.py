"""W3C trace context, and spans where an OTLP endpoint is configured."""

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
)

from insula import __version__
from insula.settings import Settings
from insula.telemetry.context import traceparent

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


def read_traceparent(header: str) -> tuple[str, str, bool] | None:
    """Trace id, parent span id and whether the caller samples (W3C Trace Context, section 3.2)."""
    match = _TRACEPARENT.fullmatch(header)
    if match is None or int(match[1], 16) == 0 or int(match[2], 16) == 0:
        return None
    return match[1], match[2], bool(int(match[3], 16) & 1)


def new_trace_id() -> str:
    return f"{random.getrandbits(128) | 1:032x}"


def new_span_id() -> str:
    return f"{random.getrandbits(64) | 1:016x}"


class Tracing:
    """Makes server spans for sampled requests; costs nothing for the others."""

    def __init__(self, settings: Settings) -> None:
        self.ratio = settings.trace_ratio if settings.otlp_endpoint else 0.0
        self._tracer: Any = None
        self._provider: Any = None
        if settings.otlp_endpoint:
            self._start(settings.otlp_endpoint)

    def _start(self, endpoint: str) -> None:
        resource = Resource.create({"service.name": "insula", "service.version": __version__})
        self._provider = TracerProvider(resource=resource)
        exporter = OTLPSpanExporter(endpoint=endpoint.rstrip("/") + "/v1/traces")
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("insula")

    def samples(self, parent: tuple[str, str, bool] | None) -> bool:
        """The caller's decision if there is one, else ours."""
        if self._tracer is None:
            return False
        if parent is not None:
            return parent[2]
        return random.random() < self.ratio  # noqa: S311

    def start(self, name: str, parent: tuple[str, str, bool] | None) -> Any:
        """A server span; the caller ends it."""
        return self._start_below(name, parent, SpanKind.SERVER)

    def _start_below(self, name: str, parent: tuple[str, str, bool] | None, kind: SpanKind) -> Any:
        context = None
        if parent is not None:
            remote = SpanContext(
                int(parent[0], 16), int(parent[1], 16), is_remote=True, trace_flags=TraceFlags(1)
            )
            context = trace.set_span_in_context(NonRecordingSpan(remote))
        return self._tracer.start_span(name, context=context, kind=kind)

    @contextmanager
    def span(self, name: str, parent: str, kind: SpanKind, **attributes: Any) -> Iterator[None]:
        """A span below ``parent`` (a ``traceparent``) if that is sampled; what runs inside belongs
        to its trace either way."""
        read = read_traceparent(parent)
        span = None
        if read is not None and self.samples(read):
            span = self._start_below(name, read, kind)
            span.set_attributes(attributes)
            context = span.get_span_context()
            parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-01"
        token = traceparent.set(parent)
        try:
            yield
        except Exception as error:
            if span is not None:
                span.record_exception(error)
                span.set_status(StatusCode.ERROR)
            raise
        finally:
            traceparent.reset(token)
            if span is not None:
                span.end()

    def close(self) -> None:
        if self._provider is not None:
            self._provider.shutdown()
