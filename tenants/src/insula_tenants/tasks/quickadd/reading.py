"""A sentence, read word by word."""

import re
from datetime import date, datetime, time, timedelta

import msgspec

from insula_tenants.tasks.quickadd.dates import find_day, find_moment, find_time
from insula_tenants.tasks.quickadd.repeats import Repeat, find_repeat, on_month_day
from insula_tenants.tasks.recurrence import RuleRefused, occurrences, parse
from insula_tenants.tasks.schemas.fields import LABEL_LIMIT, Clock

_TOKEN = re.compile(r'"([^"]*)"|(\S+)')
_MARK = re.compile(rf"([#+@])([^\s#@+!,]{{1,{LABEL_LIMIT}}})")
_INTERVAL = re.compile(r";INTERVAL=[0-9]+")
_PRIORITY = re.compile(r"!([1-4])")


class Reading(msgspec.Struct):
    """What a sentence says."""

    title: str
    due_date: date | None = None
    due_time: Clock | None = None
    labels: list[str] = msgspec.field(default_factory=list)
    project: str | None = None
    people: list[str] = msgspec.field(default_factory=list)
    priority: int = 4
    repeat: str = ""
    repeat_from: str = "due"


class _Word(msgspec.Struct):
    text: str
    lower: str
    """Empty for what was quoted: no rule reads it."""


def read(text: str, now: datetime) -> Reading:
    """Read a sentence at a local time. Of two dates, times or priorities, the first counts; the
    other stays in the title."""
    words = [
        _Word(quoted, "") if plain == "" else _Word(plain.removeprefix("\\"), _lower(plain))
        for quoted, plain in _TOKEN.findall(text)
    ]
    lower = [word.lower for word in words]
    found = _Reader(lower, now)
    title = []
    index = 0
    while index < len(words):
        if count := found.take(words[index].text, index):
            index += count
        else:
            title.append(words[index].text)
            index += 1
    return found.result(" ".join(part for part in title if part) or text.strip())


def _lower(word: str) -> str:
    return "" if word.startswith("\\") else word.lower()


class _Reader:
    """What has been understood so far."""

    def __init__(self, words: list[str], now: datetime) -> None:
        self._words = words
        self._now = now
        self._day: date | None = None
        self._time: time | None = None
        self._repeat: Repeat | None = None
        self._reading = Reading("")

    def take(self, text: str, index: int) -> int:
        """How many words from ``index`` on mean something; 0 if the first is part of the title."""
        if not self._words[index]:
            return 0
        return self._mark(text) or self._repeats(index) or self._moment(index) or self._when(index)

    def _mark(self, text: str) -> int:
        reading = self._reading
        if match := _PRIORITY.fullmatch(text):
            if reading.priority != 4:
                return 0
            reading.priority = int(match[1])
            return 1
        match = _MARK.fullmatch(text.rstrip(",.;"))
        if match is None or not any(letter.isalpha() for letter in match[2]):
            return 0
        sign, name = match.groups()
        if sign == "+":
            if reading.project is not None:
                return 0
            reading.project = name
        else:
            names = reading.labels if sign == "#" else reading.people
            if name not in names:
                names.append(name)
        return 1

    def _repeats(self, index: int) -> int:
        if self._repeat is not None:
            return 0
        found = find_repeat(self._words, index, self._now)
        if found is None:
            return 0
        try:
            parse(found.rule)
        except RuleRefused:
            return 0
        self._repeat = found
        return found.words

    def _moment(self, index: int) -> int:
        if self._day is not None or self._time is not None:
            return 0
        found = find_moment(self._words, index, self._now)
        if found is None:
            return 0
        self._day, self._time = found[1].date(), found[1].time()
        return found[0]

    def _when(self, index: int) -> int:
        if self._time is None and (at := find_time(self._words, index)):
            self._time = at[1]
            return at[0]
        if self._day is None and (day := find_day(self._words, index, self._now)):
            self._day = day[1]
            return day[0]
        return 0

    def result(self, title: str) -> Reading:
        reading = self._reading
        reading.title = title
        reading.due_time = self._time
        reading.due_date = self._day if self._day is not None else self._first_day()
        if self._repeat is not None:
            reading.repeat = parse(self._rule(self._repeat, reading.due_date)).text
            reading.repeat_from = "completion" if self._repeat.from_completion else "due"
        return reading

    def _first_day(self) -> date | None:
        """The day of a time alone, or when what repeats begins: today, if that is ahead."""
        if self._time is None and self._repeat is None:
            return None
        today = self._now.date()
        passed = self._time is not None and self._time <= self._now.time()
        if self._repeat is None or not self._repeat.names_days:
            return today + timedelta(days=passed)
        eve = today if passed else today - timedelta(days=1)
        rule = parse(_INTERVAL.sub("", self._repeat.rule))  # which counts from that first day
        return next(occurrences(rule, today, eve), today)

    def _rule(self, repeat: Repeat, due: date | None) -> str:
        """A month without the 31st has a last day all the same."""
        if due is None or due.day <= 28 or repeat.names_days or "MONTHLY" not in repeat.rule:
            return repeat.rule
        return f"{repeat.rule};{on_month_day(due.day)}"
