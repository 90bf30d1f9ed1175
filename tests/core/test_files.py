"""Files: uploaded, read, renamed, thrown away; and nobody is harmed by what is in them."""

import base64
import hashlib
from typing import Any

import httpx
from fixtures.installation import TestTenant

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def upload(tenant: TestTenant, content: bytes, name: str = "a.txt", **headers: str) -> Any:
    answer = tenant.http.post(
        "/api/v1/files",
        params={"name": name},
        content=content,
        headers={"Content-Type": "application/octet-stream", **headers},
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


def content(tenant: TestTenant, file: Any, **headers: str) -> httpx.Response:
    return tenant.http.get(f"/api/v1/files/{file['id']}/content", headers=headers)


def test_what_was_uploaded_comes_back(acme: TestTenant) -> None:
    sent = bytes(range(256)) * 5000
    file = upload(acme, sent, "a b.bin")
    assert (file["name"], file["size"]) == ("a b.bin", len(sent))
    assert file["sha256"] == hashlib.sha256(sent).hexdigest()
    answer = content(acme, file)
    assert answer.content == sent
    assert answer.headers["content-length"] == str(len(sent))
    digest = base64.b64encode(hashlib.sha256(sent).digest()).decode()
    assert answer.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert acme.http.get(f"/api/v1/files/{file['id']}").json() == file
    assert acme.http.get("/api/v1/files").json()["items"] == [file]
