"""Prometheus metrics of live channels."""

from prometheus_client import Counter, Gauge

CONNECTIONS = Gauge(
    "insula_live_connections", "Live connections", ("transport",), multiprocess_mode="livesum"
)
CHANNELS = Gauge("insula_live_channels", "Channels that are watched", multiprocess_mode="livesum")
HEARD = Counter(
    "insula_live_messages_total", "Messages heard, each however many clients it goes to"
)
SENT = Counter("insula_live_sent_total", "Messages sent to clients", ("transport",))
RESETS = Counter("insula_live_resets_total", "Channels whose log had lost what was not heard")
ENDED = Counter("insula_live_ended_total", "Connections that were ended from here", ("reason",))
