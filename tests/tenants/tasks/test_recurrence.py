"""Recurrence: our rules against another implementation, and against the clock."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from itertools import islice

import pytest
from fixtures.node import Node
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from insula_tenants.tasks.recurrence import RuleRefused, parse, series
from insula_tenants.tasks.schedule import Schedule, advance, arrange, upcoming

_RRULE_JS = """
const {rrulestr} = require('rrule');
answer(input.map(([rule, start]) => {
  const text = `DTSTART:${start}T000000Z\\nRRULE:${rule}`;
  const days = [];
  rrulestr(text).all((day, index) => {
    days.push(day.toISOString().slice(0, 10));
    return index < 24;
  });
  return days;
}));
"""
_PARTS = (
    "FREQ=DAILY", "FREQ=DAILY;INTERVAL=3", "FREQ=DAILY;COUNT=4", "FREQ=DAILY;BYMONTH=1,2",
    "FREQ=DAILY;BYDAY=MO,FR", "FREQ=DAILY;UNTIL=20260215T000000Z", "FREQ=WEEKLY",
    "FREQ=WEEKLY;INTERVAL=2", "FREQ=WEEKLY;BYDAY=MO,WE,FR", "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU", "FREQ=WEEKLY;COUNT=3;BYDAY=TU",
    "FREQ=WEEKLY;BYMONTH=6;BYDAY=SA", "FREQ=MONTHLY", "FREQ=MONTHLY;INTERVAL=5",
    "FREQ=MONTHLY;BYMONTHDAY=15", "FREQ=MONTHLY;BYMONTHDAY=31", "FREQ=MONTHLY;BYMONTHDAY=-1",
    "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", "FREQ=MONTHLY;BYDAY=1MO",
    "FREQ=MONTHLY;BYDAY=-1FR", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "FREQ=MONTHLY;COUNT=5;BYMONTHDAY=1,15",
    "FREQ=YEARLY", "FREQ=YEARLY;INTERVAL=4", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
    "FREQ=YEARLY;BYYEARDAY=1,100,-1", "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", "FREQ=YEARLY;BYDAY=20MO",
    "FREQ=YEARLY;BYMONTH=5,10;BYDAY=2SU", "FREQ=YEARLY;COUNT=3;BYMONTH=12;BYMONTHDAY=24",
)  # fmt: skip
_STARTS = (date(2026, 1, 1), date(2026, 1, 31), date(2026, 2, 17), date(2024, 2, 29))


def _following(rule: str, start: date) -> list[str]:
    """What comes behind the start, as iCalendar has it: in rrule.js the start is part of the
    series only if the rule says so, in RFC 5545 it always is, and takes one of COUNT."""
    days = islice(series(parse(rule), start, None, "UTC"), 25)
    return [day.isoformat() for day in days]


def test_rules_come_true_when_rrule_js_says_so(node: Node) -> None:
    cases = [(rule, start) for rule in _PARTS for start in _STARTS]
    theirs = node(_RRULE_JS, [(rule, f"{start:%Y%m%d}") for rule, start in cases])
    assert len(theirs) == len(cases)
    compared = 0
    for (rule, start), days in zip(cases, theirs, strict=True):
        ours = _following(rule, start)
        assert ours[:1] == [start.isoformat()] or days == []  # not even the start, with UNTIL
        if days[:1] == [start.isoformat()]:
            assert ours[: len(days)] == days, (rule, start)
        elif "COUNT" not in rule:
            assert ours[1 : len(days) + 1] == days[: len(ours) - 1], (rule, start)
        compared += len(days)
    assert compared > 2000


@given(
    st.sampled_from([rule for rule in _PARTS if "COUNT" not in rule and "UNTIL" not in rule]),
    st.dates(date(1970, 1, 1), date(2150, 1, 1)),
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_completing_on_time_again_and_again_is_the_series(rule: str, start: date) -> None:
    task = arrange(Schedule(zone="UTC"), {"due_date": start, "repeat": rule})
    walked = [start]
    for _ in range(5):
        assert task.due_date is not None
        step = advance(task, datetime.combine(task.due_date, time(12), UTC))
        assert step is not None
        assert step.skipped == 0
        task = step.schedule
        assert task.due_date is not None
        walked.append(task.due_date)
    assert walked == list(islice(series(parse(rule), start, None, "UTC"), 6))


def _walk(task: Schedule, *moments: datetime) -> Iterator[Schedule | None]:
    for moment in moments:
        step = advance(task, moment)
        yield step.schedule if step else None
        if step is None:
            return
        task = step.schedule


def _task(day: date, rule: str, at: time | None = None, **more: str) -> Schedule:
    given = {"due_date": day, "due_time": at, "repeat": rule, **more}
    return arrange(Schedule(zone=more.pop("zone", "UTC")), given)


def test_nine_stays_nine_over_both_changes_of_the_clock() -> None:
    task = _task(date(2026, 3, 28), "FREQ=DAILY", time(9), zone="Europe/Berlin")
    moments = [datetime(2026, 3, 28 + n, 8, tzinfo=UTC) for n in range(2)]
    due = [step.due_at for step in _walk(task, *moments) if step]
    assert due == [datetime(2026, 3, 29, 7, tzinfo=UTC), datetime(2026, 3, 30, 7, tzinfo=UTC)]
    task = _task(date(2026, 10, 24), "FREQ=DAILY", time(9), zone="Europe/Berlin")
    step = advance(task, datetime(2026, 10, 24, 7, tzinfo=UTC))
    assert step is not None
    assert step.schedule.due_at == datetime(2026, 10, 25, 8, tzinfo=UTC)


def test_a_daily_task_done_in_auckland_does_not_come_on_the_same_day() -> None:
    """tasks/tasks#1634: on the night of the change the next day was miscalculated."""
    task = _task(date(2026, 9, 26), "FREQ=DAILY", zone="Pacific/Auckland")
    step = advance(task, datetime(2026, 9, 26, 11, 30, tzinfo=UTC))  # 23:30 there
    assert step is not None
    assert step.schedule.due_date == date(2026, 9, 27)
    assert step.schedule.due_at == datetime(2026, 9, 27, 11, tzinfo=UTC)  # midnight, UTC+13


def test_what_is_done_late_comes_next_in_the_future_or_each_time() -> None:
    late = datetime(2026, 5, 8, 12, tzinfo=UTC)
    skipped = advance(_task(date(2026, 5, 4), "FREQ=DAILY"), late)
    assert skipped is not None
    assert (skipped.schedule.due_date, skipped.skipped) == (date(2026, 5, 9), 4)
    kept = advance(_task(date(2026, 5, 4), "FREQ=DAILY", repeat_missed="keep"), late)
    assert kept is not None
    assert (kept.schedule.due_date, kept.skipped) == (date(2026, 5, 5), 0)


def test_it_comes_so_long_after_it_was_done() -> None:
    task = _task(date(2026, 5, 4), "FREQ=DAILY;INTERVAL=3", repeat_from="completion")
    step = advance(task, datetime(2026, 5, 10, 12, tzinfo=UTC))
    assert step is not None
    assert (step.schedule.due_date, step.skipped) == (date(2026, 5, 13), 0)


def test_count_and_until_are_honoured() -> None:
    task = _task(date(2026, 5, 4), "FREQ=DAILY;COUNT=3")
    moments = [datetime(2026, 5, day, 12, tzinfo=UTC) for day in (4, 5, 6)]
    assert [step and step.repeats_left for step in _walk(task, *moments)] == [2, 1, None]
    late = advance(_task(date(2026, 5, 4), "FREQ=DAILY;COUNT=3"), datetime(2026, 6, 1, tzinfo=UTC))
    assert late is None
    until = _task(date(2026, 5, 4), "FREQ=DAILY;UNTIL=20260505")
    assert [step and step.due_date for step in _walk(until, *moments)] == [date(2026, 5, 5), None]
    # UNTIL in UTC: nine in Berlin is seven there
    berlin = _task(date(2026, 5, 4), "FREQ=DAILY;UNTIL=20260505T070000Z", time(9),
                   zone="Europe/Berlin")  # fmt: skip
    assert upcoming(berlin, 9) == [date(2026, 5, 4), date(2026, 5, 5)]
    earlier = _task(date(2026, 5, 4), "FREQ=DAILY;UNTIL=20260505T065959Z", time(9),
                    zone="Europe/Berlin")  # fmt: skip
    assert upcoming(earlier, 9) == [date(2026, 5, 4)]


def test_a_task_that_is_put_off_keeps_its_repeat() -> None:
    task = _task(date(2026, 5, 4), "FREQ=WEEKLY;INTERVAL=2")
    put_off = arrange(task, {"due_date": date(2026, 5, 6)})
    assert upcoming(put_off, 3) == [date(2026, 5, 6), date(2026, 5, 20), date(2026, 6, 3)]
    counted = _task(date(2026, 5, 4), "FREQ=DAILY;COUNT=3")
    step = advance(counted, datetime(2026, 5, 4, tzinfo=UTC))
    assert step is not None
    later = arrange(step.schedule, {"due_date": date(2026, 5, 9)})
    assert upcoming(later, 9) == [date(2026, 5, 9), date(2026, 5, 10)]


@pytest.mark.parametrize(
    "rule",
    [
        "", "FREQ", "FREQ=HOURLY", "FREQ=DAILY;FREQ=DAILY", "INTERVAL=2", "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=1000", "FREQ=DAILY;COUNT=0", "FREQ=DAILY;COUNT=2;UNTIL=20270101",
        "FREQ=DAILY;BYHOUR=9", "FREQ=DAILY;UNTIL=20261332", "FREQ=WEEKLY;BYDAY=1MO",
        "FREQ=WEEKLY;BYMONTHDAY=1", "FREQ=MONTHLY;BYYEARDAY=1", "FREQ=DAILY;BYWEEKNO=1",
        "FREQ=DAILY;BYSETPOS=1", "FREQ=MONTHLY;BYMONTHDAY=0", "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=DAILY;BYMONTH=13", "FREQ=DAILY;BYDAY=XX", "FREQ=DAILY;BYDAY=", "FREQ=DAILY;X=1",
        "FREQ=DAILY;INTERVAL=٣", "FREQ=DAILY\nRDATE:20260101", "FREQ=DAILY;" + "A" * 600,
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=40",
    ],
)  # fmt: skip
def test_what_is_no_rule_or_never_comes_true_is_refused(rule: str) -> None:
    with pytest.raises(RuleRefused):
        parse(rule)


def test_a_rule_has_one_form() -> None:
    assert parse("rrule:byday=mo,we;freq=weekly;").text == "FREQ=WEEKLY;BYDAY=MO,WE"
