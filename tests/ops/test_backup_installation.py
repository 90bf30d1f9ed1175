"""An installation of Insula's own is backed up, drilled, and gives one tenant back."""

import asyncio
from pathlib import Path

from fixtures.another import another
from fixtures.any_database import Database
from fixtures.backing_up import Call
from fixtures.command import CommandLine
from fixtures.installation import Installation, SignUp


def test_one_tenants_yesterday_is_restored_beside_today(
    call: Call, installation: Installation, sign_up: SignUp, tmp_path: Path
) -> None:
    tenant = sign_up("notes")
    note = {"title": "Roof garden", "body": "strawberries"}
    made = tenant.http.post("/api/v1/notes", json=note)
    assert made.status_code == 201
    source = Database("insula", installation.settings.database_url or "")
    number = source.run(f"SELECT number FROM ctl.tenants WHERE slug = '{tenant.slug}'").strip()
    schema = f"t_{number}"
    call("create", tmp_path, "--no-sync", "--schema", schema, "--schema", "ctl", source=source)
    assert tenant.http.delete(f"/api/v1/notes/{made.json()['id']}").is_success
    copy = f"{schema}_yesterday"
    try:
        call("restore", tmp_path, "--schema", f"{schema}={copy}", target=source)
        assert source.run(f"SELECT title FROM {copy}.notes") == "Roof garden\n"
        owner = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = '{}.notes'::regclass"
        assert source.run(owner.format(copy)) == source.run(owner.format(schema))
    finally:
        source.run(f"DROP SCHEMA IF EXISTS {copy} CASCADE")
    assert tenant.http.get("/api/v1/notes").json()["items"] == []


def test_a_whole_installation_survives_a_drill(
    call: Call, installation: Installation, tmp_path: Path
) -> None:
    small = asyncio.run(another(installation, tmp_path / "home"))  # the tests' own is large by now
    for slug in ("first", "second"):
        CommandLine(small).create(slug, "--module", "notes", "--module", "tasks")
    source = Database("another", small.settings.database_url or "")
    place = tmp_path / "backups"
    call("create", place, "--no-sync", source=source)
    done = call("drill", place, "--json").json
    assert done["good"]
    assert done["tables"] > 60
    assert done["rows"] > 60
