"""Days and times of a place, and the instants that they are."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2200, 12, 31)
"""Between these lies whatever a task may have to do with."""
MORNING = time(9)
"""From when on a whole day's reminders count back."""


class ZoneUnknown(ValueError):
    """No zone of the IANA database."""


@cache
def zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def zone_of(name: str) -> ZoneInfo:
    """The zone ``Europe/Berlin``.

    Raises:
        ZoneUnknown: there is none of this name (which is never looked up as a file).
    """
    if name not in zone_names():
        raise ZoneUnknown(f"{name[:60]!r} is no time zone; write one such as Europe/Berlin")
    return ZoneInfo(name)


def instant(day: date, at: time, zone: str) -> datetime:
    """When clocks of the zone show this. A time that summer time skips is read with the offset
    before (2:30 is 3:30), one that comes twice is its first coming (RFC 5545, section 3.3.5)."""
    return datetime.combine(day, at, zone_of(zone)).astimezone(UTC)


def end_of(day: date, at: time | None, zone: str) -> datetime:
    """By when something due then is due: its time, or the midnight at which its day ends."""
    if at is None:
        return instant(day + timedelta(days=1), time(), zone)
    return instant(day, at, zone)


def start_of(day: date, at: time | None, zone: str) -> datetime:
    return instant(day, at or time(), zone)


def local(moment: datetime, zone: str) -> datetime:
    """The moment as clocks of the zone show it, without its zone."""
    return moment.astimezone(zone_of(zone)).replace(tzinfo=None)


def now() -> datetime:
    return datetime.now(UTC)
