"""Tasks by GraphQL."""

import pytest
from fixtures.graph import data_of, problem_of
from fixtures.installation import SignUp, TestTenant

CREATE = "mutation ($task: TaskCreateInput!) {createTask(task: $task) {id uuid title version}}"


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("tasks")


def test_a_task_is_made_changed_done_and_deleted(tenant: TestTenant) -> None:
    http = tenant.http
    me = data_of(http, "{me {user {uuid}}}")["me"]["user"]["uuid"]
    task = {
        "title": "Pay rent",
        "dueDate": "2099-05-01",
        "dueTime": "09:00:00",
        "assigneeIds": [me],
    }
    made = data_of(http, CREATE, task=task)["createTask"]
    change = (
        "mutation ($id: ID!, $v: Int) "
        "{updateTask(id: $id, changes: {priority: 1}, version: $v) {priority}}"
    )
    assert data_of(http, change, id=made["id"], v=1) == {"updateTask": {"priority": 1}}
    assert problem_of(http, change, id=made["id"], v=1) == "precondition-failed"
    done = "mutation ($id: ID!) {completeTask(id: $id) {done}}"
    assert data_of(http, done, id=made["id"]) == {"completeTask": {"done": True}}
    listed = "{tasks {nodes {title dueDate dueTime position assignees {email} project {inboxOf}}}}"
    [shown] = data_of(http, listed)["tasks"]["nodes"]
    assert (shown["dueDate"], shown["dueTime"]) == ("2099-05-01", "09:00:00")
    assert shown["assignees"] == [{"email": tenant.owner.email}]
    assert shown["project"] == {"inboxOf": me}
    assert shown["position"] > 2**31
    data_of(http, "mutation ($id: ID!) {deleteTask(id: $id)}", id=made["id"])
    assert data_of(http, listed)["tasks"]["nodes"] == []


def test_a_line_becomes_a_task(tenant: TestTenant) -> None:
    add = 'mutation {quickAddTask(text: "Water plants every day #home !2") {title labels priority}}'
    made = data_of(tenant.http, add)["quickAddTask"]
    assert made == {"title": "Water plants", "labels": ["home"], "priority": 2}


def test_what_is_private_stays_so(tenant: TestTenant) -> None:
    made = data_of(tenant.http, CREATE, task={"title": "Mine"})["createTask"]
    member = tenant.add_user().http
    node = "query ($id: ID!) {node(id: $id) {id}}"
    assert data_of(member, node, id=made["id"]) == {"node": None}
    assert data_of(member, "{tasks {nodes {id}}}")["tasks"]["nodes"] == []
    done = "mutation ($id: ID!) {completeTask(id: $id) {done}}"
    assert problem_of(member, done, id=made["id"]) == "not-found"


def test_isolation(sign_up: SignUp) -> None:
    ours, theirs = sign_up("tasks"), sign_up("tasks")
    project = 'mutation {createProject(project: {title: "All", visibility: "tenant"}) {id uuid}}'
    made = data_of(theirs.http, project)["createProject"]
    node = "query ($id: ID!) {node(id: $id) {id}}"
    assert data_of(ours.http, node, id=made["id"]) == {"node": None}
    task = {"title": "x", "projectId": made["uuid"]}
    assert problem_of(ours.http, CREATE, task=task) in ("not-found", "tasks-project-not-found")
