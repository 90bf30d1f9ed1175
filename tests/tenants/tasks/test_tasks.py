"""Tasks, through their HTTP API: made, changed, done, deleted."""

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


def _do(tenant: TestTenant, task: dict[str, Any], what: str, **body: Any) -> dict[str, Any]:
    answer = tenant.http.post(f"{PATH}/{task['id']}/{what}", json=body or None)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_task_is_made_read_changed_and_deleted(tenant: TestTenant) -> None:
    answer = tenant.http.post(PATH, json={"title": " Rent ", "labels": ["home", "home"]})
    assert answer.status_code == 201
    path, task = answer.headers["location"], answer.json()
    assert (task["title"], task["labels"], task["priority"]) == ("Rent", ["home"], 4)
    read = tenant.http.get(path)
    assert read.json() == task
    assert read.headers["etag"] == '"1"'
    changed = tenant.http.patch(path, json={"title": "Rent!", "priority": 1}).json()
    assert (changed["title"], changed["priority"], changed["version"]) == ("Rent!", 1, 2)
    assert tenant.http.patch(path, json={"priority": 1}).json()["version"] == 2
    assert tenant.http.delete(path).status_code == 204
    assert tenant.http.get(path).status_code == 404


def test_a_task_without_a_project_goes_to_ones_own_inbox(tenant: TestTenant) -> None:
    mine = _make(tenant)
    assert _make(tenant)["project_id"] == mine["project_id"]
    inbox = tenant.http.get(f"{PATH}/projects/{mine['project_id']}").json()
    assert (inbox["title"], inbox["visibility"]) == ("Inbox", "private")
    other = tenant.add_user()
    assert other.http.get(f"{PATH}/{mine['id']}").status_code == 404
    theirs = other.http.post(PATH, json={"title": "x"}).json()
    assert theirs["project_id"] != mine["project_id"]
    delete = tenant.http.delete(f"{PATH}/projects/{mine['project_id']}")
    assert delete.json()["type"].endswith("/tasks-inbox-fixed")


def test_a_conflicting_change_is_refused(tenant: TestTenant) -> None:
    task = _make(tenant)
    path = f"{PATH}/{task['id']}"
    match = {"If-Match": '"1"'}
    assert tenant.http.patch(path, json={"title": "B"}, headers=match).status_code == 200
    for lost in (
        tenant.http.patch(path, json={"title": "C"}, headers=match),
        tenant.http.post(f"{path}/complete", headers=match),
        tenant.http.post(f"{path}/move", json={}, headers=match),
        tenant.http.delete(path, headers=match),
    ):
        assert lost.status_code == 412
        assert lost.headers["etag"] == '"2"'


_FAULTS: dict[str, dict[str, Any]] = {
    "/title": {"title": "  "},
    "/due_time": {"due_time": "09:00:00"},
    "/due_date": {"due_date": "1066-10-14"},
    "/zone": {"zone": "../../etc/passwd"},
    "/repeat": {"due_date": "2026-01-01", "repeat": "FREQ=SECONDLY"},
    "/start_date": {"due_date": "2026-01-02", "start_date": "2026-01-03"},
    "/labels/0": {"labels": ["two words"]},
    "/assignee_ids/0": {"assignee_ids": ["019aa000-0000-7000-8000-000000000001"]},
    "/priority": {"priority": 5},
}


def test_faults_are_told_by_pointer(tenant: TestTenant) -> None:
    for pointer, fields in _FAULTS.items():
        answer = tenant.http.post(PATH, json={"title": "x", **fields})
        assert answer.status_code == 400, fields
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    without_due = tenant.http.post(PATH, json={"title": "x", "repeat": "FREQ=DAILY"})
    assert "needs due_date" in without_due.text


def test_when_it_is_due_is_an_instant_of_its_zone(tenant: TestTenant) -> None:
    day = {"zone": "Europe/Berlin", "due_date": "2026-03-29"}  # summer time begins: 23 hours
    assert _make(tenant, **day)["due_at"] == "2026-03-29T22:00:00Z"
    assert _make(tenant, **day, due_time="09:00:00")["due_at"] == "2026-03-29T07:00:00Z"
    assert _make(tenant, **day, due_time="02:30:00")["due_at"] == "2026-03-29T01:30:00Z"
    task = _make(tenant, **day, start_date="2026-03-28")
    assert task["start_at"] == "2026-03-27T23:00:00Z"
    path = f"{PATH}/{task['id']}"
    moved = tenant.http.patch(path, json={"zone": "Asia/Tokyo"}).json()
    assert moved["due_at"] == "2026-03-29T15:00:00Z"
    without = tenant.http.patch(path, json={"due_date": None}).json()
    assert (without["due_date"], without["due_at"]) == (None, None)


def test_lists_filter_sort_and_search(tenant: TestTenant) -> None:
    me = tenant.http.get("/api/v1/me").json()["user"]["id"]
    _make(tenant, title="Chard", notes="sow in the north bed", due_date="2026-04-01", priority=2)
    _make(tenant, title="Basil", labels=["garden"], due_date="2026-03-01", assignee_ids=[me])
    done = _make(tenant, title="Stairs", labels=["house", "garden"])
    _do(tenant, done, "complete")

    def titles(query: str) -> list[str]:
        answer = tenant.http.get(f"{PATH}?{query}")
        assert answer.status_code == 200, answer.text
        return [item["title"] for item in answer.json()["items"]]

    assert titles("") == ["Chard", "Basil", "Stairs"]
    assert titles("sort=due_at") == ["Basil", "Chard", "Stairs"]
    assert titles("sort=priority&done=false") == ["Chard", "Basil"]
    assert titles("label=garden&sort=title") == ["Basil", "Stairs"]
    assert titles(f"assignee_id={me}") == ["Basil"]
    assert titles("due_date[lte]=2026-03-31") == ["Basil"]
    assert titles("q=sowing") == ["Chard"]
    assert titles("done=true") == ["Stairs"]


def test_pages_by_due_date_hold_those_without_one_last(tenant: TestTenant) -> None:
    for number in range(5):
        _make(tenant, title=f"d{number}", due_date=f"2026-05-0{number + 1}")
        _make(tenant, title=f"n{number}")
    for sort, expected in (
        ("due_at", [*(f"d{n}" for n in range(5)), *(f"n{n}" for n in range(5))]),
        ("-due_at", [*(f"n{n}" for n in range(5))][::-1] + [*(f"d{n}" for n in range(5))][::-1]),
    ):
        seen, cursor = [], ""
        while True:
            page = tenant.http.get(f"{PATH}?sort={sort}&limit=3{cursor}").json()
            seen += [item["title"] for item in page["items"]]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        assert seen == expected


def test_completing_is_history_and_can_be_taken_back(tenant: TestTenant) -> None:
    task = _make(tenant, due_date="2026-05-01")
    path = f"{PATH}/{task['id']}"
    done = _do(tenant, task, "complete")
    assert done["done"] is True
    assert done["completed_by"] == task["author_id"]
    again = tenant.http.post(f"{path}/complete")
    assert (again.status_code, again.json()["type"].rpartition("/")[2]) == (
        409,
        "tasks-already-done",
    )
    assert _do(tenant, task, "reopen")["completed_at"] is None
    assert tenant.http.post(f"{path}/reopen").status_code == 409
    items = tenant.http.get(f"{path}/completions").json()["items"]
    assert [item["due_date"] for item in items] == ["2026-05-01"]


def test_labels_are_counted_coloured_and_renamed(tenant: TestTenant) -> None:
    _make(tenant, labels=["home", "errand"])
    both = _make(tenant, labels=["home", "house"])
    put = tenant.http.put(f"{PATH}/labels/home", json={"colour": "#2e7d32"})
    assert put.status_code == 204, put.text
    assert tenant.http.put(f"{PATH}/labels/two%20words", json={}).status_code == 400
    listed = tenant.http.get(f"{PATH}/labels").json()
    assert listed == [
        {"label": "errand", "colour": "", "open_tasks": 1},
        {"label": "home", "colour": "#2e7d32", "open_tasks": 2},
        {"label": "house", "colour": "", "open_tasks": 1},
    ]
    renamed = tenant.http.post(f"{PATH}/labels/home/rename", json={"to": "house"})
    assert renamed.json() == {"tasks": 2}
    assert tenant.http.get(f"{PATH}/{both['id']}").json()["labels"] == ["house"]
    assert tenant.http.delete(f"{PATH}/labels/house").status_code == 204
    assert [item["label"] for item in tenant.http.get(f"{PATH}/labels").json()] == [
        "errand",
        "home",
    ]


def test_comments_are_ones_own(tenant: TestTenant) -> None:
    project = tenant.http.post(
        f"{PATH}/projects", json={"title": "P", "visibility": "tenant"}
    ).json()
    path = f"{PATH}/{_make(tenant, project_id=project['id'])['id']}/comments"
    member = tenant.add_user()
    said = member.http.post(path, json={"body": " The key? "})
    assert said.status_code == 201, said.text
    comment = said.json()
    assert comment["body"] == "The key?"
    one = f"{path}/{comment['id']}"
    foreign = tenant.http.patch(one, json={"body": "No"})
    assert foreign.json()["type"].endswith("/tasks-not-your-comment")
    stale = {"If-Match": '"7"'}
    assert member.http.patch(one, json={"body": "x"}, headers=stale).status_code == 412
    assert member.http.patch(one, json={"body": "Under the mat"}).json()["version"] == 2
    assert [c["body"] for c in tenant.http.get(path).json()["items"]] == ["Under the mat"]
    assert tenant.http.delete(one).status_code == 204  # as an owner of the project


def test_a_customer_may_not(tenant: TestTenant) -> None:
    customer = tenant.add_user("customer")
    assert customer.http.get(PATH).status_code == 403


def test_isolation(sign_up: SignUp) -> None:
    ours, theirs = sign_up("tasks"), sign_up("tasks")
    task = _make(theirs, title="Secret")
    path = f"{PATH}/{task['id']}"
    assert ours.http.get(path).status_code == 404
    assert ours.http.patch(path, json={"title": "x"}).status_code == 404
    assert ours.http.post(f"{path}/complete").status_code == 404
    assert ours.http.post(f"{path}/reminders", json={}).status_code == 404
    assert ours.http.delete(path).status_code == 404
    assert ours.http.get(PATH).json()["items"] == []
    below = ours.http.post(PATH, json={"title": "x", "parent_id": task["id"]})
    assert below.status_code == 404
    assert theirs.http.get(path).json() == task
