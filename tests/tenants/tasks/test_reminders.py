"""Reminders: right over changes of the clock, moved with the task, gone when it is done."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from fixtures.background import WorkerProcess
from fixtures.installation import SignUp, TestTenant
from fixtures.live import live
from fixtures.mail import MailServer, text_of
from insula_tenants.tasks.durations import DurationRefused, before, parse

PATH = "/api/v1/tasks"


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("tasks")


def _make(tenant: TestTenant, **task: Any) -> str:
    answer = tenant.http.post(PATH, json={"title": "A task", **task})
    assert answer.status_code == 201, answer.text
    return f"{PATH}/{answer.json()['id']}"


def _remind(tenant: TestTenant, path: str, **body: Any) -> dict[str, Any]:
    answer = tenant.http.post(f"{path}/reminders", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def _fires(tenant: TestTenant, path: str) -> list[str | None]:
    return [each["fires_at"] for each in tenant.http.get(f"{path}/reminders").json()]


def _utc(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)  # type: ignore[arg-type,misc]


def test_days_are_days_on_the_calendar_and_hours_are_hours() -> None:
    berlin = "Europe/Berlin"  # on 2027-03-28, two o'clock is three
    assert before("PT0S", date(2027, 3, 28), time(9), berlin) == _utc(2027, 3, 28, 7)
    assert before("P1D", date(2027, 3, 28), time(9), berlin) == _utc(2027, 3, 27, 8)
    assert before("PT24H", date(2027, 3, 28), time(9), berlin) == _utc(2027, 3, 27, 7)
    assert before("P1W", date(2027, 4, 2), time(9), berlin) == _utc(2027, 3, 26, 8)
    assert before("P1DT2H", date(2027, 3, 28), None, berlin) == _utc(2027, 3, 27, 6)
    assert before("PT30M", date(2027, 3, 28), time(2, 30), berlin) == _utc(2027, 3, 28, 1)
    assert before("PT0S", date(2027, 10, 31), time(2, 30), berlin) == _utc(2027, 10, 31, 0, 30)


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1DT", "1D", "P1M", "P-1D", "PT1D", "P٣D", "P9999D"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(DurationRefused):
        parse(text)


def test_a_reminder_moves_with_the_task(tenant: TestTenant) -> None:
    path = _make(tenant)
    _remind(tenant, path, before="PT30M")
    assert _fires(tenant, path) == [None]
    due = {"due_date": "2099-03-29", "due_time": "09:00:00", "zone": "Europe/Berlin"}
    tenant.http.patch(path, json=due)
    assert _fires(tenant, path) == ["2099-03-29T06:30:00Z"]
    tenant.http.patch(path, json={"zone": "Asia/Tokyo"})
    assert _fires(tenant, path) == ["2099-03-28T23:30:00Z"]
    tenant.http.patch(path, json={"due_time": None})
    assert _fires(tenant, path) == ["2099-03-28T23:30:00Z"]  # nine o'clock of a whole day
    tenant.http.patch(path, json={"due_date": None})
    assert _fires(tenant, path) == [None]


def test_reminders_of_a_repeating_task_come_again(tenant: TestTenant) -> None:
    due = {"due_date": "2099-10-24", "due_time": "09:00:00", "zone": "Europe/Berlin"}
    path = _make(tenant, repeat="FREQ=DAILY", **due)
    _remind(tenant, path, before="PT1H")
    _remind(tenant, path, at="2099-10-24T05:00:00Z")
    assert tenant.http.post(f"{path}/complete").status_code == 200
    # summer time ends on the 25th: what was at seven there is at seven again
    assert _fires(tenant, path) == ["2099-10-25T07:00:00Z", "2099-10-25T06:00:00Z"]


def test_faults_are_told(tenant: TestTenant) -> None:
    path = _make(tenant)
    for body, pointer in (
        ({"before": "P1X"}, "/before"),
        ({"at": "2020-01-01T00:00:00Z"}, "/at"),
        ({"at": "2099-01-01T00:00:00"}, "/at"),
        ({"at": "2099-01-01T00:00:00Z", "before": "PT1M"}, "/at"),
    ):
        answer = tenant.http.post(f"{path}/reminders", json=body)
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    for _ in range(20):
        _remind(tenant, path)
    full = tenant.http.post(f"{path}/reminders", json={})
    assert full.json()["type"].endswith("/tasks-too-many")
    tenant.http.post(f"{path}/complete")
    assert tenant.http.post(f"{path}/reminders", json={}).status_code == 409


def test_reminders_are_ones_own(tenant: TestTenant) -> None:
    project = tenant.http.post(
        f"{PATH}/projects", json={"title": "P", "visibility": "tenant"}
    ).json()
    path = _make(tenant, project_id=project["id"])
    reminder = _remind(tenant, path)
    member = tenant.add_user()
    assert member.http.get(f"{path}/reminders").json() == []
    one = f"{path}/reminders/{reminder['id']}"
    assert member.http.post(f"{one}/snooze", json={"minutes": 5}).status_code == 404
    assert member.http.delete(one).status_code == 404
    soon = (datetime.now(UTC) + timedelta(minutes=4)).isoformat()
    assert tenant.http.post(f"{one}/snooze", json={"minutes": 5}).json()["fires_at"] > soon
    assert tenant.http.delete(one).status_code == 204
    assert _fires(tenant, path) == []


async def test_a_reminder_comes_by_mail_and_live_once_and_not_for_what_is_done(
    worker: WorkerProcess, mail_server: MailServer, sign_up: SignUp
) -> None:
    tenant = sign_up("tasks")
    me = tenant.http.get("/api/v1/me").json()["user"]
    path = _make(tenant, title="Water *the* tomatoes", due_date="2099-05-01")
    done = _make(tenant, title="Never heard of")
    async with live(tenant) as client:
        await client.subscribe(f"users/{me['id']}")
        soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
        later = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
        _remind(tenant, done, at=soon)
        tenant.http.post(f"{done}/complete")
        reminder = _remind(tenant, path, at=later)
        event = await client.until("tasks.reminder.sent")
        assert event["data"]["id"] == reminder["id"]
        assert event["subject"] == path.replace("/api/v1/tasks/", "tasks/")
    (mail,) = mail_server.wait_for(me["email"])
    assert mail["subject"] == "Water *the* tomatoes"
    assert "Friday, May 1, 2099" in text_of(mail)
    (kept,) = tenant.http.get(f"{path}/reminders").json()
    assert kept["sent_at"] is not None
    (quiet,) = tenant.http.get(f"{done}/reminders").json()
    assert quiet["sent_at"] is None
    again = tenant.http.post(f"{path}/reminders/{kept['id']}/snooze", json={"minutes": 60})
    assert again.json()["sent_at"] is None
