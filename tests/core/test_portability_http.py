"""What a tenant's own people do: download an archive, fill an empty tenant from one."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fixtures.archives import Carrier, Forged, Opened, grown_younger
from fixtures.background import WorkerProcess
from fixtures.files import content, upload
from fixtures.installation import Installation, SignUp, TestTenant
from fixtures.mail import MailServer
from fixtures.polls import new_poll
from fixtures.receiver import Receiver
from fixtures.waiting import eventually

OVER = {"succeeded", "failed", "cancelled"}


@pytest.fixture
def tenant(sign_up: SignUp, worker: WorkerProcess) -> TestTenant:
    made = sign_up("notes", "tasks")
    made.http.post("/api/v1/notes", json={"title": "One", "body": "text"})
    return made


def _exported(http: httpx.Client, path: str) -> tuple[dict[str, Any], str]:
    """The export, once it is ready, and where it is."""
    answer = http.post(path)
    assert answer.status_code == 202, answer.text
    where = answer.headers["location"]

    def look() -> dict[str, Any]:
        export: dict[str, Any] = http.get(where).json()
        assert export["status"] not in {"queued", "running"}
        return export

    return eventually(look), where


def _imported(tenant: TestTenant, archive: bytes) -> dict[str, Any]:
    """The job, once it is over."""
    file = upload(tenant, archive, name="archive.tar.zst")
    answer = tenant.http.post("/api/v1/imports", json={"file_id": file["id"]})
    assert answer.status_code == 202, answer.text

    def look() -> dict[str, Any]:
        job: dict[str, Any] = tenant.http.get(answer.headers["location"]).json()
        assert job["status"] in OVER
        return job

    return eventually(look)


def _copy(tenant: TestTenant, slug: str) -> TestTenant:
    copy = TestTenant(tenant.url, slug, "", None)  # type: ignore[arg-type]
    copy.owner = copy.sign_in(tenant.owner.email)
    return copy


def test_an_admin_downloads_everything(tenant: TestTenant) -> None:
    admin = tenant.add_user("admin")
    upload(tenant, b"the bytes")
    export, where = _exported(admin.http, "/api/v1/exports")
    assert (export["status"], export["kind"]) == ("ready", "tenant")
    until = datetime.fromisoformat(export["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=6) < until <= timedelta(days=7)
    answer = admin.http.get(f"{where}/archive")
    assert answer.headers["content-type"] == "application/zstd"
    assert f'filename="{tenant.slug}-' in answer.headers["content-disposition"]
    archive = Opened.of(answer.content)
    archive.check_sums()
    assert [row["title"] for row in archive.rows("notes")] == ["One"]
    assert {row["password_hash"] for row in archive.rows("users")} == {None}
    part = admin.http.get(f"{where}/archive", headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, answer.content[:4])

    assert admin.http.delete(where).status_code == 204
    assert admin.http.get(where).status_code == 404


def test_only_admins_may(tenant: TestTenant) -> None:
    member = tenant.add_user("member")
    for path in ("/api/v1/exports", f"/api/v1/users/{tenant.id}/exports", "/api/v1/imports"):
        body = {"json": {"file_id": tenant.id}} if path.endswith("imports") else {}
        assert member.http.post(path, **body).status_code == 403  # type: ignore[arg-type]
    admin = tenant.add_user("admin")
    answer = admin.http.post("/api/v1/imports", json={"file_id": tenant.id})
    assert answer.status_code == 403  # only an owner


def test_people_take_their_own_data_with_them(tenant: TestTenant) -> None:
    member, other = tenant.add_user("member"), tenant.add_user("member")
    for user, title in ((member, "Mine"), (other, "Theirs")):
        assert user.http.post("/api/v1/notes", json={"title": title}).status_code == 201
    export, where = _exported(member.http, "/api/v1/me/exports")
    archive = Opened.of(member.http.get(f"{where}/archive").content)
    assert [row["title"] for row in archive.rows("notes")] == ["Mine"]
    assert [row["email"] for row in archive.rows("users")] == [member.email]
    assert len(archive.rows("sessions")) == 1
    everything = b"".join(archive.members.values()).decode()
    assert other.email not in everything
    assert tenant.owner.email not in everything
    for path in (where, f"{where}/archive"):
        assert other.http.get(path).status_code == 404
    assert export["person_id"] == archive.manifest["person"]


def test_an_empty_tenant_is_filled_by_its_owner(tenant: TestTenant, sign_up: SignUp) -> None:
    file = upload(tenant, b"the bytes")
    _, where = _exported(tenant.http, "/api/v1/exports")
    archive = tenant.http.get(f"{where}/archive").content
    empty = sign_up()
    job = _imported(empty, archive)
    assert job["status"] == "succeeded", job
    assert job["result"]["modules"] == ["notes", "tasks"]
    assert [n["title"] for n in empty.http.get("/api/v1/notes").json()["items"]] == ["One"]
    assert [f["id"] for f in empty.http.get("/api/v1/files").json()["items"]] == [file["id"]]
    assert content(empty, file).content == b"the bytes"
    assert empty.http.get("/api/v1/files/usage").json()["bytes"] == len(b"the bytes")
    people = {user["email"] for user in empty.http.get("/api/v1/users").json()["items"]}
    assert people == {tenant.owner.email, empty.owner.email}

    again = upload(empty, archive)
    answer = empty.http.post("/api/v1/imports", json={"file_id": again["id"]})
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("/tenant-not-empty")


def test_an_archive_of_an_older_release_fills_a_tenant_too(
    tenant: TestTenant, sign_up: SignUp
) -> None:
    file = upload(tenant, b"the bytes")
    note = tenant.http.post("/api/v1/notes", json={"title": "Two", "body": "radishes"}).json()
    _, where = _exported(tenant.http, "/api/v1/exports")
    archive = Opened.of(tenant.http.get(f"{where}/archive").content)
    empty = sign_up()
    job = _imported(empty, grown_younger(archive).pack())
    assert job["status"] == "succeeded", job
    assert content(empty, file).content == b"the bytes"
    found = empty.http.get("/api/v1/search?q=radish").json()["items"]
    assert [line["id"] for line in found] == [note["id"]]
    three = empty.http.post("/api/v1/notes", json={"title": "Three", "body": ""})
    assert three.status_code == 201
    people = {user["email"] for user in empty.http.get("/api/v1/users").json()["items"]}
    assert people == {tenant.owner.email, empty.owner.email}
    _, again = _exported(empty.http, "/api/v1/exports")
    copy = Opened.of(empty.http.get(f"{again}/archive").content)
    assert copy.manifest["modules"] == archive.manifest["modules"]


def test_who_imports_takes_the_place_of_who_has_the_same_address(
    tenant: TestTenant, sign_up: SignUp
) -> None:
    _, where = _exported(tenant.http, "/api/v1/exports")
    archive = Forged(dict(Opened.of(tenant.http.get(f"{where}/archive").content).members))
    empty = sign_up()
    archive.row("users", lambda row: row.update(email=empty.owner.email))
    was = tenant.http.get("/api/v1/me").json()["user"]["id"]
    assert _imported(empty, archive.pack())["status"] == "succeeded"
    me = empty.sign_in(empty.owner.email).http.get("/api/v1/me").json()
    assert (me["user"]["id"], me["user"]["role"]) == (was, "owner")


def test_what_is_refused_changes_nothing(tenant: TestTenant, sign_up: SignUp) -> None:
    upload(tenant, b"the bytes")
    _, where = _exported(tenant.http, "/api/v1/exports")
    archive = Forged(dict(Opened.of(tenant.http.get(f"{where}/archive").content).members))
    name = next(name for name in archive.members if name.startswith("files/"))
    archive.members[name] = b"THE BYTES"
    empty = sign_up()
    job = _imported(empty, archive.pack())
    assert (job["status"], "other bytes" in job["error"]) == ("failed", True)
    assert empty.http.get("/api/v1/notes").status_code == 404
    assert len(empty.http.get("/api/v1/files").json()["items"]) == 1
    enabled = [m["name"] for m in empty.http.get("/api/v1/modules").json() if m["enabled"]]
    assert enabled == []


def test_what_was_planned_comes_to_pass_in_the_copy(
    installation: Installation, sign_up: SignUp, worker: WorkerProcess, tmp_path: Path
) -> None:
    tenant, carrier = sign_up("blog", "polls"), Carrier(installation, tmp_path)
    article = tenant.http.post("/api/v1/blog/articles", json={"title": "A", "body": "text"}).json()
    soon = (datetime.now(UTC) + timedelta(seconds=5)).isoformat()
    path = f"/api/v1/blog/articles/{article['id']}"
    assert tenant.http.post(f"{path}/publish", json={"at": soon}).json()["status"] == "scheduled"
    poll = new_poll(tenant, voters="user", closes_at=soon)
    archive, slug = carrier.export(tenant.slug), f"c-{secrets.token_hex(6)}"
    eventually(lambda: tenant.http.get(path).json()["status"] == "published")
    carrier.import_(archive, slug)
    copy = _copy(tenant, slug)
    eventually(lambda: copy.http.get(path).json()["status"] == "published")
    eventually(lambda: copy.http.get(poll).json()["state"] == "closed")
    copy.close()


def test_importing_sends_nothing_to_anybody(
    installation: Installation,
    tenant: TestTenant,
    make_receiver: Callable[[], Receiver],
    mail_server: MailServer,
    tmp_path: Path,
) -> None:
    carrier, receiver = Carrier(installation, tmp_path), make_receiver()
    task = tenant.http.post("/api/v1/tasks", json={"title": "A task"}).json()
    soon = datetime.now(UTC) + timedelta(seconds=4)
    remind = {"at": soon.isoformat()}
    assert tenant.http.post(f"/api/v1/tasks/{task['id']}/reminders", json=remind).status_code == 201
    asked = {"url": receiver.url, "events": ["*"]}
    webhook = tenant.http.post("/api/v1/webhooks", json=asked).json()
    archive, slugs = carrier.export(tenant.slug), []
    for _ in range(2):
        slugs.append(f"c-{secrets.token_hex(6)}")
        carrier.import_(archive, slugs[-1])
    heard = len(receiver.wait_for(1)) if receiver.requests else 0
    # The original's reminder is mailed, once: those of the copies would be due in the same second.
    assert len(mail_server.wait_for(tenant.owner.email)) == 1
    copies = [_copy(tenant, slug) for slug in slugs]
    for copy in copies:
        (found,) = copy.http.get("/api/v1/webhooks").json()["items"]
        assert (found["id"], found["status"]) == (webhook["id"], "disabled")
        assert found["disabled_because"] == "imported"
        assert copy.http.get("/api/v1/events").json()["items"] == []
        jobs = copy.http.get("/api/v1/jobs").json()["items"]
        assert [job["name"] for job in jobs] == ["imports.arrive"]
        assert copy.http.post("/api/v1/notes", json={"title": "New"}).status_code == 201
    tenant.http.post("/api/v1/notes", json={"title": "Of the original"})
    eventually(lambda: len(receiver.requests) > heard)
    sources = {request.event["source"] for request in receiver.requests}
    assert sources == {f"urn:uuid:{tenant.id}"}
    assert len(mail_server.to(tenant.owner.email)) == 1
    rotate = f"/api/v1/webhooks/{webhook['id']}/rotate"
    rotated = copies[0].http.post(rotate, json={}).json()
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != webhook["secret"]
    for copy in copies:
        copy.close()
