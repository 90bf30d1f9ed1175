"""Attachments of notes: the note's own rights, its end is theirs, pictures show where named."""

from typing import Any

import pytest
from fixtures.files import append, begin_tus, picture, upload
from fixtures.installation import SignUp, TestTenant


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("notes")


def write(tenant: TestTenant, body: str = "# Roof") -> str:
    """The note's address."""
    answer = tenant.http.post("/api/v1/notes", json={"body": body})
    assert answer.status_code == 201, answer.text
    return f"/api/v1/notes/{answer.json()['id']}"


def attach(tenant: TestTenant, note: str, content: bytes, name: str) -> Any:
    answer = tenant.http.post(
        f"{note}/attachments",
        params={"name": name},
        content=content,
        headers={"Content-Type": "application/octet-stream"},
    )
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"{note}/attachments/{answer.json()['id']}"
    return answer.json()


def test_what_is_attached_is_read_there(tenant: TestTenant) -> None:
    note = write(tenant)
    file = attach(tenant, note, b"plan", "plan.txt")
    assert tenant.http.get(f"{note}/attachments").json()["items"] == [file]
    address = f"{note}/attachments/{file['id']}"
    assert tenant.http.get(address).json() == file
    part = tenant.http.get(f"{address}/content", headers={"Range": "bytes=1-2"})
    assert (part.status_code, part.content) == (206, b"la")


def test_it_is_nowhere_else(tenant: TestTenant) -> None:
    note, other = write(tenant), write(tenant)
    file = attach(tenant, note, b"plan", "plan.txt")
    assert tenant.http.get("/api/v1/files").json()["items"] == []
    for address in (
        f"/api/v1/files/{file['id']}",
        f"/api/v1/files/{file['id']}/content",
        f"{other}/attachments/{file['id']}",
        f"{other}/attachments/{file['id']}/content",
    ):
        assert tenant.http.get(address).status_code == 404, address
    assert tenant.http.delete(f"/api/v1/files/{file['id']}").status_code == 404
    assert tenant.http.delete(f"{other}/attachments/{file['id']}").status_code == 404


def test_a_file_that_was_uploaded_before_is_attached(tenant: TestTenant) -> None:
    address = begin_tus(tenant, 4, filename="long.txt")
    append(tenant, address, 0, b"long")
    note, file_id = write(tenant), address.rpartition("/")[2]
    attached = tenant.http.put(f"{note}/attachments/{file_id}")
    assert (attached.status_code, attached.json()["name"]) == (200, "long.txt")
    assert tenant.http.get(f"/api/v1/files/{file_id}").status_code == 404
    assert tenant.http.put(f"{write(tenant)}/attachments/{file_id}").status_code == 404


def test_a_file_of_another_note_cannot_be_taken(tenant: TestTenant) -> None:
    file = attach(tenant, write(tenant), b"plan", "plan.txt")
    assert tenant.http.put(f"{write(tenant)}/attachments/{file['id']}").status_code == 404


def test_the_note_has_to_be_there(tenant: TestTenant) -> None:
    gone = "/api/v1/notes/01920000-0000-7000-8000-000000000000"
    assert tenant.http.get(f"{gone}/attachments").status_code == 404
    sent = tenant.http.post(f"{gone}/attachments?name=a", content=b"x")
    assert sent.status_code == 404
    note = write(tenant)
    attach(tenant, note, b"x", "a")
    tenant.http.delete(note)
    assert tenant.http.get(f"{note}/attachments").status_code == 404


def test_a_customer_needs_the_notes_rights(tenant: TestTenant) -> None:
    note = write(tenant)
    file = attach(tenant, note, b"plan", "plan.txt")
    customer = tenant.add_user("customer").http
    address = f"{note}/attachments/{file['id']}"
    assert customer.get(f"{address}/content").status_code == 403
    assert customer.delete(address).status_code == 403
    assert customer.post(f"{note}/attachments", content=b"x").status_code == 403


def test_pictures_are_shown_where_the_text_names_them(tenant: TestTenant) -> None:
    text = "![plan](img/roof%20plan.png) ![[detail.png|200]] ![far](https://example.com/a.png)"
    note = write(tenant, text)
    sent = picture("png", 8, 8)
    attach(tenant, note, picture("png", 4, 4), "roof plan.png")
    attach(tenant, note, sent, "roof plan.png")
    html = tenant.http.get(note).json()["html"]
    shown = f"{note}/attachments/named/roof%20plan.png"
    assert f'<img src="{shown}" alt="plan">' in html
    assert f'<img src="{note}/attachments/named/detail.png"' in html
    assert 'src="https://example.com/a.png"' in html
    answer = tenant.http.get(shown)
    assert (answer.headers["content-type"], answer.content) == ("image/png", sent)
    assert tenant.http.get(f"{note}/attachments/named/detail.png").status_code == 404


def test_a_shared_note_shows_its_pictures_to_everybody(tenant: TestTenant) -> None:
    note = write(tenant, "![plan](plan.png)")
    sent = picture("png", 8, 8)
    attach(tenant, note, sent, "plan.png")
    token = tenant.http.post(f"{note}/shares", json={}).json()["token"]
    nobody = tenant.anonymous()
    html = nobody.get(f"/api/v1/notes/shared/{token}").json()["html"]
    address = f"/api/v1/notes/shared/{token}/attachments/plan.png"
    assert f'<img src="{address}"' in html
    assert nobody.get(address).content == sent
    assert nobody.get(address.replace(token, "x" * len(token))).status_code == 404


def test_an_attachment_cannot_be_made_of_markup_in_a_name(tenant: TestTenant) -> None:
    note = write(tenant, '![x](a"onerror=alert(1).png) ![x](<a" b.png>)')
    html = tenant.http.get(note).json()["html"]
    assert "onerror=alert" not in html.replace("%22onerror%3Dalert", "")
    assert html.count('"') % 2 == 0


def test_two_tenants_see_their_own(sign_up: SignUp) -> None:
    ours, theirs = sign_up("notes"), sign_up("notes")
    note = write(ours)
    file = attach(ours, note, b"ours", "a")
    assert theirs.http.get(f"{note}/attachments/{file['id']}/content").status_code == 404
    own = upload(theirs, b"theirs")
    assert ours.http.put(f"{note}/attachments/{own['id']}").status_code == 404
