"""What happens to files in the background: nothing that nobody wants any more stays."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from fixtures.command import CommandLine
from fixtures.files import append, begin_tus, content, upload, used
from fixtures.installation import Installation, TestTenant
from fixtures.waiting import eventually
from insula.events.relay import CHANNEL

pytestmark = pytest.mark.usefixtures("worker")


def _execute(installation: Installation, tenant: TestTenant, *statements: str) -> int:
    """As the passing of time would; the tenant's number."""

    async def write() -> int:
        connection = await asyncpg.connect(installation.settings.database_url)
        try:
            number: int = await connection.fetchval(
                "SELECT number FROM ctl.tenants WHERE slug = $1", tenant.slug
            )
            await connection.execute(f"SET search_path = t_{number}")
            for statement in statements:
                await connection.execute(statement)
            return number
        finally:
            await connection.close()

    return asyncio.run(write())


def _make_due(installation: Installation, tenant: TestTenant, job: str) -> None:
    """Let the time come for the jobs of a name."""
    number = _execute(installation, tenant)
    waiting = f"tenant = 't_{number}' AND body->>'name' = '{job}'"
    _execute(
        installation,
        tenant,
        f"UPDATE jobs SET due_at = now() WHERE name = '{job}' AND status = 'queued'",
        f"UPDATE spool.outbox SET due_at = now() WHERE {waiting}",
        f"SELECT pg_notify('{CHANNEL}', '')",
    )


def _stored(installation: Installation, file_id: str) -> list[Path]:
    return list((installation.settings.home / "files").glob(f"*/{file_id}/*"))


def test_what_is_deleted_for_good_frees_its_room(
    acme: TestTenant, installation: Installation
) -> None:
    file, kept = upload(acme, b"x" * 1000), upload(acme, b"kept")
    acme.http.delete(f"/api/v1/files/{file['id']}")
    assert acme.http.delete(f"/api/v1/files/trash/{file['id']}").status_code == 204
    eventually(lambda: used(acme) == 4)
    assert _stored(installation, file["id"]) == []
    assert content(acme, kept).content == b"kept"


def test_the_parts_of_an_upload_go_when_it_is_a_file(
    acme: TestTenant, installation: Installation
) -> None:
    address = begin_tus(acme, 8)
    append(acme, address, 0, b"four")
    append(acme, address, 4, b"more")
    file: Any = {"id": address.rpartition("/")[2]}
    eventually(lambda: len(_stored(installation, file["id"])) == 1)
    assert content(acme, file).content == b"fourmore"


# Times are moved in the database, for nobody waits a day.
_EXPIRED = "UPDATE uploads SET expires_at = now() - interval '1 minute'"


def test_an_upload_that_nobody_goes_on_with_is_swept_away(
    acme: TestTenant, installation: Installation
) -> None:
    address = begin_tus(acme, 1000)
    append(acme, address, 0, b"four")
    _execute(installation, acme, _EXPIRED)
    gone = acme.http.get(address)
    assert (gone.status_code, gone.json()["type"]) == (410, "/docs/problems/upload-expired")
    assert append(acme, address, 4, b"more").status_code == 410
    _make_due(installation, acme, "files.sweep")
    eventually(lambda: used(acme) == 0)
    eventually(lambda: _stored(installation, address.rpartition("/")[2]) == [])
    assert acme.http.get(address).status_code == 404


def test_the_trash_is_emptied_after_its_time(acme: TestTenant, installation: Installation) -> None:
    file, restored = upload(acme, b"old"), upload(acme, b"kept")
    for each in (file, restored):
        acme.http.delete(f"/api/v1/files/{each['id']}")
    acme.http.post(f"/api/v1/files/trash/{restored['id']}/restore")
    _make_due(installation, acme, "files.purge")
    eventually(lambda: used(acme) == 4)
    assert acme.http.get("/api/v1/files/trash").json()["items"] == []
    assert content(acme, restored).content == b"kept"


def test_a_tenant_takes_its_files_along(acme: TestTenant, installation: Installation) -> None:
    file = upload(acme, b"gone")
    (stored,) = _stored(installation, file["id"])
    ended = CommandLine(installation).run("tenants", "delete", acme.slug, "--yes")
    assert ended.returncode == 0, ended.stderr
    assert stored.exists()  # there is a way back
    ended = CommandLine(installation).run("tenants", "purge", acme.slug, "--yes")
    assert ended.returncode == 0, ended.stderr
    assert not stored.exists()
    assert not stored.parents[1].exists()
