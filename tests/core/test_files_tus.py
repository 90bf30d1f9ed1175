"""Resumable uploads: the tus protocol, by hand and by a client that is not ours."""

import base64
import hashlib
import os
import select
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from fixtures.background import WorkerProcess
from fixtures.files import APPEND, TUS, append, begin_tus, content, used
from fixtures.installation import Installation, TestTenant
from fixtures.node import Node
from fixtures.waiting import eventually
from insula.files.blobs import PART
from tusclient.client import TusClient


def _file(address: str | None) -> Any:
    assert address is not None
    return {"id": address.rpartition("/")[2]}


def _offset(tenant: TestTenant, address: str) -> int:
    answer = tenant.http.head(address, headers=TUS)
    assert answer.status_code == 200, answer.status_code
    return int(answer.headers["upload-offset"])


def test_a_client_that_is_not_ours_uploads_in_parts(acme: TestTenant) -> None:
    sent = os.urandom(3_000_000)
    token = acme.owner.tokens["access_token"]
    client = TusClient(f"{acme.url}/api/v1/files/tus", {"Authorization": f"Bearer {token}"})
    uploader = client.uploader(
        file_stream=BytesIO(sent),
        chunk_size=700_000,
        metadata={"filename": "größe.bin", "colour": "red"},
        upload_checksum=True,
    )
    uploader.upload()
    file = acme.http.get(f"/api/v1/files/{_file(uploader.url)['id']}").json()
    assert (file["name"], file["metadata"]) == ("größe.bin", {"colour": "red"})
    assert file["sha256"] == hashlib.sha256(sent).hexdigest()
    assert content(acme, file).content == sent


def test_that_client_goes_on_where_another_one_stopped(acme: TestTenant) -> None:
    sent = os.urandom(500_000)
    token = acme.owner.tokens["access_token"]
    client = TusClient(f"{acme.url}/api/v1/files/tus", {"Authorization": f"Bearer {token}"})
    first = client.uploader(file_stream=BytesIO(sent), chunk_size=200_000)
    first.upload(stop_at=200_000)
    second = client.uploader(file_stream=BytesIO(sent), chunk_size=200_000, url=first.url)
    assert second.offset == 200_000
    second.upload()
    assert content(acme, _file(second.url)).content == sent


def test_what_the_server_can_do_is_told(acme: TestTenant) -> None:
    answer = acme.anonymous().options("/api/v1/files/tus")
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert "creation-with-upload" in answer.headers["tus-extension"].split(",")
    assert int(answer.headers["tus-max-size"]) > 1 << 30
    assert "sha1" in answer.headers["tus-checksum-algorithm"].split(",")


def test_another_version_is_refused(acme: TestTenant) -> None:
    address = begin_tus(acme, 5)
    for headers in ({}, {"Tus-Resumable": "0.2.2"}):
        answer = acme.http.head(address, headers=headers)
        assert (answer.status_code, answer.headers["tus-version"]) == (412, "1.0.0")


def test_the_file_is_there_when_its_last_byte_is(acme: TestTenant) -> None:
    address = begin_tus(acme, 11, filename="hello.txt", filetype="text/plain")
    first = append(acme, address, 0, b"hello ")
    assert (first.status_code, first.headers["upload-offset"]) == (204, "6")
    assert "upload-expires" in first.headers
    assert acme.http.get(f"/api/v1/files/{_file(address)['id']}").status_code == 404
    assert acme.http.get("/api/v1/files/tus").json()["items"][0]["offset"] == 6
    last = append(acme, address, 6, b"world")
    assert (last.status_code, last.headers["upload-offset"]) == (204, "11")
    assert content(acme, _file(address)).content == b"hello world"
    assert _offset(acme, address) == 11
    assert acme.http.get("/api/v1/files/tus").json()["items"] == []


def test_an_upload_may_begin_with_bytes_or_have_none(acme: TestTenant) -> None:
    begun = acme.http.post(
        "/api/v1/files/tus", content=b"begun", headers={**APPEND, "Upload-Length": "9"}
    )
    assert (begun.status_code, begun.headers["upload-offset"]) == (201, "5")
    append(acme, begun.headers["location"], 5, b"done")
    assert content(acme, _file(begun.headers["location"])).content == b"begundone"
    assert content(acme, _file(begin_tus(acme, 0))).content == b""


REFUSED = {
    "another offset": ({"Upload-Offset": "3"}, b"x", 409),
    "no offset": ({"Upload-Offset": ""}, b"x", 400),
    "another type": ({"Content-Type": "application/octet-stream"}, b"x", 415),
    "too much": ({}, b"x" * 6, 413),
    "a digest of something else": (
        {"Upload-Checksum": "sha1 " + base64.b64encode(hashlib.sha1(b"y").digest()).decode()},
        b"x",
        460,
    ),
    "a digest that nobody knows": ({"Upload-Checksum": "crc32 AAAA"}, b"x", 400),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_moves_nothing(acme: TestTenant, case: str) -> None:
    headers, body, status = REFUSED[case]
    address = begin_tus(acme, 5)
    answer = acme.http.patch(
        address, content=body, headers={**APPEND, "Upload-Offset": "0", **headers}
    )
    assert answer.status_code == status, answer.text
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert _offset(acme, address) == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Upload-Length": "-1"},
        {"Upload-Length": "many"},
        {},
        {"Upload-Length": "5", "Upload-Metadata": "filename not-base64!"},
        {"Upload-Length": "5", "Upload-Metadata": "a YQ==,a YQ=="},
    ],
)
def test_an_upload_that_cannot_be_understood_is_not_begun(
    acme: TestTenant, headers: dict[str, str]
) -> None:
    answer = acme.http.post("/api/v1/files/tus", headers={**TUS, **headers})
    assert answer.status_code == 400, answer.text


def test_of_those_who_write_the_same_bytes_one_succeeds(acme: TestTenant) -> None:
    address = begin_tus(acme, 400_000)
    bodies = [bytes([number]) * 400_000 for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda body: append(acme, address, 0, body).status_code, bodies))
    assert statuses.count(204) == 1, statuses
    assert set(statuses) <= {204, 409, 404}
    winner = bodies[statuses.index(204)]
    assert content(acme, _file(address)).content == winner


def test_who_is_overtaken_while_sending_is_told_so(
    acme: TestTenant, installation: Installation, worker: WorkerProcess
) -> None:
    """A checksum holds back what has arrived, and a job tidies it away meanwhile."""
    early = PART + (2 << 20)  # more than a part, whatever the pieces are that it is read in
    size = early + 100
    address, slow, overtaken = begin_tus(acme, size), os.urandom(size), Event()
    folders = installation.settings.home / "files"
    parts = f"*/{_file(address)['id']}/part-*"

    def slowly() -> Iterator[bytes]:
        yield slow[:early]
        overtaken.wait(60)
        yield slow[early:]

    digest = base64.b64encode(hashlib.sha1(slow, usedforsecurity=False).digest()).decode()
    headers = {"Upload-Checksum": f"sha1 {digest}", "Content-Length": str(size)}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(append, acme, address, 0, slowly(), **headers)
        eventually(lambda: list(folders.glob(parts)))
        assert append(acme, address, 0, b"y" * size).status_code == 204
        eventually(lambda: not list(folders.glob(parts)))
        overtaken.set()
        assert first.result().status_code == 409
    assert content(acme, _file(address)).content == b"y" * size


def test_what_arrived_before_the_connection_broke_is_kept(acme: TestTenant) -> None:
    address = begin_tus(acme, 100_000)
    _send_a_part(acme, address, declared=100_000, sent=b"x" * 60_000)
    eventually(lambda: _offset(acme, address) == 60_000)
    assert append(acme, address, 60_000, b"y" * 40_000).status_code == 204
    assert content(acme, _file(address)).content == b"x" * 60_000 + b"y" * 40_000


def _send_a_part(tenant: TestTenant, address: str, *, declared: int, sent: bytes) -> None:
    """A request that ends before its body does."""
    host, port = tenant.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(_head(tenant, address, host, declared) + sent)
        connection.shutdown(socket.SHUT_WR)


def _head(tenant: TestTenant, address: str, host: str, declared: int) -> bytes:
    headers = {
        **APPEND,
        "Host": host,
        "Authorization": f"Bearer {tenant.owner.tokens['access_token']}",
        "Upload-Offset": "0",
        "Content-Length": str(declared),
    }
    lines = [f"PATCH {address} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
    return "\r\n".join(lines).encode()


def test_who_is_refused_early_gets_to_hear_it(acme: TestTenant) -> None:
    """Many clients read the answer only when they have sent all: were the connection closed on
    bytes that nobody has read, it would be reset and the answer lost."""
    address = begin_tus(acme, 1_000_000)
    assert append(acme, address, 0, b"x" * 10).status_code == 204
    host, port = acme.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(_head(acme, address, host, 800_000) + b"y" * 300_000)
        assert not select.select([connection], [], [], 0.3)[0]
        for _ in range(5):
            connection.sendall(b"y" * 100_000)
        assert connection.recv(100).startswith(b"HTTP/1.1 409")


def test_a_dropped_upload_leaves_nothing(acme: TestTenant, installation: Installation) -> None:
    address = begin_tus(acme, 1000)
    append(acme, address, 0, b"x" * 400)
    folders = installation.settings.home / "files"
    name = _file(address)["id"]
    assert list(folders.glob(f"*/{name}/*"))
    assert used(acme) == 1000
    assert acme.http.delete(address, headers=TUS).status_code == 204
    assert acme.http.head(address, headers=TUS).status_code == 404
    assert append(acme, address, 400, b"x").status_code == 404
    assert used(acme) == 0
    assert not list(Path(folders).glob(f"*/{name}/*"))


_UPLOAD = """
const { Upload } = require('tus-js-client');
const sent = Buffer.alloc(input.size, 'insula ');
const upload = new Upload(sent, {
  endpoint: input.url + '/api/v1/files/tus',
  headers: { Authorization: 'Bearer ' + input.token },
  metadata: { filename: 'from node.txt', filetype: 'text/plain' },
  chunkSize: 400000,
  uploadDataDuringCreation: true,
  onSuccess: () => answer({ url: upload.url }),
  onError: (error) => answer({ error: String(error) }),
});
upload.start();
"""


def test_the_client_that_browsers_use_uploads(acme: TestTenant, node: Node) -> None:
    token = acme.owner.tokens["access_token"]
    said = node(_UPLOAD, {"url": acme.url, "token": token, "size": 1_000_000})
    assert "error" not in said, said
    answer = content(acme, _file(said["url"]))
    assert answer.content == (b"insula " * 142_858)[:1_000_000]
    assert "from node.txt" in answer.headers["content-disposition"]
