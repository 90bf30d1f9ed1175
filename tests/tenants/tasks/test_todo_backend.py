"""Todo-Backend, as a browser's script speaks to it: no token, another origin, absolute URLs."""

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fixtures.installation import Installation, SignUp, TestTenant

ROOT = "/compat/todo-backend"
ORIGIN = {"Origin": "https://todo.example"}


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("tasks")


class Client:
    """Knows the root's address only, as the specification's clients do."""

    def __init__(self, http: httpx.Client, root: str) -> None:
        self.http, self.root = http, root

    def call(self, method: str, url: str, body: Any = None) -> httpx.Response:
        answer = self.http.request(method, url, json=body, headers=ORIGIN)
        assert answer.headers["access-control-allow-origin"] == "*", answer.text
        return answer

    def todos(self) -> list[dict[str, Any]]:
        return list(self.call("GET", self.root).json())

    def add(self, **todo: Any) -> dict[str, Any]:
        answer = self.call("POST", self.root, {"title": "walk the dog", **todo})
        assert answer.status_code == 201, answer.text
        assert answer.headers["location"] == answer.json()["url"]
        return dict(answer.json())


@pytest.fixture(params=["inbox", "link"])
def client(request: pytest.FixtureRequest, tenant: TestTenant) -> Client:
    if request.param == "inbox":
        return Client(tenant.http, f"{tenant.url}{ROOT}")
    link = tenant.http.post("/api/v1/tasks/links", json={})
    assert link.status_code == 201, link.text
    path = urlsplit(link.json()["url"]).path
    return Client(tenant.anonymous(), tenant.url + path)


def test_a_list_is_emptied_and_filled(client: Client) -> None:
    assert client.todos() == []
    todo = client.add()
    assert (todo["title"], todo["completed"]) == ("walk the dog", False)
    assert urlsplit(todo["url"]).netloc == urlsplit(client.root).netloc
    assert client.todos() == [todo]
    assert client.call("GET", todo["url"]).json() == todo
    assert client.call("DELETE", client.root).is_success
    assert client.todos() == []
    assert client.call("GET", todo["url"]).status_code == 404


def test_a_todo_changes_and_stays_changed(client: Client) -> None:
    todo = client.add()
    for change in ({"title": "bathe the cat"}, {"completed": True}, {"completed": True}):
        changed = client.call("PATCH", todo["url"], change).json()
        assert changed.items() >= change.items()
        assert client.call("GET", todo["url"]).json() == changed
    assert client.call("PATCH", todo["url"], {"completed": False}).json()["completed"] is False
    assert client.call("DELETE", todo["url"]).is_success
    assert client.todos() == []


def test_orders_are_the_clients(client: Client) -> None:
    first = client.add(order=523)
    second = client.add(title="b", order=10)
    assert (first["order"], second["order"]) == (523, 10)
    assert [todo["title"] for todo in client.todos()] == ["b", "walk the dog"]
    moved = client.call("PATCH", second["url"], {"order": 950}).json()
    assert moved["order"] == 950
    assert [todo["title"] for todo in client.todos()] == ["walk the dog", "b"]
    assert client.add(completed=True)["completed"] is True


def test_faults_are_told_and_cross_the_origin(client: Client) -> None:
    faults: tuple[Any, ...] = ({}, {"title": ""}, {"title": 3}, {"title": "x", "order": 10**17}, [])
    for body in faults:
        assert client.call("POST", client.root, body).status_code == 400
    preflight = client.http.options(
        client.root, headers={**ORIGIN, "Access-Control-Request-Method": "PATCH"}
    )
    assert preflight.is_success
    assert "PATCH" in preflight.headers["access-control-allow-methods"]
    assert "content-type" in preflight.headers["access-control-allow-headers"].lower()


def test_todos_are_tasks_of_the_project_that_a_link_opens(tenant: TestTenant) -> None:
    project = tenant.http.post("/api/v1/tasks/projects", json={"title": "P"}).json()
    body = {"project_id": project["id"]}
    link = tenant.http.post("/api/v1/tasks/links", json=body).json()
    client = Client(tenant.anonymous(), tenant.url + urlsplit(link["url"]).path)
    todo = client.add()
    task = tenant.http.get(f"/api/v1/tasks/{todo['id']}").json()
    assert (task["project_id"], task["title"]) == (project["id"], "walk the dog")
    other = tenant.http.post("/api/v1/tasks", json={"title": "in the inbox"}).json()
    assert client.call("GET", f"{client.root}/{other['id']}").status_code == 404
    assert client.call("DELETE", f"{client.root}/{other['id']}").status_code == 404


def test_a_link_is_its_hosts_and_ends_at_once(
    tenant: TestTenant, sign_up: SignUp, installation: Installation
) -> None:
    link = tenant.http.post("/api/v1/tasks/links", json={}).json()
    parts = urlsplit(link["url"])
    base = f"{tenant.slug}.{installation.settings.base_domain}"
    assert parts.netloc.partition(":")[0] == base
    by_host = httpx.get(tenant.url + parts.path, headers={"Host": parts.netloc})
    assert by_host.json() == []
    assert httpx.get(tenant.url + parts.path).status_code == 400  # no tenant
    assert sign_up("tasks").anonymous().get(parts.path).status_code == 404
    assert tenant.anonymous().get(f"{ROOT}/guess").status_code == 404
    assert tenant.anonymous().get(ROOT).status_code == 401
    assert tenant.add_user().http.post("/api/v1/tasks/links", json={}).status_code == 403
    assert tenant.http.get("/api/v1/tasks/links").json()[0]["id"] == link["id"]
    assert tenant.http.delete(f"/api/v1/tasks/links/{link['id']}").status_code == 204
    assert tenant.anonymous().get(parts.path).status_code == 404
