"""Notes that change under the eyes of whoever has them open: HTTP → outbox → relay → WebSocket."""

from typing import Any

from fixtures.background import WorkerProcess
from fixtures.installation import SignUp
from fixtures.live import LiveClient, live


async def _kinds(client: LiveClient, count: int) -> list[tuple[str, Any]]:
    """Type and revision of the next events."""
    found: list[tuple[str, Any]] = []
    while len(found) < count:
        message = await client.next()
        if message["type"].startswith("notes."):
            found.append((message["type"], message["data"].get("revision")))
    return found


async def test_every_change_is_seen_once_and_in_order(
    worker: WorkerProcess, sign_up: SignUp
) -> None:
    tenant = sign_up("notes")
    http = tenant.http
    note = http.post("/api/v1/notes", json={"title": "Shed", "body": "- [ ] paint"}).json()
    path, channel = f"/api/v1/notes/{note['id']}", f"notes/{note['id']}"
    async with live(tenant) as client:
        first = await client.subscribe(channel)
        assert first["data"]["revision"] == 1
        assert first["data"]["deleted"] is False
        http.patch(path, json={"body": "- [ ] paint\n- [ ] sweep"})
        http.patch(path, json={"title": "Shed"})  # as it was: no revision, no event
        http.patch(f"{path}/tasks/1", json={"done": True})
        http.delete(path)
        http.post(f"/api/v1/notes/trash/{note['id']}/restore")
        changes = await _kinds(client, 4)
        if changes[0][0] == "notes.note.created":  # it was on its way when we came
            changes = changes[1:] + await _kinds(client, 1)
        assert changes == [
            ("notes.note.updated", 2),
            ("notes.note.updated", 3),
            ("notes.note.deleted", None),
            ("notes.note.restored", 3),
        ]
        last = client.received[-1]
        assert last["subject"] == channel
        assert last["actor_id"] == http.get("/api/v1/me").json()["user"]["id"]
    http.patch(path, json={"title": "Greenhouse"})
    async with live(tenant) as client:
        assert (await client.subscribe(channel, after=last["id"]))["type"] == "resumed"
        assert await _kinds(client, 1) == [("notes.note.updated", 4)]
        assert client.received[-1]["data"]["title"] == "Greenhouse"


async def test_everything_that_happens_is_shown_to_admins(
    worker: WorkerProcess, sign_up: SignUp
) -> None:
    tenant = sign_up("notes")
    async with live(tenant) as client:
        await client.subscribe("events")
        made = tenant.http.post("/api/v1/notes", json={"title": "One", "body": ""}).json()
        message = await client.until("notes.note.created")
        assert message["data"] == {"id": made["id"], "title": "One", "tags": [], "revision": 1}


async def test_imported_notes_are_events_too(worker: WorkerProcess, sign_up: SignUp) -> None:
    tenant = sign_up("notes")
    for number in range(3):
        tenant.http.post("/api/v1/notes", json={"title": f"Note {number}", "body": ""})
    vault = tenant.http.get("/api/v1/notes/export").content
    other = sign_up("notes")
    async with live(other) as client:
        await client.subscribe("events")
        answer = other.http.post(
            "/api/v1/notes/import", content=vault, headers={"Content-Type": "application/zip"}
        )
        assert answer.status_code == 200, answer.text
        titles = {(await client.until("notes.note.created"))["data"]["title"] for _ in range(3)}
        assert titles == {"Note 0", "Note 1", "Note 2"}
