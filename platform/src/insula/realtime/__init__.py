"""Live channels: numbered messages to whoever is watching, over WebSocket and SSE."""

from insula.realtime.types import Channel

__all__ = ["Channel"]
