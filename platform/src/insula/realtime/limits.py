"""What a live connection may ask for, and why one is ended."""

from enum import IntEnum
from typing import Final

FRAME_LIMIT: Final = 16 << 10
"""Characters of a message from a client: room for an access token."""
QUEUE_MESSAGES: Final = 2000
QUEUE_SIZE: Final = 4 << 20
"""Messages, and characters of them, that wait for a client before it counts as too slow."""
CATCH_UP_SIZE: Final = 1 << 20
"""Characters of messages that somebody who comes back is served; beyond, it begins anew."""
STALL_SECONDS: Final = 30.0
"""How long one message may take to go out, and a slow client to read why it was dropped."""
SIGN_IN_SECONDS: Final = 15.0
"""How long a connection without tenant may take to authenticate."""
IDLE_SECONDS: Final = 120.0
"""How long a connection may watch nothing."""
PRESENT_LIMIT: Final = 200
"""Users of a channel that are named; of more, only the number is told."""


def expiry_milliseconds(recheck_seconds: float) -> str:
    """When a connection that is no longer renewed loses its place and its presence."""
    return str(int(3000 * recheck_seconds + 5000))


class Close(IntEnum):
    """WebSocket close codes (RFC 6455, section 7.4; 4000 and up are ours). SSE sends the same
    numbers in its last event."""

    NORMAL = 1000
    NOT_TEXT = 1003
    TOO_BIG = 1009
    INTERNAL = 1011
    RESTART = 1012
    TOO_SLOW = 4008
    NOT_JSON = 4400
    SIGN_IN = 4401
    FORBIDDEN = 4403
    IDLE = 4408
    TOO_MANY = 4429
