"""Saved filters, and many tasks at once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fixtures.installation import SignUp, TestTenant

PATH = "/api/v1/tasks"


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("tasks")


def _make(tenant: TestTenant, **task: Any) -> dict[str, Any]:
    answer = tenant.http.post(PATH, json={"title": "A task", **task})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def _filter(tenant: TestTenant, query: str, **more: Any) -> Any:
    return tenant.http.post(f"{PATH}/filters", json={"name": "F", "query": query, **more})


def test_a_filter_means_today_when_it_is_used(tenant: TestTenant) -> None:
    today = datetime.now(UTC).date()
    me = tenant.http.get("/api/v1/me").json()["user"]["id"]
    for days in (-1, 2, 9):
        _make(tenant, title=f"{days}", due_date=f"{today + timedelta(days=days)}")
    _make(tenant, title="mine", assignee_ids=[me])
    week = _filter(tenant, "done=false&due_date[lte]=@today+7&sort=-due_at").json()
    path = f"{PATH}/filters/{week['id']}/tasks"

    def titles(path: str) -> list[str]:
        answer = tenant.http.get(path)
        assert answer.status_code == 200, answer.text
        return [item["title"] for item in answer.json()["items"]]

    assert titles(path) == ["2", "-1"]
    assert titles(f"{path}?sort=due_at") == ["-1", "2"]
    first = tenant.http.get(f"{path}?limit=1").json()
    assert titles(f"{path}?limit=1&cursor={first['next']}") == ["-1"]
    link = tenant.http.get(f"{path}?limit=1").headers["link"]
    assert titles(link.partition(">")[0].removeprefix("<")) == ["-1"]
    own = _filter(tenant, "assignee_id=@me").json()
    assert titles(f"{PATH}/filters/{own['id']}/tasks") == ["mine"]
    late = _filter(tenant, "due_at[lt]=@now").json()
    assert titles(f"{PATH}/filters/{late['id']}/tasks") == ["-1"]


def test_a_filter_is_held_against_the_list_when_it_is_saved(tenant: TestTenant) -> None:
    for query in ("secret=1", "priority=high", "limit=3", "sort=zone", "due_date=@yesterday",
                  "done=false&done=true"):  # fmt: skip
        refused = _filter(tenant, query)
        assert refused.status_code == 400, query
        assert refused.json()["errors"][0]["pointer"] == "/query"
    assert _filter(tenant, "", zone="Mars").json()["errors"][0]["pointer"] == "/zone"


def test_a_shared_filter_shows_everybody_their_own(tenant: TestTenant) -> None:
    _make(tenant, title="the owner's")
    shared, private = _filter(tenant, "", shared=True).json(), _filter(tenant, "").json()
    member = tenant.add_user()
    member.http.post(PATH, json={"title": "the member's"})
    listed = member.http.get(f"{PATH}/filters").json()["items"]
    assert [each["id"] for each in listed] == [shared["id"]]
    seen = member.http.get(f"{PATH}/filters/{shared['id']}/tasks").json()["items"]
    assert [task["title"] for task in seen] == ["the member's"]
    assert member.http.get(f"{PATH}/filters/{private['id']}").status_code == 404
    path = f"{PATH}/filters/{shared['id']}"
    assert member.http.patch(path, json={"name": "Mine"}).status_code == 404
    assert member.http.delete(path).status_code == 404
    stale = tenant.http.patch(path, json={"name": "N"}, headers={"If-Match": '"3"'})
    assert stale.status_code == 412
    assert tenant.http.patch(path, json={"name": "N"}).json()["name"] == "N"
    assert tenant.http.delete(path).status_code == 204


def test_each_of_many_is_done_or_refused_by_itself(tenant: TestTenant) -> None:
    a, b, c = (_make(tenant, title=title) for title in "abc")
    foreign = tenant.add_user().http.post(PATH, json={"title": "x"}).json()
    items = [
        {"action": "create", "new": {"title": "d", "labels": ["new"]}},
        {"action": "update", "task_id": a["id"], "change": {"priority": 1}},
        {"action": "update", "task_id": a["id"], "change": {"priority": 2}, "version": 1},
        {"action": "update", "task_id": a["id"], "change": {"due_time": "09:00:00"}},
        {"action": "complete", "task_id": b["id"]},
        {"action": "complete", "task_id": b["id"]},
        {"action": "reopen", "task_id": b["id"]},
        {"action": "move", "task_id": c["id"], "move": {"before": a["id"]}},
        {"action": "delete", "task_id": foreign["id"]},
        {"action": "move", "task_id": c["id"]},
        {"action": "delete", "task_id": c["id"]},
    ]
    report = tenant.http.post(f"{PATH}/bulk", json={"items": items})
    assert report.status_code == 200, report.text
    results = report.json()["results"]
    statuses = [result["status"] for result in results]
    assert statuses == [201, 200, 412, 400, 200, 409, 200, 200, 404, 400, 204]
    assert (report.json()["done"], report.json()["refused"]) == (6, 5)
    assert results[0]["task"]["labels"] == ["new"]
    assert results[9]["problem"]["errors"][0]["pointer"] == "/move"
    assert tenant.http.get(f"{PATH}/{a['id']}").json()["priority"] == 1
    titles = [item["title"] for item in tenant.http.get(PATH).json()["items"]]
    assert titles == ["a", "b", "d"]
    too_many = {"items": [items[0]] * 201}
    assert tenant.http.post(f"{PATH}/bulk", json=too_many).status_code == 400


def test_the_future_of_a_task_can_be_seen(tenant: TestTenant) -> None:
    due = {"due_date": "2026-10-24", "due_time": "09:00:00", "zone": "Europe/Berlin"}
    task = _make(tenant, repeat="FREQ=DAILY;COUNT=3", **due)
    seen = tenant.http.get(f"{PATH}/{task['id']}/occurrences?limit=5").json()
    assert [each["due_at"] for each in seen] == [
        "2026-10-24T07:00:00Z",
        "2026-10-25T08:00:00Z",
        "2026-10-26T08:00:00Z",
    ]
