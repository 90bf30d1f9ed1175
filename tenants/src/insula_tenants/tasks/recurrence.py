"""When a task comes again: recurrence rules of RFC 5545, as far as tasks need them.

A task comes at most once a day, so rules are worked out on dates; its time of day is put back
afterwards, on the clock of the task's own zone. Nine o'clock stays nine o'clock over a change to
summer time (the bug that Taskwarrior, Tasks.org and Obsidian Tasks all had).
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from functools import lru_cache
from itertools import chain, islice

import msgspec
from dateutil.rrule import rrulestr

from insula_tenants.tasks.clock import zone_of

RULE_LIMIT = 500
_CYCLE = 400
"""Years after which the Gregorian calendar repeats itself, weekdays and all."""
_SOME_DAY = date(1999, 1, 1)
"""One that leaves a single cycle to be searched."""
_DAYS = "MO|TU|WE|TH|FR|SA|SU"
_WEEKDAY = re.compile(rf"([+-]?[1-9][0-9]?)?({_DAYS})")
_NUMBER = re.compile(r"[+-]?[0-9]{1,4}")
_UNTIL = re.compile(r"([0-9]{8})(?:T([0-9]{6})(Z?))?")
_BOUNDS = {
    "INTERVAL": (1, 999),
    "COUNT": (1, 9999),
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (1, 31),
    "BYYEARDAY": (1, 366),
    "BYWEEKNO": (1, 53),
    "BYSETPOS": (1, 366),
}
_SIGNED = ("BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS")
_ORDER = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "BYMONTH", "BYWEEKNO", "BYYEARDAY", "BYMONTHDAY",
          "BYDAY", "BYSETPOS", "WKST")  # fmt: skip
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_NEVER_WITH = {
    "BYMONTHDAY": ("WEEKLY",),
    "BYYEARDAY": ("DAILY", "WEEKLY", "MONTHLY"),
    "BYWEEKNO": ("DAILY", "WEEKLY", "MONTHLY"),
}
"""RFC 5545, section 3.3.10."""


class RuleRefused(ValueError):
    """Not a rule that a task can follow; the message says why."""


class Rule(msgspec.Struct, frozen=True):
    """A rule that has been checked. ``text`` is its canonical form."""

    text: str
    endless: str
    """The same without COUNT and UNTIL: those are counted and compared by us."""
    count: int | None
    until: str

    def ends_before(self, day: date, at: time | None, zone: str) -> bool:
        """Whether UNTIL lies before the occurrence of this day."""
        match = _UNTIL.fullmatch(self.until)
        if match is None:
            return False
        last = datetime.strptime(match[1] + (match[2] or "235959"), "%Y%m%d%H%M%S")
        if match[3]:
            last = last.replace(tzinfo=UTC).astimezone(zone_of(zone)).replace(tzinfo=None)
        return day > last.date() if at is None else datetime.combine(day, at) > last


@lru_cache(1024)
def parse(text: str) -> Rule:
    """Read ``FREQ=…;…``, with or without ``RRULE:`` in front.

    Raises:
        RuleRefused: the rule is malformed, finer than a day, or never comes true.
    """
    parts = _split(text)
    for name, value in parts.items():
        _check_part(name, value)
    _check_together(parts)
    endless = _joined({k: v for k, v in parts.items() if k not in ("COUNT", "UNTIL")})
    count = int(parts["COUNT"]) if "COUNT" in parts else None
    rule = Rule(_joined(parts), endless, count, parts.get("UNTIL", ""))
    _check_possible(rule, parts)
    return rule


def _split(text: str) -> dict[str, str]:
    if len(text) > RULE_LIMIT:
        raise RuleRefused(f"is longer than {RULE_LIMIT} characters")
    parts: dict[str, str] = {}
    for part in text.strip().upper().removeprefix("RRULE:").rstrip(";").split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise RuleRefused(f"{part[:40]!r} is not NAME=VALUE")
        if name not in _ORDER:
            raise RuleRefused(f"{name[:40]} is not supported; there are {', '.join(_ORDER)}")
        if name in parts:
            raise RuleRefused(f"{name} is given twice")
        parts[name] = value
    return parts


def _joined(parts: dict[str, str]) -> str:
    return ";".join(f"{name}={parts[name]}" for name in _ORDER if name in parts)


def _check_part(name: str, value: str) -> None:
    if name == "FREQ":
        if value not in _FREQUENCIES:
            raise RuleRefused(f"FREQ must be one of {', '.join(_FREQUENCIES)}")
    elif name == "WKST":
        if value not in _DAYS.split("|"):
            raise RuleRefused("WKST must be a weekday such as MO")
    elif name == "BYDAY":
        if not all(_WEEKDAY.fullmatch(day) for day in value.split(",")):
            raise RuleRefused("BYDAY must be weekdays such as MO or -1FR")
    elif name == "UNTIL":
        _check_until(value)
    else:
        _check_numbers(name, value)


def _check_until(value: str) -> None:
    match = _UNTIL.fullmatch(value)
    try:
        if match is None:
            raise ValueError
        datetime.strptime(match[1] + (match[2] or "000000"), "%Y%m%d%H%M%S")
    except ValueError:
        raise RuleRefused("UNTIL must be 20261231 or 20261231T220000Z") from None


def _check_numbers(name: str, value: str) -> None:
    low, high = _BOUNDS[name]
    numbers = value.split(",") if name.startswith("BY") else [value]
    for number in numbers:
        if not _NUMBER.fullmatch(number):
            raise RuleRefused(f"{name} must be a number")
        size = abs(int(number)) if name in _SIGNED else int(number)
        if not low <= size <= high:
            raise RuleRefused(f"{name} must be from {low} to {high}")


def _check_together(parts: dict[str, str]) -> None:
    frequency = parts.get("FREQ")
    if frequency is None:
        raise RuleRefused("FREQ is missing")
    if "COUNT" in parts and "UNTIL" in parts:
        raise RuleRefused("COUNT and UNTIL exclude each other")
    for name, frequencies in _NEVER_WITH.items():
        if name in parts and frequency in frequencies:
            raise RuleRefused(f"{name} does not go with FREQ={frequency}")
    numbered = any(day[0] in "+-123456789" for day in parts.get("BYDAY", "MO").split(","))
    if numbered and (frequency not in ("MONTHLY", "YEARLY") or "BYWEEKNO" in parts):
        raise RuleRefused("a numbered weekday in BYDAY needs FREQ=MONTHLY or YEARLY")
    others = [name for name in parts if name.startswith("BY") and name != "BYSETPOS"]
    if "BYSETPOS" in parts and not others:
        raise RuleRefused("BYSETPOS needs another BY… to choose from")


def _check_possible(rule: Rule, parts: dict[str, str]) -> None:
    """One cycle of the calendar holds every day that there is."""
    if not any(name.startswith("BY") for name in parts):
        return
    plain = _joined({k: v for k, v in parts.items() if k not in ("INTERVAL", "COUNT", "UNTIL")})
    days = occurrences(msgspec.structs.replace(rule, endless=plain), _SOME_DAY, _SOME_DAY)
    if next(days, None) is None:
        raise RuleRefused("never comes true")


def occurrences(rule: Rule, anchor: date, after: date) -> Iterator[date]:
    """The days of the rule behind ``after``, counted from ``anchor``; COUNT and UNTIL not heeded.

    dateutil goes on to the year 9999 in search of a 30th of February. So the dates are moved by
    whole cycles of the calendar towards its end, where 400 to 800 years are left to be searched.
    """
    shift = ((9999 - max(anchor.year, after.year)) // _CYCLE - 1) * _CYCLE
    start = datetime.combine(_moved(anchor, shift), time())
    days = rrulestr(rule.endless, dtstart=start).xafter(
        datetime.combine(_moved(after, shift), time())
    )
    return (_moved(day.date(), -shift) for day in days)


def _moved(day: date, years: int) -> date:
    return day.replace(year=day.year + years)


def series(rule: Rule, start: date, at: time | None, zone: str) -> Iterator[date]:
    """The days of a task that starts at ``start``, COUNT and UNTIL heeded. The first day is always
    one of them (RFC 5545, section 3.8.5.3)."""
    for day in islice(chain([start], occurrences(rule, start, start)), rule.count):
        if rule.ends_before(day, at, zone):
            return
        yield day
