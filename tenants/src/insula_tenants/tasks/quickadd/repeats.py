"""``every …``: what repeats, as a recurrence rule."""

from datetime import datetime

import msgspec

from insula_tenants.tasks.quickadd.dates import find_day, month_and_day
from insula_tenants.tasks.quickadd.words import (
    CODES,
    POSITIONS,
    WEEKDAYS,
    number_of,
    ordinal_of,
    word_at,
)

_UNITS = {
    "day": "DAILY",
    "days": "DAILY",
    "week": "WEEKLY",
    "weeks": "WEEKLY",
    "month": "MONTHLY",
    "months": "MONTHLY",
    "year": "YEARLY",
    "years": "YEARLY",
}
_GROUPS = {
    "weekday": "MO,TU,WE,TH,FR",
    "weekdays": "MO,TU,WE,TH,FR",
    "workday": "MO,TU,WE,TH,FR",
    "workdays": "MO,TU,WE,TH,FR",
    "weekend": "SA",
    "weekends": "SA",
}
Found = tuple[int, str] | None


class Repeat(msgspec.Struct, frozen=True):
    words: int
    rule: str
    from_completion: bool
    names_days: bool
    """Whether the rule says on which days; otherwise the due date does."""


def find_repeat(words: list[str], index: int, now: datetime) -> Repeat | None:
    """``every month``, ``every 2 weeks on mon and fri``, ``every! 3 days``, ``every last friday``,
    ``every 15th``, ``every day until 1 may``, ``every week 5 times``."""
    word = word_at(words, index)
    if word not in ("every", "every!"):
        return None
    for rule in (_group, _weekdays, _month_day, _position, _yearly, _interval):
        if found := rule(words, index + 1):
            count, text = found
            ending, end = _ending(words, index + 1 + count, now)
            return Repeat(1 + count + ending, text + end, word == "every!", "BY" in text)
    return None


def _group(words: list[str], index: int) -> Found:
    days = _GROUPS.get(word_at(words, index))
    return None if days is None else (1, f"FREQ=WEEKLY;BYDAY={days}")


def _weekdays(words: list[str], index: int) -> Found:
    """``mon``, ``mon, wed and fri``."""
    days: dict[int, None] = {}
    count = 0
    while (day := WEEKDAYS.get(word_at(words, index + count))) is not None:
        days[day] = None
        count += 1
        if (
            word_at(words, index + count) in ("and", "&")
            and WEEKDAYS.get(word_at(words, index + count + 1)) is not None
        ):
            count += 1
    if not days:
        return None
    return count, "FREQ=WEEKLY;BYDAY=" + ",".join(CODES[day] for day in sorted(days))


def _month_day(words: list[str], index: int) -> Found:
    """``15th``, ``last day``."""
    if month_and_day(words, index) is not None or word_at(words, index + 1) in WEEKDAYS:
        return None
    day, count = ordinal_of(word_at(words, index)), 1
    if word_at(words, index) == "last" and word_at(words, index + 1) == "day":
        day, count = -1, 2
    if day is None or not (day == -1 or 1 <= day <= 31):
        return None
    return count + _of_month(words, index + count), f"FREQ=MONTHLY;{on_month_day(day)}"


def on_month_day(day: int) -> str:
    """A day of every month: where it is missing, the last one before."""
    if day <= 28:
        return f"BYMONTHDAY={day}"
    return f"BYMONTHDAY={','.join(map(str, range(28, day + 1)))};BYSETPOS=-1"


def _position(words: list[str], index: int) -> Found:
    """``first monday``, ``last friday of the month``."""
    word = word_at(words, index)
    position = POSITIONS.get(word) or ordinal_of(word)
    weekday = WEEKDAYS.get(word_at(words, index + 1))
    if position is None or weekday is None or not -1 <= position <= 5:
        return None
    return 2 + _of_month(words, index + 2), f"FREQ=MONTHLY;BYDAY={position}{CODES[weekday]}"


def _of_month(words: list[str], index: int) -> int:
    following = [word_at(words, index + step) for step in range(3)]
    if following[:2] == ["of", "month"]:
        return 2
    return 3 if following in (["of", "the", "month"], ["of", "every", "month"]) else 0


def _yearly(words: list[str], index: int) -> Found:
    found = month_and_day(words, index)
    if found is None or not 1 <= found[2] <= 31:
        return None
    return found[0], f"FREQ=YEARLY;BYMONTH={found[1]};BYMONTHDAY={found[2]}"


def _interval(words: list[str], index: int) -> Found:
    """``day``, ``2 weeks``, ``other month``, ``2 weeks on monday``."""
    number = 2 if word_at(words, index) == "other" else number_of(word_at(words, index))
    count = 0 if number is None else 1
    frequency = _UNITS.get(word_at(words, index + count))
    if frequency is None or number == 0:
        return None
    text = f"FREQ={frequency}" + (f";INTERVAL={number}" if number not in (None, 1) else "")
    count += 1
    days = _weekdays(words, index + count + 1) if word_at(words, index + count) == "on" else None
    if frequency == "WEEKLY" and days is not None:
        return count + 1 + days[0], text + days[1].removeprefix("FREQ=WEEKLY")
    return count, text


def _ending(words: list[str], index: int, now: datetime) -> tuple[int, str]:
    """``until 1 may``, ``5 times``, ``for 5 times``."""
    is_until = word_at(words, index) in ("until", "till")
    if is_until and (found := find_day(words, index + 1, now)):
        return 1 + found[0], f";UNTIL={found[1]:%Y%m%d}"
    skipped = word_at(words, index) == "for"
    number = number_of(word_at(words, index + skipped))
    if number and word_at(words, index + skipped + 1) == "times":
        return 2 + skipped, f";COUNT={number}"
    return 0, ""
