"""What can go wrong with live channels."""

from insula.http.problem import Problem


class NoSuchChannel(Problem):
    """No channel of this name exists, or its module is unknown; names look like ``notes/<id>``."""

    status, slug, title = 404, "no-such-channel", "There is no such channel"


class TooManyConnections(Problem):
    """A user, and a tenant, may have only so many live connections open: close some first."""

    status, slug, title = 429, "too-many-connections", "Too many live connections"


class TooManyChannels(Problem):
    """A connection carries only so many channels: unsubscribe from some, or open another."""

    status, slug, title = 400, "too-many-channels", "Too many channels on one connection"


class UnknownCommand(Problem):
    """Send ``{"subscribe": …}``, ``{"unsubscribe": …}``, ``{"authenticate": …}`` or
    ``{"ping": …}``, one in a message."""

    status, slug, title = 400, "unknown-command", "This message is no command"
