"""Projects that change under the eyes of whoever looks at them, and private ones that don't."""

from typing import Any

from fixtures.background import WorkerProcess
from fixtures.installation import SignUp
from fixtures.live import LiveClient, live

PATH = "/api/v1/tasks"


async def _events(client: LiveClient, task: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """The next events about a task."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        message = await client.next()
        if message.get("subject") == f"tasks/{task['id']}":
            found.append(message)
    return found


async def test_a_project_is_seen_to_change(worker: WorkerProcess, sign_up: SignUp) -> None:
    tenant = sign_up("tasks")
    new = {"title": "P", "visibility": "tenant"}
    project = tenant.http.post(f"{PATH}/projects", json=new).json()
    body = {"title": "Sweep", "project_id": project["id"]}
    tenant.http.post(PATH, json=body)
    member = tenant.add_user()
    async with live(tenant, member) as client:
        first = await client.subscribe(f"tasks/{project['id']}")
        assert [task["title"] for task in first["data"]] == ["Sweep"]
        task = tenant.http.post(PATH, json={**body, "title": "Paint"}).json()
        path = f"{PATH}/{task['id']}"
        member.http.patch(path, json={"priority": 1})
        member.http.post(f"{path}/comments", json={"body": "Red?"})
        tenant.http.post(f"{path}/complete")
        tenant.http.delete(path)
        seen = await _events(client, task, 5)
        assert [event["type"] for event in seen] == [
            "tasks.task.created",
            "tasks.task.updated",
            "tasks.comment.added",
            "tasks.task.completed",
            "tasks.task.deleted",
        ]
        assert seen[0]["data"]["title"] == "Paint"
        assert seen[1]["data"]["changed"] == ["priority"]


async def test_a_private_project_is_neither_watched_nor_named(
    worker: WorkerProcess, sign_up: SignUp
) -> None:
    tenant = sign_up("tasks")
    project = tenant.http.post(f"{PATH}/projects", json={"title": "Secret"}).json()
    admin = tenant.add_user("admin")
    async with live(tenant, admin) as client:
        refused = await client.subscribe(f"tasks/{project['id']}")
        assert refused["type"] == "error", refused
        assert (await client.subscribe("events"))["type"] != "error"
        body = {"title": "Whisper", "project_id": project["id"]}
        task = tenant.http.post(PATH, json=body).json()
        (created,) = await _events(client, task, 1)
        assert created["data"] == {
            "id": task["id"],
            "project_id": project["id"],
            "version": 1,
            "title": "",
            "changed": [],
        }
        assert "Whisper" not in str(client.received)
        assert "Secret" not in str(client.received)
