"""When a task starts, is due and comes again: pure rules on dates."""

from datetime import date, datetime, time
from itertools import chain, islice, takewhile
from typing import Any

import msgspec
from insula.http.problem import FieldError, InvalidInput
from insula.i18n import say

from insula_tenants.tasks.clock import FIRST_DAY, LAST_DAY, ZoneUnknown, end_of, start_of, zone_of
from insula_tenants.tasks.clock import local as local_time
from insula_tenants.tasks.recurrence import Rule, RuleRefused, occurrences, parse


class Schedule(msgspec.Struct, frozen=True):
    """The part of a task that is about time. Fields are columns of the same names."""

    zone: str
    due_date: date | None = None
    due_time: time | None = None
    start_date: date | None = None
    start_time: time | None = None
    repeat: str = ""
    repeat_from: str = "due"
    repeat_missed: str = "skip"
    repeats_left: int | None = None
    repeat_anchor: date | None = None

    @property
    def due_at(self) -> datetime | None:
        return end_of(self.due_date, self.due_time, self.zone) if self.due_date else None

    @property
    def start_at(self) -> datetime | None:
        return start_of(self.start_date, self.start_time, self.zone) if self.start_date else None

    def columns(self) -> dict[str, Any]:
        return msgspec.structs.asdict(self) | {"due_at": self.due_at, "start_at": self.start_at}


FIELDS = tuple(field.name for field in msgspec.structs.fields(Schedule))
GIVEN = frozenset(FIELDS) - {"repeats_left", "repeat_anchor"}
"""What a caller says; the others follow."""


def of(task: Any) -> Schedule:
    """The schedule of something with these fields."""
    return Schedule(**{name: getattr(task, name) for name in FIELDS})


def arrange(before: Schedule, given: dict[str, Any]) -> Schedule:
    """``before`` with what is ``given`` (fields of :data:`GIVEN`) instead.

    A rule that is new counts from the due date, and so does one whose task is put off.

    Raises:
        InvalidInput: a zone or rule is wrong, or the fields contradict each other.
    """
    if given.get("due_date", before.due_date) is None and "due_time" not in given:
        given = given | {"due_time": None}
    if given.get("start_date", before.start_date) is None and "start_time" not in given:
        given = given | {"start_time": None}
    after = msgspec.structs.replace(before, **given)
    faults = _faults(after)
    if faults:
        raise InvalidInput(errors=tuple(faults))
    if not after.repeat:
        return msgspec.structs.replace(after, repeats_left=None, repeat_anchor=None)
    rule = parse(after.repeat)
    left, anchor = after.repeats_left, after.repeat_anchor
    if rule.text != before.repeat:
        left, anchor = rule.count, after.due_date
    elif after.due_date != before.due_date:
        anchor = after.due_date
    return msgspec.structs.replace(after, repeat=rule.text, repeats_left=left, repeat_anchor=anchor)


def _faults(schedule: Schedule) -> list[FieldError]:
    found = []
    try:
        zone_of(schedule.zone)
    except ZoneUnknown as error:
        found.append(FieldError("/zone", str(error)))
    for name in ("due", "start"):
        day: date | None = getattr(schedule, f"{name}_date")
        if day is not None and not FIRST_DAY <= day <= LAST_DAY:
            found.append(
                FieldError(
                    f"/{name}_date",
                    say(
                        "must be from {first_day} to {last_day}",
                        first_day=FIRST_DAY,
                        last_day=LAST_DAY,
                    ),
                )
            )
        if day is None and getattr(schedule, f"{name}_time") is not None:
            found.append(FieldError(f"/{name}_time", say("needs {name}_date", name=name)))
    if schedule.repeat:
        found += _faults_of_rule(schedule)
    if not found and _begins_too_late(schedule):
        found.append(FieldError("/start_date", "is after the due date"))
    return found


def _begins_too_late(schedule: Schedule) -> bool:
    start, due = schedule.start_at, schedule.due_at
    if start is None or due is None:
        return False
    return start >= due if schedule.due_time is None else start > due


def _faults_of_rule(schedule: Schedule) -> list[FieldError]:
    try:
        rule = parse(schedule.repeat)
    except RuleRefused as error:
        return [FieldError("/repeat", str(error))]
    if schedule.due_date is None:
        return [FieldError("/repeat", "needs due_date, from which it counts")]
    if rule.ends_before(schedule.due_date, schedule.due_time, schedule.zone):
        return [FieldError("/repeat", "ends before the task is due")]
    return []


class Advance(msgspec.Struct, frozen=True):
    """A repeating task's next time, and how many were passed over to get there."""

    schedule: Schedule
    skipped: int


def advance(schedule: Schedule, done_at: datetime) -> Advance | None:
    """The next time of a task that was done; None if that was the last."""
    if not schedule.repeat or schedule.due_date is None:
        return None
    rule = parse(schedule.repeat)
    if schedule.repeat_from == "completion":
        found = _from_completion(schedule, rule, done_at)
    else:
        found = _from_due(schedule, rule, done_at)
    if found is None:
        return None
    day, used = found
    left = schedule.repeats_left
    if left is not None and left - used < 1:
        return None
    if day > LAST_DAY or rule.ends_before(day, schedule.due_time, schedule.zone):
        return None
    following = msgspec.structs.replace(
        schedule,
        due_date=day,
        start_date=_start(schedule, day),
        repeats_left=None if left is None else left - used,
        repeat_anchor=day if schedule.repeat_from == "completion" else schedule.repeat_anchor,
    )
    return Advance(following, used - 1)


def upcoming(schedule: Schedule, limit: int) -> list[date]:
    """The days on which the task is due, this time first, if each is done when it is due."""
    if schedule.due_date is None:
        return []
    if not schedule.repeat:
        return [schedule.due_date]
    rule = parse(schedule.repeat)
    anchor = schedule.repeat_anchor or schedule.due_date
    days = chain([schedule.due_date], occurrences(rule, anchor, schedule.due_date))
    most = limit if schedule.repeats_left is None else min(limit, schedule.repeats_left)
    return list(
        takewhile(
            lambda day: (
                day <= LAST_DAY and not rule.ends_before(day, schedule.due_time, schedule.zone)
            ),
            islice(days, most),
        )
    )


def _from_due(schedule: Schedule, rule: Rule, done_at: datetime) -> tuple[date, int] | None:
    """The next day of the series, and how many occurrences that uses up."""
    assert schedule.due_date is not None
    today = local_time(done_at, schedule.zone)
    anchor = schedule.repeat_anchor or schedule.due_date
    for used, day in enumerate(occurrences(rule, anchor, schedule.due_date), 1):
        if schedule.repeat_missed == "keep" or _is_ahead(day, schedule, today, done_at):
            return day, used
    return None


def _is_ahead(day: date, schedule: Schedule, today: datetime, done_at: datetime) -> bool:
    if schedule.due_time is None or day > LAST_DAY:
        return day > today.date()
    return end_of(day, schedule.due_time, schedule.zone) > done_at


def _from_completion(schedule: Schedule, rule: Rule, done_at: datetime) -> tuple[date, int] | None:
    done_on = local_time(done_at, schedule.zone).date()
    day = next(occurrences(rule, done_on, done_on), None)
    return None if day is None else (day, 1)


def _start(schedule: Schedule, due: date) -> date | None:
    """The start keeps its distance in days."""
    if schedule.start_date is None or schedule.due_date is None:
        return schedule.start_date
    return due - (schedule.due_date - schedule.start_date)
