"""Prometheus metrics of the request path."""

from prometheus_client import Counter, Gauge, Histogram

_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)

REQUESTS = Histogram(
    "insula_http_request_seconds",
    "Time from the first byte read to the answer handed to the server",
    ("method", "route", "status"),
    buckets=_BUCKETS,
)
LIMITED = Counter("insula_http_limited_total", "Requests refused by a rate limit", ("policy",))
REDIS_DOWN = Counter("insula_redis_down_total", "Requests admitted without asking Redis")
SOCKETS = Gauge("insula_websockets", "WebSockets open now", multiprocess_mode="livesum")
HANDSHAKES = Counter(
    "insula_websocket_handshakes_total",
    "WebSockets by what became of their handshake (101: opened), counted when they end",
    ("route", "status"),
)
IN_FLIGHT = Gauge("insula_http_in_flight", "Requests being served", multiprocess_mode="livesum")

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_children: dict[tuple[str, str, int], Histogram] = {}


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request. Labels are bounded: ``route`` is a template, and a method that a client
    made up is ``other``. A new label costs a series for good."""
    if method not in _METHODS:
        method = "other"
    key = (method, route, status)
    child = _children.get(key)
    if child is None:
        child = _children[key] = REQUESTS.labels(method, route, str(status))
    child.observe(seconds)
