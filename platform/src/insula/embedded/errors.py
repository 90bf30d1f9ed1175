"""What can go wrong with an embedded server, in words for the person at the terminal."""


class ServerFailed(Exception):
    """A server did not start or stop; the message carries the end of its log."""
