"""The trace that the present request or job belongs to, for whatever it hands over."""

from contextvars import ContextVar

traceparent: ContextVar[str] = ContextVar("traceparent", default="")
"""W3C ``traceparent``; empty outside of a request or job."""
