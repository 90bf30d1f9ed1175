"""Live channels: numbered messages to whoever is watching, over WebSocket and SSE.

A module declares its channels in ``Module(channels=…)`` and names them when it emits an event; what
is no event goes out by ``services["realtime"].publish(…)``. How clients speak is in
docs/guides/realtime.md.
"""

from insula.realtime.types import Channel

__all__ = ["Channel"]
