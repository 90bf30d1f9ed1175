"""How long before a task is due a reminder comes: durations as RFC 5545 reads them."""

import re
from datetime import date, datetime, time, timedelta

from insula_tenants.tasks.clock import MORNING, instant

_DURATION = re.compile(
    r"P(?:([0-9]{1,2})W)?(?:([0-9]{1,3})D)?"
    r"(?:T(?=[0-9])(?:([0-9]{1,4})H)?(?:([0-9]{1,5})M)?(?:([0-9]{1,5})S)?)?"
)


class DurationRefused(ValueError):
    """Not a duration such as ``P1DT30M``."""


def parse(text: str) -> tuple[int, timedelta]:
    """Days on the calendar, and an exact time (RFC 5545, section 3.3.6).

    Raises:
        DurationRefused: it is none.
    """
    match = _DURATION.fullmatch(text)
    if match is None or text in ("P", "PT"):
        raise DurationRefused("must be a duration such as PT30M, P1D or P1DT2H")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return weeks * 7 + days, timedelta(hours=hours, minutes=minutes, seconds=seconds)


def before(duration: str, day: date, at: time | None, zone: str) -> datetime:
    """The instant so long before a day and time of the zone. The day before at nine is nine
    o'clock, however many hours that night had."""
    days, exact = parse(duration)
    return instant(day - timedelta(days=days), at or MORNING, zone) - exact
