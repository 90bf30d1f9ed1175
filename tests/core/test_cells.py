"""Several PostgreSQL servers: tenants are spread over them, kept apart, and moved between them."""

import asyncio
import json
import secrets
from collections import Counter
from pathlib import Path

import asyncpg
import pytest
from fixtures.archives import Carrier
from fixtures.cells import TwoCells, log_of, write_note
from fixtures.files import content, upload
from fixtures.fleet import Fleet
from fixtures.receiver import Receiver
from fixtures.waiting import eventually
from insula.portability.errors import ArchiveRefused
from insula.tenancy.roles import bucket_login, login_url

pytestmark = pytest.mark.xdist_group("cells")


# Placement


def test_new_tenants_go_where_there_is_most_room(two_cells: TwoCells) -> None:
    tenants = [two_cells.sign_up() for _ in range(4)]
    assert Counter(map(two_cells.cell_of, tenants)) == {"home": 2, "annex": 2}


def test_those_who_come_one_after_the_other_share_a_cell_that_holds_many(
    two_cells: TwoCells,
) -> None:
    """A hundredth of what it holds: its catalogue is at hand then."""
    two_cells.hold(2000)
    try:
        chosen = {two_cells.cell_of(two_cells.sign_up()) for _ in range(3)}
    finally:
        two_cells.hold(100)
    assert len(chosen) == 1
    for _ in range(3):  # as many in the other one
        two_cells.sign_up_at(*{"home", "annex"} - chosen)


def test_slots_are_built_where_there_is_most_room_and_taken_from_there(
    two_cells: TwoCells,
) -> None:
    two_cells.command.json("tenants", "slots", "--fill", "6")
    tenants = [two_cells.sign_up() for _ in range(6)]
    assert two_cells.ask("home", "SELECT count(*) FROM ctl.slots WHERE state = 'free'") == 0
    # Four are built at a time, and do not see each other.
    assert min(Counter(map(two_cells.cell_of, tenants)).values()) >= 1
    assert {two_cells.cell_of(tenant) for tenant in tenants} == {"home", "annex"}


def test_a_draining_cell_gets_no_tenants(two_cells: TwoCells) -> None:
    assert two_cells.command.json("cells", "drain", "home")["state"] == "draining"
    assert [two_cells.cell_of(two_cells.sign_up()) for _ in range(2)] == ["annex", "annex"]
    assert two_cells.command.json("cells", "open", "home")["state"] == "open"
    assert two_cells.cell_of(two_cells.sign_up()) == "home"


def test_a_tenant_elsewhere_has_everything(two_cells: TwoCells, receiver: Receiver) -> None:
    tenant = two_cells.sign_up_at("annex", "notes")
    hook = tenant.http.post("/api/v1/webhooks", json={"url": receiver.url, "events": ["*"]})
    assert hook.status_code == 201, hook.text
    note = write_note(tenant, "Radishes")
    assert tenant.http.get(f"/api/v1/notes/{note['id']}").json()["title"] == "Radishes"
    assert two_cells.ask("annex", f"SELECT count(*) FROM t_{two_cells.number(tenant)}.notes") == 1
    eventually(lambda: "notes.note.created" in [event["type"] for event in log_of(tenant)])
    eventually(lambda: "notes.note.created" in receiver.said("type"))
    member = tenant.add_user()
    assert member.http.get("/api/v1/notes").status_code == 200


def test_a_job_of_a_tenant_elsewhere_is_done(two_cells: TwoCells) -> None:
    tenant = two_cells.sign_up_at("annex")
    file = upload(tenant, b"seeds")
    assert tenant.http.delete(f"/api/v1/files/{file['id']}").status_code == 204
    assert tenant.http.delete(f"/api/v1/files/trash/{file['id']}").status_code == 204
    done = "SELECT count(*) FROM t_{}.jobs WHERE name = 'files.remove' AND status = 'succeeded'"
    eventually(lambda: two_cells.ask("annex", done.format(two_cells.number(tenant))) == 1)


def test_the_logins_of_one_cell_open_no_other(two_cells: TwoCells) -> None:
    settings = two_cells.installation.settings

    async def connect(bucket: int, cell: str) -> None:
        url = login_url(settings, bucket_login(bucket), two_cells.urls[cell])
        await (await asyncpg.connect(url)).close()

    for bucket, own, other in ((0, "home", "annex"), (100, "annex", "home")):
        asyncio.run(connect(bucket, own))
        with pytest.raises(asyncpg.InvalidPasswordError):
            asyncio.run(connect(bucket, other))


# The command


def test_a_database_is_one_cell_only(two_cells: TwoCells) -> None:
    run = two_cells.command.run
    for name, url in (("second", two_cells.urls["annex"]), ("third", two_cells.urls["home"])):
        refused = run("cells", "add", name, stdin=url)
        assert refused.returncode != 0
        assert "already" in refused.stderr or "home" in refused.stderr
    names = [line["name"] for line in two_cells.command.json("cells", "list")]
    assert names == ["home", "annex"]


def test_a_cell_with_tenants_is_not_closed(two_cells: TwoCells) -> None:
    two_cells.sign_up_at("annex")
    refused = two_cells.command.run("cells", "close", "annex")
    assert refused.returncode != 0
    assert "move" in refused.stderr


def test_cells_are_checked(two_cells: TwoCells) -> None:
    assert two_cells.command.json("cells", "check") == {"home": "ok", "annex": "ok"}


# Importing


def test_an_import_goes_where_there_is_most_room(two_cells: TwoCells, tmp_path: Path) -> None:
    tenant, carrier = (
        two_cells.sign_up_at("home", "notes"),
        Carrier(two_cells.installation, tmp_path),
    )
    write_note(tenant, "Radishes")
    archive = carrier.export(tenant.slug)
    for cell in ("annex", "home"):
        with two_cells.only_at(cell):
            carrier.import_(archive, slug := f"i-{secrets.token_hex(6)}")
        number = two_cells.ask("home", "SELECT number FROM ctl.tenants WHERE slug = $1", slug)
        assert two_cells.ask(cell, f"SELECT count(*) FROM t_{number}.notes") == 1
    numbers = "SELECT array_agg(number) FROM ctl.tenants"
    schemas = (
        "SELECT array_agg(substr(nspname, 3)::int) FROM pg_namespace WHERE nspname ~ '^t_[0-9]'"
    )
    for damaged in (archive[:-100], archive[:-2000]):
        with two_cells.only_at("annex"), pytest.raises(ArchiveRefused):
            carrier.import_(damaged, f"i-{secrets.token_hex(6)}")
    assert set(two_cells.ask("annex", schemas)) <= set(two_cells.ask("home", numbers))


_FAIL = """
CREATE FUNCTION ctl.fail() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the server has died'; END $$
"""
_AT_COMMIT = """
CREATE CONSTRAINT TRIGGER fail AFTER UPDATE ON ctl.tenants DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.locale IS NULL AND NEW.locale IS NOT NULL)
    EXECUTE FUNCTION ctl.fail()
"""


def test_a_tenant_elsewhere_is_filled_and_the_catalogue_hears_of_it_in_the_end(
    two_cells: TwoCells, tmp_path: Path
) -> None:
    """Though the catalogue's server dies when the tenant's has committed."""
    tenant, carrier = (
        two_cells.sign_up_at("home", "notes"),
        Carrier(two_cells.installation, tmp_path),
    )
    write_note(tenant, "Radishes")
    file = upload(tenant, b"seeds")
    archive = carrier.export(tenant.slug)
    empty = two_cells.sign_up_at("annex")
    sent = upload(empty, archive, name="archive.tar.zst")
    two_cells.ask("home", _FAIL)
    two_cells.ask("home", _AT_COMMIT)
    try:
        answer = empty.http.post("/api/v1/imports", json={"file_id": sent["id"]})
        assert answer.status_code == 202, answer.text
        where = answer.headers["location"]
        eventually(lambda: empty.http.get(where).json()["error"])
        number = two_cells.number(empty)
        assert two_cells.ask("annex", f"SELECT count(*) FROM t_{number}.notes") == 1
        assert empty.http.get("/api/v1/notes").status_code == 404
    finally:
        two_cells.ask("home", "DROP FUNCTION ctl.fail CASCADE")
    eventually(lambda: empty.http.get(where).json()["status"] == "succeeded", seconds=120)
    notes = eventually(lambda: empty.http.get("/api/v1/notes").json()["items"])
    assert [note["title"] for note in notes] == ["Radishes"]
    assert content(empty, file).content == b"seeds"


# Migrating


def test_a_cell_that_is_down_leaves_its_tenants_due_and_the_others_are_migrated(
    two_cells: TwoCells, tmp_path: Path
) -> None:
    with two_cells.only_at("home"):
        fleet = Fleet(two_cells.installation, tmp_path, 1)
    slugs = [f"{fleet.prefix}-{number}" for number in (2, 3, 4)]
    with two_cells.only_at("annex"):
        numbers = [fleet.command.create(slug, "--module", fleet.name)["number"] for slug in slugs]
    fleet.step("ALTER TABLE {name} ADD COLUMN a INTEGER;")

    def die(what: str, done: int, total: int, note: str = "") -> None:
        if done == 2:  # home's tenant, and the first one of the annex
            two_cells.lock_out("annex")

    try:
        report = fleet.migrate(die, workers=1, batch=1, canary="0")
        assert not report.succeeded
        assert [(line.cell, line.tenants) for line in report.down] == [("annex", 2)]
        assert (report.changed, report.failures, report.quarantined) == (2, (), 0)
        fleet.step("ALTER TABLE {name} ADD COLUMN b INTEGER;")
        again = fleet.command.run("db", "migrate", "--module", fleet.name, "--json")
        assert again.returncode == 1
        (down,) = json.loads(again.stdout)["down"]
        assert (down["cell"], down["tenants"]) == ("annex", 3)
        assert "the server annex cannot be worked with" in again.stderr
        assert fleet.having("b") == set(fleet.numbers)
        assert fleet.command.run("db", "status", "--check").returncode == 1
        chosen = fleet.migrate(canary=slugs[0])
        assert "is at a server that is down" in chosen.stopped
    finally:
        two_cells.let_in("annex")
    after = fleet.migrate()
    assert after.succeeded
    assert (after.tenants, after.changed, after.down) == (3, 3, ())
    for number in numbers:
        has = f"SELECT count(b) FROM t_{number}.{fleet.name}"
        assert two_cells.ask("annex", has) == 0
