"""Days and times in English and as ISO 8601.

Each function looks at the words from an index on, and says how many of them it has understood and
what they mean, or None. ``now`` is local, without a zone.
"""

import re
from calendar import monthrange
from datetime import date, datetime, time, timedelta

from insula_tenants.tasks.quickadd.words import MONTHS, WEEKDAYS, day_of, number_of, word_at

Found = tuple[int, date] | None
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEAR = re.compile(r"20[0-9]{2}|21[0-9]{2}")
_CLOCK = re.compile(r"([0-9]{1,2})(?:[:.]([0-9]{2}))?(am|pm)?")
_TONIGHT = time(20)
_BEFORE_DAY = frozenset({"on", "by", "due", "this"})
_UNITS = {
    name: unit
    for unit in ("minute", "hour", "day", "week", "month", "year")
    for name in (unit, f"{unit}s")
} | {"min": "minute", "mins": "minute", "h": "hour"}


def find_day(words: list[str], index: int, now: datetime) -> Found:
    """``tomorrow``, ``on friday``, ``next week``, ``in 3 days``, ``1 may``, ``2026-05-01``."""
    skipped = 0
    while skipped < 2 and word_at(words, index + skipped) in _BEFORE_DAY:
        skipped += 1
    for rule in (_named, _weekday, _next, _ahead, _iso, _in_month):
        if found := rule(words, index + skipped, now.date()):
            return skipped + found[0], found[1]
    return None


def _named(words: list[str], index: int, today: date) -> Found:
    word = word_at(words, index)
    if word in ("today", "tod"):
        return 1, today
    if word in ("tomorrow", "tmr", "tmrw"):
        return 1, today + timedelta(days=1)
    if (word, word_at(words, index + 1), word_at(words, index + 2)) == ("day", "after", "tomorrow"):
        return 3, today + timedelta(days=2)
    return None


def _weekday(words: list[str], index: int, today: date) -> Found:
    """The coming one; never today."""
    weekday = WEEKDAYS.get(word_at(words, index))
    if weekday is None:
        return None
    return 1, today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)


def _next(words: list[str], index: int, today: date) -> Found:
    """The Monday of the next week, the first of the next month, a weekday of the next week."""
    if word_at(words, index) != "next":
        return None
    word = word_at(words, index + 1)
    monday = today + timedelta(days=7 - today.weekday())
    if word == "week":
        return 2, monday
    if word == "month":
        return 2, months_later(today.replace(day=1), 1)
    if word == "year":
        return 2, date(today.year + 1, 1, 1)
    if (weekday := WEEKDAYS.get(word)) is not None:
        return 2, monday + timedelta(days=weekday)
    return None


def _ahead(words: list[str], index: int, today: date) -> Found:
    number = number_of(word_at(words, index + 1))
    if word_at(words, index) != "in" or number is None:
        return None
    unit = _UNITS.get(word_at(words, index + 2))
    if unit in ("day", "week"):
        return 3, today + timedelta(days=number * (7 if unit == "week" else 1))
    if unit in ("month", "year") and number <= 120:
        return 3, months_later(today, number * (12 if unit == "year" else 1))
    return None


def _iso(words: list[str], index: int, today: date) -> Found:
    word = word_at(words, index)
    if not _ISO.fullmatch(word):
        return None
    try:
        return 1, date.fromisoformat(word)
    except ValueError:
        return None


def _in_month(words: list[str], index: int, today: date) -> Found:
    """``1 may``, ``1st of may``, ``may 1st``, ``may 1 2027``; without a year, the coming one."""
    found = month_and_day(words, index)
    if found is None:
        return None
    count, month, day = found
    if _YEAR.fullmatch(word_at(words, index + count)):
        year = int(word_at(words, index + count))
        return (count + 1, date(year, month, day)) if _exists(year, month, day) else None
    for year in range(today.year, today.year + 9):  # the 29th of February is seldom
        if _exists(year, month, day) and date(year, month, day) >= today:
            return count, date(year, month, day)
    return None


def month_and_day(words: list[str], index: int) -> tuple[int, int, int] | None:
    """How many words, the month and the day."""
    first, second = word_at(words, index), word_at(words, index + 1)
    if first in MONTHS and (day := day_of(second)) is not None:
        return 2, MONTHS[first], day
    if (day := day_of(first)) is not None:
        if second in MONTHS:
            return 2, MONTHS[second], day
        if second == "of" and word_at(words, index + 2) in MONTHS:
            return 3, MONTHS[word_at(words, index + 2)], day
    return None


def _exists(year: int, month: int, day: int) -> bool:
    return 1 <= day <= monthrange(year, month)[1]


def months_later(day: date, months: int) -> date:
    """The same day of a later month, or its last."""
    month = day.year * 12 + day.month - 1 + months
    year, month = divmod(month, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


# Times


def find_time(words: list[str], index: int) -> tuple[int, time] | None:
    """``9am``, ``9:30 pm``, ``14:00``, ``at 9``, ``noon``."""
    has_at = word_at(words, index) == "at"
    here = index + has_at
    word = word_at(words, here)
    if word in ("noon", "midnight"):
        return 1 + has_at, time(12 if word == "noon" else 0)
    match = _CLOCK.fullmatch(word)
    if match is None:
        return None
    hour, minute, half = int(match[1]), int(match[2] or 0), match[3]
    count = 1 + has_at
    if half is None and word_at(words, here + 1) in ("am", "pm"):
        half, count = word_at(words, here + 1), count + 1
    if half is None and not has_at and ":" not in word:
        return None
    found = _on_clock(hour, minute, half)
    return None if found is None else (count, found)


def _on_clock(hour: int, minute: int, half: str | None) -> time | None:
    if half is not None:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour, minute) if hour < 24 and minute < 60 else None


def find_moment(words: list[str], index: int, now: datetime) -> tuple[int, datetime] | None:
    """Day and time in one: ``in 2 hours``, ``tonight``."""
    if word_at(words, index) == "tonight":
        return 1, datetime.combine(now.date(), _TONIGHT)
    number = number_of(word_at(words, index + 1))
    unit = _UNITS.get(word_at(words, index + 2))
    if word_at(words, index) != "in" or number is None or unit not in ("minute", "hour"):
        return None
    moment = now + timedelta(minutes=number * (60 if unit == "hour" else 1))
    return 3, moment.replace(second=0, microsecond=0)
