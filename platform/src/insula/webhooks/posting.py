"""One request to an endpoint."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import msgspec
from opentelemetry.trace import SpanKind

from insula.egress import Answer, Egress, EgressError, Limits
from insula.events.cloudevents import MEDIA_TYPE
from insula.telemetry.context import traceparent
from insula.telemetry.tracing import Tracing
from insula.webhooks import signing
from insula.webhooks.sending import Endpoint, Waiting
from insula.webhooks.signing import Secrets

Clock = Callable[[], datetime]

LIMITS: Final = Limits(connect=5, read=15, total=15, max_bytes=8192, truncate=True)
"""As long as Standard Webhooks recommends to wait; who answers later should answer first and work
afterwards."""
_EXCERPT: Final = 2000
_MAX_HEADERS: Final = 30


class Attempted(msgspec.Struct, frozen=True):
    """What came of one request."""

    delivery: Waiting
    started_at: datetime
    duration_ms: int
    request_headers: dict[str, str]
    status: int | None
    response_headers: dict[str, str] | None = None
    response_body: str | None = None
    error: str | None = None
    retry_after: str = ""

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        return self.status == 410


class Poster:
    """Signs and sends."""

    def __init__(self, egress: Egress, secrets: Secrets, tracing: Tracing, clock: Clock) -> None:
        self._egress = egress
        self._secrets = secrets
        self._tracing = tracing
        self._clock = clock

    def keys(self, endpoint: Endpoint) -> list[bytes]:
        """The secrets that sign at the moment, the newest first."""
        keys = [self._secrets.unseal(endpoint.id, endpoint.secret)]
        until = endpoint.previous_until
        if endpoint.previous_secret and until is not None and self._clock() < until:
            keys.append(self._secrets.unseal(endpoint.id, endpoint.previous_secret))
        return keys

    async def post(self, endpoint: Endpoint, keys: list[bytes], delivery: Waiting) -> Attempted:
        """Never fails: what goes wrong is what came of it."""
        name = f"webhook {delivery.event_type}"
        with self._tracing.span(name, delivery.traceparent, SpanKind.CLIENT):
            now, body = self._clock(), delivery.body.encode()
            headers = {"content-type": MEDIA_TYPE}
            headers |= signing.headers(str(delivery.event_id), now, body, keys)
            if parent := traceparent.get():
                headers["traceparent"] = parent
            began = time.perf_counter()
            try:
                answer: Answer | None = await self._egress.request(
                    "POST", endpoint.url, headers=headers, body=body, limits=LIMITS
                )
                error = None
            except EgressError as failure:
                answer, error = None, str(failure)
            took = round((time.perf_counter() - began) * 1000)
        if answer is None:
            return Attempted(delivery, now, took, headers, None, error=error)
        return Attempted(
            delivery,
            now,
            took,
            headers,
            answer.status,
            _excerpt(answer.headers),
            answer.body.decode("utf-8", "replace")[:_EXCERPT].replace("\0", "\ufffd"),
            retry_after=answer.headers.get("retry-after", ""),
        )


def _excerpt(headers: Mapping[str, str]) -> dict[str, str]:
    """Header names and values as they can be stored: receivers send what they like."""
    some = list(headers.items())[:_MAX_HEADERS]
    return {name.lower()[:100]: _storable(value)[:500] for name, value in some}


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
