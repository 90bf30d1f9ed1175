"""Whatever is killed, whenever: no file without its bytes, and what was safe stays so."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
from fixtures.files import APPEND, TUS, append, begin_tus, content, upload, used
from fixtures.installation import Installation, SignUp, TestTenant, WebServer, free_port
from fixtures.s3 import moved
from fixtures.waiting import eventually

MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def web(installation: Installation) -> Iterator[WebServer]:
    """A web server of its own, to be killed."""
    environ = installation.environ | {"INSULA_METRICS_PORT": str(free_port())}
    server = WebServer(environ, installation.home / "web-crash.log")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def tenant(sign_up: SignUp, web: WebServer) -> TestTenant:
    return moved(sign_up(), web)


def _kill(web: WebServer) -> None:
    """As the kernel would when memory runs out; the worker dies with its parent."""
    assert web.process is not None
    os.kill(web.process.pid, signal.SIGKILL)
    web.process.wait()


def _begin(tenant: TestTenant, method: str, path: str, sent: bytes, **more: str) -> socket.socket:
    """A request whose body has begun and goes on for a long time."""
    host, port = tenant.url.removeprefix("http://").split(":")
    headers = {
        "Host": host,
        "Authorization": f"Bearer {tenant.owner.tokens['access_token']}",
        "Content-Length": str(64 * MEGABYTE),
        **more,
    }
    lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
    connection = socket.create_connection((host, int(port)))
    connection.sendall("\r\n".join(lines).encode() + sent)
    return connection


def _fetch(installation: Installation, tenant: TestTenant, query: str) -> list[Any]:
    async def read() -> list[Any]:
        connection = await asyncpg.connect(installation.settings.database_url)
        try:
            number = await connection.fetchval(
                "SELECT number FROM ctl.tenants WHERE slug = $1", tenant.slug
            )
            await connection.execute(f"SET search_path = t_{number}")
            return [(number, *row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    return asyncio.run(read())


def test_a_file_is_never_there_without_its_bytes(
    tenant: TestTenant, web: WebServer, installation: Installation
) -> None:
    whole = upload(tenant, b"whole")
    with _begin(tenant, "POST", "/api/v1/files?name=half", b"x" * 20 * MEGABYTE):
        begun = "SELECT id FROM uploads WHERE NOT resumable"
        eventually(lambda: _fetch(installation, tenant, begun))
        _kill(web)
    web.start()
    moved(tenant, web)
    assert [file["id"] for file in tenant.http.get("/api/v1/files").json()["items"]] == [
        whole["id"]
    ]
    assert content(tenant, whole).content == b"whole"
    for number, file_id, blob in _fetch(installation, tenant, "SELECT id, blob FROM files"):
        assert (installation.settings.home / "files" / str(number) / str(file_id) / blob).exists()
    # What was reserved is known by a row, which is what the sweep goes by.
    ((_, size),) = _fetch(installation, tenant, "SELECT size FROM uploads")
    assert used(tenant) == len(b"whole") + size


def test_a_resumable_upload_survives(tenant: TestTenant, web: WebServer) -> None:
    sent = os.urandom(20 * MEGABYTE)
    address = begin_tus(tenant, len(sent))

    def offset() -> int:
        return int(tenant.http.head(address, headers=TUS).headers["upload-offset"])

    headers = {**APPEND, "Upload-Offset": "0"}
    with _begin(tenant, "PATCH", address, sent[: 18 * MEGABYTE], **headers):
        safe = eventually(offset)
        _kill(web)
    web.start()
    moved(tenant, web)
    assert offset() >= safe > 0
    start = offset()
    assert append(tenant, address, start, sent[start:]).status_code == 204
    assert content(tenant, {"id": address.rpartition("/")[2]}).content == sent


def test_what_is_new_takes_over_from_what_is_dead(
    tenant: TestTenant, installation: Installation
) -> None:
    sent = os.urandom(12 * MEGABYTE)
    address = begin_tus(tenant, len(sent))
    headers = {**APPEND, "Upload-Offset": "0"}
    with _begin(tenant, "PATCH", address, sent[:MEGABYTE], **headers):  # and then silence
        writing = "SELECT id FROM uploads WHERE writer IS NOT NULL"
        eventually(lambda: _fetch(installation, tenant, writing))
        assert append(tenant, address, 0, sent).status_code == 204
    assert content(tenant, {"id": address.rpartition("/")[2]}).content == sent
