"""When what failed is tried again, and when an endpoint is given up."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

PAUSES: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Between attempts, as the Standard Webhooks specification proposes: ten attempts in 76 hours."""

JITTER: Final = 0.2
"""A pause is up to this much longer, so that what failed together does not come back together."""

DISABLE_AFTER: Final = timedelta(days=5)
"""An endpoint at which every attempt has failed for so long is switched off."""

OVERLAP: Final = timedelta(hours=24)
"""After a rotation, both secrets sign for so long."""

_LONGEST_WAIT: Final = timedelta(hours=24)
_FAILING: Final = 5

Random = Callable[[], float]
"""0 to 1."""


def next_attempt(
    tries: int, now: datetime, retry_after: str = "", rand: Random = random.random
) -> datetime | None:
    """When to try again after ``tries`` failures; None: that was the last time. The receiver may
    ask for a longer pause (``Retry-After``), up to a day."""
    if tries > len(PAUSES):
        return None
    pause = PAUSES[tries - 1] * (1 + JITTER * rand())
    return now + max(pause, min(_wanted(retry_after, now), _LONGEST_WAIT))


def pause_of_endpoint(failures: int) -> timedelta | None:
    """How long an endpoint is left alone after so many failures in a row, whatever is waiting."""
    if not is_failing(failures):
        return None
    return timedelta(seconds=min(300, 2 << min(failures - _FAILING, 10)))


def is_failing(failures: int) -> bool:
    """An endpoint that fails all the time gets one request at a time, until one succeeds."""
    return failures >= _FAILING


def _wanted(retry_after: str, now: datetime) -> timedelta:
    """``Retry-After`` (RFC 9110, section 10.2.3): seconds or a date."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), 10**6))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return timedelta()
    return (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
