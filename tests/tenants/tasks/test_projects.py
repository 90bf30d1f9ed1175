"""Projects: who sees what, who may do what; subtasks and the order by hand."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fixtures.installation import SignUp, TestTenant, User

PATH = "/api/v1/tasks"


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("tasks")


def _project(user: TestTenant | User, **project: Any) -> dict[str, Any]:
    answer = user.http.post(f"{PATH}/projects", json={"title": "P", **project})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def _make(user: TestTenant | User, **task: Any) -> dict[str, Any]:
    answer = user.http.post(PATH, json={"title": "A task", **task})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def _id(user: TestTenant | User) -> str:
    return str(user.http.get("/api/v1/me").json()["user"]["id"])


def _move(user: TestTenant | User, task: dict[str, Any], **to: Any) -> Any:
    return user.http.post(f"{PATH}/{task['id']}/move", json=to)


def _titles(user: TestTenant | User, project: dict[str, Any]) -> list[str]:
    page = user.http.get(f"{PATH}/projects/{project['id']}/tasks?limit=100").json()
    return [item["title"] for item in page["items"]]


def test_a_private_project_is_its_members_alone(tenant: TestTenant) -> None:
    project = _project(tenant, title="Secret")
    path = f"{PATH}/projects/{project['id']}"
    task = _make(tenant, title="Whisper", project_id=project["id"])
    member = tenant.add_user("admin")
    assert member.http.get(path).status_code == 404
    assert member.http.get(f"{path}/tasks").status_code == 404
    assert member.http.get(f"{PATH}/{task['id']}").status_code == 404
    assert member.http.get(f"{PATH}?q=whisper").json()["items"] == []
    assert member.http.get("/api/v1/search?q=whisper").json()["items"] == []
    assert member.http.post(PATH, json={"title": "x", "project_id": project["id"]}).is_error
    assert tenant.http.get("/api/v1/search?q=whisper").json()["items"] != []
    put = tenant.http.put(f"{path}/members/{_id(member)}", json={"role": "viewer"})
    assert put.json()["role"] == "viewer"
    assert member.http.get(f"{PATH}/{task['id']}").json()["title"] == "Whisper"
    assert member.http.get("/api/v1/search?q=whisper").json()["items"] != []
    for refused in (
        member.http.patch(f"{PATH}/{task['id']}", json={"title": "x"}),
        member.http.post(f"{PATH}/{task['id']}/complete"),
        member.http.post(PATH, json={"title": "x", "project_id": project["id"]}),
        member.http.delete(f"{PATH}/{task['id']}"),
    ):
        assert refused.json()["type"].endswith("/tasks-project-read-only"), refused.text
    tenant.http.put(f"{path}/members/{_id(member)}", json={"role": "editor"})
    assert member.http.patch(f"{PATH}/{task['id']}", json={"title": "x"}).status_code == 200
    for refused in (
        member.http.patch(path, json={"title": "Mine"}),
        member.http.delete(path),
        member.http.put(f"{path}/members/{_id(member)}", json={"role": "owner"}),
    ):
        assert refused.json()["type"].endswith("/tasks-project-not-yours")


def test_everybody_works_in_what_the_whole_tenant_sees(tenant: TestTenant) -> None:
    project = _project(tenant, visibility="tenant")
    member = tenant.add_user()
    task = _make(member, project_id=project["id"], assignee_ids=[_id(tenant)])
    assert tenant.http.get(f"{PATH}?assignee_id={_id(tenant)}").json()["items"] == [task]
    path = f"{PATH}/projects/{project['id']}"
    assert tenant.http.patch(path, json={"visibility": "private"}).status_code == 200
    assert member.http.get(f"{PATH}/{task['id']}").status_code == 404


def test_who_leaves_is_no_assignee_any_more_and_an_owner_stays(tenant: TestTenant) -> None:
    project = _project(tenant)
    path = f"{PATH}/projects/{project['id']}/members"
    member = tenant.add_user()
    not_seen = tenant.http.post(
        PATH, json={"title": "x", "project_id": project["id"], "assignee_ids": [_id(member)]}
    )
    assert not_seen.json()["errors"][0]["pointer"] == "/assignee_ids/0"
    tenant.http.put(f"{path}/{_id(member)}", json={"role": "editor"})
    task = _make(tenant, project_id=project["id"], assignee_ids=[_id(member)])
    assert [each["role"] for each in tenant.http.get(path).json()] == ["owner", "editor"]
    assert member.http.delete(f"{path}/{_id(member)}").status_code == 204
    assert tenant.http.get(f"{PATH}/{task['id']}").json()["assignee_ids"] == []
    last = tenant.http.delete(f"{path}/{_id(tenant)}")
    assert last.json()["type"].endswith("/tasks-last-owner")
    demoted = tenant.http.put(f"{path}/{_id(tenant)}", json={"role": "viewer"})
    assert demoted.json()["type"].endswith("/tasks-last-owner")


def test_the_tasks_of_an_archived_project_are_in_its_own_list_only(tenant: TestTenant) -> None:
    project = _project(tenant)
    _make(tenant, title="Old", project_id=project["id"])
    path = f"{PATH}/projects/{project['id']}"
    stale = tenant.http.patch(path, json={"archived": True}, headers={"If-Match": '"9"'})
    assert stale.status_code == 412
    archived = tenant.http.patch(path, json={"archived": True}).json()
    assert archived["archived_at"] is not None
    assert tenant.http.get(PATH).json()["items"] == []
    assert _titles(tenant, project) == ["Old"]
    assert tenant.http.patch(path, json={"archived": False}).json()["archived_at"] is None
    assert tenant.http.delete(path).status_code == 204
    assert tenant.http.get(PATH).json()["items"] == []


def test_subtasks_nest_so_deep_and_never_in_a_circle(tenant: TestTenant) -> None:
    line = [_make(tenant, title="0")]
    for depth in range(1, 5):
        line.append(_make(tenant, title=str(depth), parent_id=line[-1]["id"]))
    assert [task["depth"] for task in line] == [0, 1, 2, 3, 4]
    deeper = tenant.http.post(PATH, json={"title": "5", "parent_id": line[-1]["id"]})
    assert deeper.json()["type"].endswith("/tasks-too-deep")
    for below in (line[0], line[3]):
        circle = _move(tenant, line[0], parent_id=below["id"])
        assert circle.json()["type"].endswith("/tasks-would-circle")
    other = _make(tenant, title="other", parent_id=_make(tenant)["id"])
    assert _move(tenant, line[1], parent_id=other["id"]).json()["type"].endswith("/tasks-too-deep")
    top = _move(tenant, line[2], parent_id=None)
    assert top.json()["depth"] == 0
    assert tenant.http.get(f"{PATH}/{line[4]['id']}").json()["depth"] == 2


def test_a_task_takes_its_subtasks_along(tenant: TestTenant) -> None:
    there = _project(tenant)
    parent = _make(tenant)
    child = _make(tenant, parent_id=parent["id"])
    assert child["project_id"] == parent["project_id"]
    assert _move(tenant, parent, project_id=there["id"]).json()["project_id"] == there["id"]
    assert tenant.http.get(f"{PATH}/{child['id']}").json()["project_id"] == there["id"]
    back = _move(tenant, child, project_id=parent["project_id"]).json()
    assert (back["parent_id"], back["depth"]) == (None, 0)
    stranger = tenant.add_user()
    assert _move(stranger, parent, project_id=there["id"]).status_code == 404


def test_subtasks_are_done_and_begin_again_with_their_task(tenant: TestTenant) -> None:
    parent = _make(tenant)
    children = [_make(tenant, parent_id=parent["id"]) for _ in range(2)]
    path = f"{PATH}/{parent['id']}"
    assert tenant.http.post(f"{path}/complete").json()["done"] is True
    states = [tenant.http.get(f"{PATH}/{each['id']}").json()["done"] for each in children]
    assert states == [True, True]
    assert tenant.http.post(f"{PATH}/{children[0]['id']}/reopen").json()["done"] is False
    assert tenant.http.get(path).json()["done"] is False
    repeat = {"due_date": "2026-05-01", "repeat": "FREQ=WEEKLY", "repeat_missed": "keep"}
    assert tenant.http.patch(path, json=repeat).status_code == 200
    again = tenant.http.post(f"{path}/complete").json()
    assert (again["done"], again["due_date"]) == (False, "2026-05-08")
    states = [tenant.http.get(f"{PATH}/{each['id']}").json()["done"] for each in children]
    assert states == [False, False]


def test_the_order_is_made_by_hand(tenant: TestTenant) -> None:
    project = _project(tenant)
    tasks = [_make(tenant, title=title, project_id=project["id"]) for title in "abcd"]
    assert _titles(tenant, project) == list("abcd")
    _move(tenant, tasks[3], before=tasks[0]["id"])
    assert _titles(tenant, project) == list("dabc")
    _move(tenant, tasks[0], after=tasks[2]["id"])
    assert _titles(tenant, project) == list("dbca")
    _move(tenant, tasks[1])
    assert _titles(tenant, project) == list("dcab")
    _make(tenant, title="e", project_id=project["id"])
    assert _titles(tenant, project) == list("dcabe")
    elsewhere = _make(tenant)
    wrong = _move(tenant, tasks[0], before=elsewhere["id"])
    assert wrong.json()["errors"][0]["pointer"] == "/before"
    both = _move(tenant, tasks[0], before=tasks[1]["id"], after=tasks[2]["id"])
    assert both.status_code == 400


def test_gaps_that_are_used_up_are_made_anew(tenant: TestTenant) -> None:
    """Always between the same two: each time half the gap is left."""
    project = _project(tenant)
    first, *others = (
        _make(tenant, title=str(number), project_id=project["id"]) for number in range(4)
    )
    expected = ["0", "1", "2", "3"]
    for turn in range(40):
        moved = others[-1 - turn % 2]
        assert _move(tenant, moved, after=first["id"]).status_code == 200
        expected.remove(moved["title"])
        expected.insert(1, moved["title"])
        assert _titles(tenant, project) == expected


def test_moves_at_once_lose_nothing_and_tie_nothing(tenant: TestTenant) -> None:
    project = _project(tenant)
    tasks = [_make(tenant, title=str(n), project_id=project["id"]) for n in range(8)]

    def move(number: int) -> int:
        task, neighbour = tasks[number % 8], tasks[(number * 3 + 1) % 8]
        if task is neighbour:
            return 200
        return int(_move(tenant, task, before=neighbour["id"]).status_code)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(move, range(48))) == {200}
    page = tenant.http.get(f"{PATH}/projects/{project['id']}/tasks").json()["items"]
    assert sorted(item["title"] for item in page) == [str(n) for n in range(8)]
    assert len({item["position"] for item in page}) == 8


def test_two_who_move_each_below_the_other_make_no_circle(tenant: TestTenant) -> None:
    a, b = _make(tenant), _make(tenant)

    def below(pair: tuple[dict[str, Any], dict[str, Any]]) -> int:
        return int(_move(tenant, pair[0], parent_id=pair[1]["id"]).status_code)

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(below, [(a, b), (b, a)])) == [200, 409]


def test_two_who_tick_it_at_once_count_once(tenant: TestTenant) -> None:
    task = _make(tenant, due_date="2026-05-01", repeat="FREQ=DAILY", repeat_missed="keep")
    path = f"{PATH}/{task['id']}"

    def tick(_: int) -> int:
        done = tenant.http.post(f"{path}/complete", headers={"If-Match": '"1"'})
        return int(done.status_code)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(tick, range(4))) == [200, 412, 412, 412]
    assert tenant.http.get(path).json()["due_date"] == "2026-05-02"
    assert len(tenant.http.get(f"{path}/completions").json()["items"]) == 1
