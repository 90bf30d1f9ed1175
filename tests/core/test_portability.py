"""Archives of tenants: written while others write, and made into tenants again."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest
from fixtures.another import another
from fixtures.archives import Carrier, Opened, grown_younger
from fixtures.command import CommandLine
from fixtures.files import content, upload
from fixtures.inside import inside
from fixtures.installation import Installation, SignUp, TestTenant
from fixtures.waiting import eventually
from insula import demo
from insula.files.blobs import key_of
from insula.files.jobs import remove_orphans
from insula.tenancy import provisioning
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME

BIG = 9 << 20
"""More bytes than are read of a file at once."""


@pytest.fixture
def carrier(installation: Installation, tmp_path: Path) -> Carrier:
    return Carrier(installation, tmp_path)


@pytest.fixture(scope="module")
def full(installation: Installation) -> Iterator[TestTenant]:
    """The demo tenant: content of every module, and files."""
    made = asyncio.run(demo.ensure(installation.settings))
    assert made is not None
    tenant = TestTenant(installation.url, made.tenant, "", None)  # type: ignore[arg-type]
    tenant.owner = tenant.sign_in(made.email, made.password)
    upload(tenant, b"a small one")
    upload(tenant, os.urandom(BIG), name="big.bin")
    yield tenant
    tenant.close()


def _slug() -> str:
    return f"c-{secrets.token_hex(6)}"


def _elsewhere(tenant: TestTenant, slug: str) -> TestTenant:
    """The owner of a tenant, signed in to a copy of it."""
    copy = TestTenant(tenant.url, slug, "", None)  # type: ignore[arg-type]
    copy.owner = copy.sign_in(tenant.owner.email, tenant.owner.password)
    return copy


def test_what_is_exported_imported_and_exported_again_is_equal(
    carrier: Carrier, full: TestTenant
) -> None:
    first, slug = carrier.export(full.slug), _slug()
    imported = carrier.import_(first, slug)
    one, two = Opened.of(first), Opened.of(carrier.export(slug))

    one.check_sums()
    assert one.lasting() == two.lasting()
    assert imported["files"] == 2
    assert {"blog", "notes", "polls", "tasks"} <= set(imported["modules"])
    assert all(one.rows(table) for table in ("notes", "polls", "tasks", "blog_articles", "users"))
    assert not one.rows("sessions")
    assert not one.rows("search_words")


def test_an_imported_tenant_works(carrier: Carrier, full: TestTenant) -> None:
    slug = _slug()
    carrier.import_(carrier.export(full.slug), slug)
    copy = _elsewhere(full, slug)
    big = next(f for f in full.http.get("/api/v1/files").json()["items"] if f["size"] == BIG)
    assert content(copy, big).content == content(full, big).content
    usage = [t.http.get("/api/v1/files/usage").json()["bytes"] for t in (copy, full)]
    assert usage[0] == usage[1]
    for path in ("/api/v1/notes", "/api/v1/tasks", "/api/v1/blog/articles", "/api/v1/settings"):
        assert copy.http.get(path).json() == full.http.get(path).json(), path
    found = copy.http.get("/api/v1/search?q=garden").json()["items"]
    assert found == full.http.get("/api/v1/search?q=garden").json()["items"] != []
    comments = full.http.get("/api/v1/blog/articles").json()["items"]
    assert comments  # and numbering goes on where it was:
    assert copy.http.post("/api/v1/notes", json={"title": "New"}).status_code == 201
    copy.close()


def test_an_archive_goes_through_pipes(installation: Installation, full: TestTenant) -> None:
    slug = _slug()
    environ = {**os.environ, **installation.environ}
    command = [sys.executable, "-m", "insula.cli", "tenants"]
    export = subprocess.Popen(
        [*command, "export", full.slug, "-"], env=environ, stdout=subprocess.PIPE
    )
    imported = subprocess.run(
        [*command, "import", "-", "--slug", slug], env=environ, stdin=export.stdout, check=False
    )
    assert (export.wait(60), imported.returncode) == (0, 0)


def test_an_export_sees_one_moment_while_others_write(carrier: Carrier, sign_up: SignUp) -> None:
    tenant = sign_up("notes")
    stop, written = threading.Event(), []

    def write() -> None:
        while not stop.is_set():
            answer = tenant.http.post("/api/v1/notes", json={"title": "One more"})
            written.append(answer.status_code)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        eventually(lambda: len(written) > 3)
        archives = [Opened.of(carrier.export(tenant.slug)) for _ in range(3)]
    finally:
        stop.set()
        writer.join()
    assert set(written) == {201}
    for archive in archives:  # a note and its first revision are written together
        notes = {row["id"] for row in archive.rows("notes")}
        assert notes == {row["note_id"] for row in archive.rows("notes_revisions")} != set()
    assert len(archives[0].rows("notes")) < len(archives[2].rows("notes"))
    for archive in archives:
        table = next(t for t in archive.manifest["tables"] if t["name"] == "notes")
        assert table["rows"] == len(archive.rows("notes"))


def test_modules_that_are_off_keep_their_content(carrier: Carrier, sign_up: SignUp) -> None:
    tenant = sign_up("notes")
    tenant.http.post("/api/v1/notes", json={"title": "Kept"})
    assert tenant.http.delete("/api/v1/modules/notes").status_code == 204
    slug = _slug()
    assert carrier.import_(carrier.export(tenant.slug), slug)["modules"] == []
    copy = _elsewhere(tenant, slug)
    assert copy.http.get("/api/v1/notes").status_code == 404
    copy.enable("notes")
    assert [note["title"] for note in copy.http.get("/api/v1/notes").json()["items"]] == ["Kept"]
    copy.close()


def test_users_without_their_passwords(carrier: Carrier, sign_up: SignUp) -> None:
    tenant, slug = sign_up(), _slug()
    archive = carrier.export(tenant.slug, "--without-passwords")
    assert b"argon2" not in b"".join(Opened.of(archive).members.values())
    assert carrier.import_(archive, slug)["passwords"] is False
    form = {"email": tenant.owner.email, "password": tenant.owner.password}
    answer = httpx.post(
        f"{tenant.url}/api/v1/sessions", json=form, headers={"Insula-Tenant": slug}, timeout=30
    )
    assert answer.status_code == 401


def test_an_archive_of_older_tables_is_migrated(carrier: Carrier, full: TestTenant) -> None:
    archive = Opened.of(carrier.export(full.slug))
    old, slug = grown_younger(archive).pack(), _slug()
    carrier.import_(old, slug)
    again = Opened.of(carrier.export(slug))
    assert again.manifest["modules"] == archive.manifest["modules"]
    assert again.rows("notes") == archive.rows("notes")
    copy = _elsewhere(full, slug)
    assert copy.http.get("/api/v1/search?q=garden").json()["items"]
    copy.close()


def test_into_another_installation(
    installation: Installation, carrier: Carrier, full: TestTenant, tmp_path: Path
) -> None:
    other = asyncio.run(another(installation, tmp_path / "home"))
    there = Carrier(other, tmp_path)
    first = carrier.export(full.slug)
    there.import_(first, "arrived")
    assert Opened.of(there.export("arrived")).lasting() == Opened.of(first).lasting()


def test_a_killed_export_leaves_no_archive(
    installation: Installation, full: TestTenant, tmp_path: Path
) -> None:
    path = tmp_path / "killed.tar.zst"
    export = CommandLine(installation).start("tenants", "export", full.slug, str(path))
    eventually(lambda: list(tmp_path.glob(".killed.tar.zst.*.partial")))
    export.send_signal(signal.SIGKILL)
    export.communicate()
    assert not path.exists()


def test_a_killed_import_leaves_no_tenant(
    installation: Installation, carrier: Carrier, full: TestTenant
) -> None:
    archive, slug = carrier.export(full.slug), _slug()
    process = subprocess.Popen(
        [sys.executable, "-m", "insula.cli", "tenants", "import", "-", "--slug", slug],
        env={**os.environ, **installation.environ},
        stdin=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(archive[:-2000])
    process.stdin.flush()
    eventually(lambda: _is_importing(installation, slug))
    process.kill()
    process.wait()
    eventually(lambda: not _is_importing(installation, slug))
    answer = httpx.get(f"{full.url}/api/v1/me", headers={"Insula-Tenant": slug}, timeout=30)
    assert answer.json()["type"].endswith("/tenant-not-found")
    assert carrier.import_(archive, slug)["slug"] == slug


def _is_importing(installation: Installation, slug: str) -> bool:
    """Whether a transaction is under way that has made a tenant."""

    async def ask() -> bool:
        connection = await asyncpg.connect(installation.settings.database_url)
        try:
            return bool(
                await connection.fetchval(
                    "SELECT count(*) > 0 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation "
                    "WHERE c.relname = 'tenants' AND l.mode = 'RowExclusiveLock'"
                )
            )
        finally:
            await connection.close()

    return asyncio.run(ask())


async def test_the_night_spares_what_is_being_imported(installation: Installation) -> None:
    """Its bytes are stored before anybody can see that there is such a tenant."""
    async with inside(installation) as platform:
        services = platform.foundation.services
        blobs = platform.foundation.files.blobs
        catalogue = platform.foundation.catalogue
        async with (
            catalogue.transaction(HOME, CATALOGUE_PRELUDE) as work,
            provisioning.creating(work, slug=_slug(), name="T", buckets=1) as (tenant, _),
        ):
            key = key_of(tenant.number, tenant.id, "content")
            await blobs.write_bytes(key, b"bytes")
            await remove_orphans(services)
            assert await blobs.find(key) == b"bytes"
        nobodys = key_of(1 << 40, tenant.id, "content")
        await blobs.write_bytes(nobodys, b"bytes")
        await remove_orphans(services)
        assert await blobs.find(nobodys) is None
        assert await blobs.find(key) == b"bytes"
