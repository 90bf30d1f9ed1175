"""Quick add: sentences, what they are read as, and hostile ones."""

from datetime import date, datetime, time
from typing import Any

import msgspec
import pytest
from fixtures.installation import SignUp, TestTenant
from hypothesis import given, settings
from hypothesis import strategies as st
from insula_tenants.tasks.quickadd.reading import Reading, read
from insula_tenants.tasks.recurrence import parse

NOW = datetime(2026, 11, 21, 14, 30)  # a Saturday
D, T = date, time

_SENTENCES: dict[str, dict[str, Any]] = {
    "Pay rent tomorrow 9am #home !1 every month @anna": {
        "title": "Pay rent", "due_date": D(2026, 11, 22), "due_time": T(9), "labels": ["home"],
        "priority": 1, "repeat": "FREQ=MONTHLY", "people": ["anna"],
    },
    "Call Bob": {"title": "Call Bob"},
    "Call Bob today": {"title": "Call Bob", "due_date": D(2026, 11, 21)},
    "Call Bob on monday": {"title": "Call Bob", "due_date": D(2026, 11, 23)},
    "Call Bob saturday": {"title": "Call Bob", "due_date": D(2026, 11, 28)},
    "Call Bob next friday at 9": {
        "title": "Call Bob", "due_date": D(2026, 11, 27), "due_time": T(9),
    },
    "Call Bob day after tomorrow": {"title": "Call Bob", "due_date": D(2026, 11, 23)},
    "plan next week": {"title": "plan", "due_date": D(2026, 11, 23)},
    "plan next month": {"title": "plan", "due_date": D(2026, 12, 1)},
    "water in 3 days": {"title": "water", "due_date": D(2026, 11, 24)},
    "water in two weeks": {"title": "water", "due_date": D(2026, 12, 5)},
    "tax in 3 months": {"title": "tax", "due_date": D(2027, 2, 21)},
    "tea in 20 minutes": {"title": "tea", "due_date": D(2026, 11, 21), "due_time": T(14, 50)},
    "tea in 10 hours": {"title": "tea", "due_date": D(2026, 11, 22), "due_time": T(0, 30)},
    "film tonight": {"title": "film", "due_date": D(2026, 11, 21), "due_time": T(20)},
    "tea 5pm": {"title": "tea", "due_date": D(2026, 11, 21), "due_time": T(17)},
    "tea 9:15 am": {"title": "tea", "due_date": D(2026, 11, 22), "due_time": T(9, 15)},
    "tea at noon": {"title": "tea", "due_date": D(2026, 11, 22), "due_time": T(12)},
    "tea 12am": {"title": "tea", "due_date": D(2026, 11, 22), "due_time": T(0)},
    "file 2027-03-04 14:00": {"title": "file", "due_date": D(2027, 3, 4), "due_time": T(14)},
    "gift 24 dec": {"title": "gift", "due_date": D(2026, 12, 24)},
    "gift by 24th of December": {"title": "gift", "due_date": D(2026, 12, 24)},
    "gift May 1st": {"title": "gift", "due_date": D(2027, 5, 1)},
    "gift may 1 2028": {"title": "gift", "due_date": D(2028, 5, 1)},
    "leap feb 29": {"title": "leap", "due_date": D(2028, 2, 29)},
    "stretch every day": {
        "title": "stretch", "due_date": D(2026, 11, 21), "repeat": "FREQ=DAILY",
    },
    "stretch every day 9am": {
        "title": "stretch", "due_date": D(2026, 11, 22), "due_time": T(9), "repeat": "FREQ=DAILY",
    },
    "stairs every friday": {
        "title": "stairs", "due_date": D(2026, 11, 27), "repeat": "FREQ=WEEKLY;BYDAY=FR",
    },
    "gym every mon, wed and fri 7am": {
        "title": "gym", "due_date": D(2026, 11, 23), "due_time": T(7),
        "repeat": "FREQ=WEEKLY;BYDAY=MO,WE,FR",
    },
    "mail every weekday": {
        "title": "mail", "due_date": D(2026, 11, 23), "repeat": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
    },
    "bins every other week on tue": {
        "title": "bins", "due_date": D(2026, 11, 24), "repeat": "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU",
    },
    "rent every 1st": {
        "title": "rent", "due_date": D(2026, 12, 1), "repeat": "FREQ=MONTHLY;BYMONTHDAY=1",
    },
    "books every last day of the month": {
        "title": "books", "due_date": D(2026, 11, 30), "repeat": "FREQ=MONTHLY;BYMONTHDAY=-1",
    },
    "books every 31st": {
        "title": "books", "due_date": D(2026, 11, 30),
        "repeat": "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1",
    },
    "books 2027-01-31 every month": {
        "title": "books", "due_date": D(2027, 1, 31),
        "repeat": "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1",
    },
    "choir every last friday": {
        "title": "choir", "due_date": D(2026, 11, 27), "repeat": "FREQ=MONTHLY;BYDAY=-1FR",
    },
    "tax every may 31": {
        "title": "tax", "due_date": D(2027, 5, 31), "repeat": "FREQ=YEARLY;BYMONTH=5;BYMONTHDAY=31",
    },
    "water every! 2 days": {
        "title": "water", "due_date": D(2026, 11, 21), "repeat": "FREQ=DAILY;INTERVAL=2",
        "repeat_from": "completion",
    },
    "pill every day until 24 dec": {
        "title": "pill", "due_date": D(2026, 11, 21), "repeat": "FREQ=DAILY;UNTIL=20261224",
    },
    "pill every day 5 times": {
        "title": "pill", "due_date": D(2026, 11, 21), "repeat": "FREQ=DAILY;COUNT=5",
    },
    "Mow +Garden #a #b #a @x @y !3": {
        "title": "Mow", "project": "Garden", "labels": ["a", "b"], "people": ["x", "y"],
        "priority": 3,
    },
    # What only looks like it
    'Read "Tomorrow every day" today': {
        "title": "Read Tomorrow every day", "due_date": D(2026, 11, 21),
    },
    r"Buy \#hashtag \tomorrow": {"title": "Buy #hashtag tomorrow"},
    "Fix #42 and +1 it": {"title": "Fix #42 and +1 it"},
    "mail to anna@example.com": {"title": "mail to anna@example.com"},
    "meet at 25:00": {"title": "meet at 25:00"},
    "meet 13pm": {"title": "meet 13pm"},
    "party feb 30": {"title": "party feb 30"},
    "due 2026-13-45": {"title": "due 2026-13-45"},
    "buy 7 eggs": {"title": "buy 7 eggs"},
    "every cloud": {"title": "every cloud"},
    "!5 !0 !12": {"title": "!5 !0 !12"},
    "today or tomorrow": {"title": "or tomorrow", "due_date": D(2026, 11, 21)},
    "tomorrow": {"title": "tomorrow", "due_date": D(2026, 11, 22)},
    "every 0 days": {"title": "every 0 days"},
    "every 45th": {"title": "every 45th"},
    "every 6th friday": {"title": "every 6th", "due_date": D(2026, 11, 27)},
}  # fmt: skip


@pytest.mark.parametrize("sentence", _SENTENCES)
def test_a_sentence_is_read_as(sentence: str) -> None:
    assert read(sentence, NOW) == Reading(**_SENTENCES[sentence])


_WORDS = st.sampled_from(
    "every every! day days week month 1 2 31 31st last first monday mon, and of the may feb 29 "
    "until for times in on by due at next this 9am 25:00 14:00 noon tonight tomorrow 2026-02-30 "
    '9999-12-31 0001-01-01 999 #a +b @c !1 !9 " \\ # ## @@ other a weekday years 2199'.split()
) | st.text(max_size=12)


@given(st.lists(_WORDS, min_size=1, max_size=14).map(" ".join))
@settings(max_examples=400, deadline=None)
def test_whatever_is_written_is_read_the_same_way_twice_and_makes_sense(sentence: str) -> None:
    found = read(sentence, NOW)
    assert found == read(sentence, NOW)
    if found.repeat:
        assert parse(found.repeat).text == found.repeat
        assert found.due_date is not None
    assert found.due_time is None or found.due_date is not None
    assert len(found.title) <= len(sentence)


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("tasks")


def _add(tenant: TestTenant, text: str, **more: Any) -> Any:
    body = {"text": text, "zone": "Europe/Rome", **more}
    return tenant.http.post("/api/v1/tasks/quick", json=body)


def test_names_are_those_of_the_tenant_and_others_stay_in_the_title(tenant: TestTenant) -> None:
    new = {"title": "The House", "visibility": "tenant"}
    project = tenant.http.post("/api/v1/tasks/projects", json=new).json()
    form = {"email": "anna@example.com", "name": "Anna Alba", "password": "a long password 1"}
    anna = tenant.http.post("/api/v1/users", json=form).json()
    made = _add(tenant, "Sweep +the_house @anna #stairs every friday +roof")
    assert made.status_code == 201, made.text
    task = made.json()
    assert task["title"] == "Sweep +roof"
    assert (task["project_id"], task["assignee_ids"]) == (project["id"], [anna["id"]])
    assert (task["labels"], task["repeat"]) == (["stairs"], "FREQ=WEEKLY;BYDAY=FR")
    assert task["zone"] == "Europe/Rome"
    alone = _add(tenant, "Sweep +nowhere @nobody @anna").json()
    assert alone["title"] == "Sweep +nowhere @nobody @anna"  # she does not see the inbox
    assert tenant.http.get(made.headers["location"]).json() == task


def test_a_preview_makes_nothing(tenant: TestTenant) -> None:
    body = {"text": "Sweep every friday !2"}
    seen = tenant.http.post("/api/v1/tasks/quick/preview", json=body)
    assert msgspec.convert(seen.json(), Reading).priority == 2
    assert tenant.http.get("/api/v1/tasks").json()["items"] == []


def test_hostile_sentences_are_answered(tenant: TestTenant) -> None:
    for text in ("in 999 years", "x" * 1000, "#" * 1000, '"' * 999, "9999-12-31", "0001-01-01"):
        assert _add(tenant, text).status_code in (201, 400), text
    assert _add(tenant, "x", zone="Mars").json()["errors"][0]["pointer"] == "/zone"
    assert _add(tenant, "   ").status_code == 400
