"""Archives of tenants: written, read by others, and made into tenants again."""

import asyncio
import io
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from backports import zstd
from fixtures.command import CommandLine
from fixtures.files import upload
from fixtures.installation import Installation, TestTenant
from insula import demo

PLACES = ("exported_at", "source")
"""What the format says may differ between two archives of the same tenant."""


@dataclass
class Opened:
    """An archive, as stock tools see it."""

    members: dict[str, bytes]

    @classmethod
    def read(cls, path: Path) -> "Opened":
        with tarfile.open(fileobj=io.BytesIO(zstd.decompress(path.read_bytes()))) as tar:
            return cls({entry.name: tar.extractfile(entry).read() for entry in tar})  # type: ignore[union-attr]

    @property
    def manifest(self) -> dict[str, Any]:
        return dict(json.loads(self.members["manifest.json"]))

    def rows(self, table: str) -> list[dict[str, Any]]:
        return [
            json.loads(line)
            for name, lines in self.members.items()
            if name.split("/")[2:3] == [table]
            for line in lines.splitlines()
        ]

    def lasting(self) -> dict[str, Any]:
        """All that has to be equal."""
        manifest = {k: v for k, v in self.manifest.items() if k not in PLACES}
        ours = {k: v for k, v in self.members.items() if k not in ("manifest.json", "SHA256SUMS")}
        return {**ours, "manifest.json": manifest}


@pytest.fixture(scope="module")
def command(installation: Installation) -> CommandLine:
    return CommandLine(installation)


@pytest.fixture(scope="module")
def full(installation: Installation) -> Iterator[TestTenant]:
    """The demo tenant: content of every module."""
    made = asyncio.run(demo.ensure(installation.settings))
    assert made is not None
    tenant = TestTenant(installation.url, made.tenant, "", None)  # type: ignore[arg-type]
    tenant.owner = tenant.sign_in(made.email, made.password)
    upload(tenant, b"a small one")
    yield tenant
    tenant.close()


def _signed_in(installation: Installation, slug: str, like: TestTenant) -> TestTenant:
    """The owner of another tenant of the same people, at this one."""
    tenant = TestTenant(installation.url, slug, "", None)  # type: ignore[arg-type]
    tenant.owner = tenant.sign_in(like.owner.email, like.owner.password)
    return tenant


def test_export_import_export_is_equal(
    installation: Installation, command: CommandLine, full: TestTenant, tmp_path: Path
) -> None:
    body = os.urandom(9 << 20)
    file = upload(full, body, name="big.bin")
    first, second = tmp_path / "first.tar.zst", tmp_path / "second.tar.zst"
    command.json("tenants", "export", full.slug, str(first))
    imported = command.json("tenants", "import", str(first), "--slug", "elsewhere")
    command.json("tenants", "export", "elsewhere", str(second))

    one, two = Opened.read(first), Opened.read(second)
    assert one.lasting() == two.lasting()
    assert imported["files"] == one.manifest["files"] >= 1
    assert {"blog", "notes", "polls", "tasks"} <= set(imported["modules"])
    assert all(one.rows(table) for table in ("notes", "polls", "tasks", "blog_articles", "users"))
    there = _signed_in(installation, "elsewhere", full)
    assert there.http.get(f"/api/v1/files/{file['id']}/content").content == body
    assert there.http.get("/api/v1/notes").json() == full.http.get("/api/v1/notes").json()
    there.close()
