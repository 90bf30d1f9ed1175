"""The same files in a bucket: nothing that a client sees differs."""

import os
from io import BytesIO

import pytest
from fixtures.files import APPEND, TUS, append, begin_tus, content, look, picture, send, upload
from fixtures.installation import SignUp, TestTenant, WebServer
from fixtures.s3 import S3, moved
from tusclient.client import TusClient

pytestmark = pytest.mark.xdist_group("s3")


@pytest.fixture
def tenant(sign_up: SignUp, on_s3: WebServer) -> TestTenant:
    return moved(sign_up("notes"), on_s3)


def test_a_file_goes_there_in_parts_and_comes_back(tenant: TestTenant, s3: S3) -> None:
    sent = os.urandom(12_000_000)  # more than one part of a multipart upload
    file = upload(tenant, sent, "../secret name.bin")
    assert content(tenant, file).content == sent
    (key,) = [key for key in s3.contents() if file["id"] in key]
    assert key.startswith("some/prefix/")
    assert "secret" not in key


def test_a_range_comes_from_there(tenant: TestTenant) -> None:
    file = upload(tenant, b"abcdefghij")
    assert content(tenant, file, Range="bytes=2-4").content == b"cde"
    several = content(tenant, file, Range="bytes=0-0,9-9")
    assert several.status_code == 206
    assert int(several.headers["content-length"]) == len(several.content)


def test_a_refused_file_leaves_nothing_there(tenant: TestTenant, s3: S3) -> None:
    before = set(s3.contents())
    assert send(tenant, os.urandom(9_000_000), Repr_Digest="sha-256=:AAAA:").status_code == 422
    assert set(s3.contents()) == before


def test_a_resumable_upload_is_put_together_there(tenant: TestTenant) -> None:
    sent = os.urandom(1_000_000)
    token = tenant.owner.tokens["access_token"]
    client = TusClient(f"{tenant.url}/api/v1/files/tus", {"Authorization": f"Bearer {token}"})
    uploader = client.uploader(file_stream=BytesIO(sent), chunk_size=300_000)
    uploader.upload()
    assert uploader.url is not None
    assert content(tenant, {"id": uploader.url.rpartition("/")[2]}).content == sent


def test_a_dropped_upload_is_deleted_there(tenant: TestTenant, s3: S3) -> None:
    address = begin_tus(tenant, 100)
    append(tenant, address, 0, b"x" * 10)
    name = address.rpartition("/")[2]
    assert any(name in key for key in s3.contents())
    assert tenant.http.delete(address, headers=TUS).status_code == 204
    assert not any(name in key for key in s3.contents())


def test_a_preview_is_made_and_kept_there(tenant: TestTenant, s3: S3) -> None:
    file = upload(tenant, picture("png"), "a.png")
    answer = tenant.http.get(f"/api/v1/files/{file['id']}/preview?size=64")
    assert look(answer.content).width == 64
    assert any(key.endswith(f"{file['id']}/preview-64.webp") for key in s3.contents())


def test_a_bucket_that_is_gone_is_told(tenant: TestTenant, s3: S3) -> None:
    file = upload(tenant, b"x")
    s3.stop()
    try:
        answer = send(tenant, b"x")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert content(tenant, file).status_code == 503
        begun = tenant.http.post(
            "/api/v1/files/tus", content=b"x", headers={**APPEND, "Upload-Length": "9"}
        )
        assert begun.status_code == 503
    finally:
        s3.start()
    assert content(tenant, file).status_code == 503  # it is gone, and that is our fault
    assert send(tenant, b"x").status_code == 201
