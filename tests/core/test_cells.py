"""Several PostgreSQL servers: tenants are spread over them, kept apart, and moved between them."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from fixtures.archives import Carrier
from fixtures.cells import TwoCells
from fixtures.files import content, upload
from fixtures.fleet import Fleet
from fixtures.installation import TestTenant
from fixtures.receiver import Receiver
from fixtures.waiting import eventually
from insula.portability.errors import ArchiveRefused
from insula.tenancy.roles import bucket_login, login_url

pytestmark = pytest.mark.xdist_group("cells")


def write_note(tenant: TestTenant, title: str) -> dict[str, Any]:
    answer = tenant.http.post("/api/v1/notes", json={"title": title, "body": "Water the *beds*."})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def log_of(tenant: TestTenant) -> list[dict[str, Any]]:
    """The whole log of events."""
    items: list[dict[str, Any]] = []
    query: dict[str, Any] = {}
    while True:
        page = tenant.http.get("/api/v1/events", params={"limit": 500, **query}).json()["items"]
        if not page:
            return items
        items += page
        query = {"after": items[-1]["id"]}


# Placement


def test_new_tenants_go_where_there_is_most_room(two_cells: TwoCells) -> None:
    tenants = [two_cells.sign_up() for _ in range(4)]
    assert Counter(map(two_cells.cell_of, tenants)) == {"home": 2, "annex": 2}


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
        eventually(lambda: empty.http.get(where).json()["error"], seconds=60)
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


# Moving


def move(cells: TwoCells, tenant: TestTenant, cell: str) -> dict[str, Any]:
    return dict(cells.command.json("tenants", "move", tenant.slug, cell, seconds=300))


@dataclass
class Traffic:
    """What clients of a tenant did while it moved."""

    written: list[str] = field(default_factory=list)
    """Titles of notes that were acknowledged."""
    reads: int = 0
    refused: list[str] = field(default_factory=list)


@contextmanager
def traffic(tenant: TestTenant, writers: int = 2) -> Iterator[Traffic]:
    """Clients that write and read; none of them tries anything again."""
    seen, stop = Traffic(), threading.Event()
    headers = tenant.http.headers

    def write(writer: int) -> None:
        with httpx.Client(base_url=tenant.url, headers=headers, timeout=60) as client:
            number = 0
            while not stop.is_set():
                title = f"note {writer}-{number}"
                answer = client.post("/api/v1/notes", json={"title": title, "body": "Rain."})
                number += 1
                if answer.status_code == 201:
                    seen.written.append(title)
                else:
                    seen.refused.append(answer.text)
                stop.wait(0.02)

    def read() -> None:
        with httpx.Client(base_url=tenant.url, headers=headers, timeout=60) as client:
            while not stop.is_set():
                known = len(seen.written)
                answer = client.get("/api/v1/notes", params={"limit": 1})
                if answer.status_code != 200 or (known and not answer.json()["items"]):
                    seen.refused.append(answer.text)
                seen.reads += 1
                stop.wait(0.02)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(writers)]
    threads.append(threading.Thread(target=read))
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: len(seen.written) > 3)
        yield seen
        before = len(seen.written)
        eventually(lambda: len(seen.written) > before + 3)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_tenant_moves_under_its_clients_eyes_and_back(two_cells: TwoCells) -> None:
    tenant = two_cells.sign_up_at("home", "notes")
    number = two_cells.number(tenant)
    with traffic(tenant) as seen:
        for cell, other in (("annex", "home"), ("home", "annex")):
            moved = move(two_cells, tenant, cell)
            assert moved["phase"] == "done"
            assert two_cells.cell_of(tenant) == cell
            left = "SELECT to_regnamespace($1) IS NOT NULL OR to_regrole($1) IS NOT NULL"
            assert not two_cells.ask(other, left, f"t_{number}")
    assert seen.refused == []
    assert seen.reads > 0
    titles = two_cells.ask("home", f"SELECT array_agg(title) FROM t_{number}.notes")
    assert sorted(titles) == sorted(seen.written)
    eventually(lambda: len(_created(tenant)) == len(seen.written))
    numbers = two_cells.ask("home", f"SELECT array_agg(seq ORDER BY seq) FROM t_{number}.events")
    assert numbers == list(range(1, len(numbers) + 1))
    assert tenant.http.get("/api/v1/notes", params={"q": "rain"}).json()["items"]


def _created(tenant: TestTenant) -> set[str]:
    return {event["id"] for event in log_of(tenant) if event["type"] == "notes.note.created"}


_STEPS = (
    "carrying.copy_table",
    "fencing.fence",
    "spooled.carry",
    "fencing.cut",
    "fencing.drop",
)
_KILLED = """
import os, signal, sys
from insula.cli import main
from insula.tenancy.moving import {module}

def around(call):
    calls = 0
    async def killed(*arguments):
        nonlocal calls
        result = await call(*arguments)
        calls += 1
        if calls == {after}:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return killed

{module}.{name} = around({module}.{name})
main(sys.argv[1:])
"""


def test_a_move_that_is_killed_is_finished(two_cells: TwoCells) -> None:
    """By the same command, or, once writes wait, by a worker."""
    tenant = two_cells.sign_up_at("home", "notes")
    write_note(tenant, "Before")
    cells = ["annex", "home"]
    for place, step in enumerate(_STEPS):
        cell = cells[place % 2]
        _move_and_die(two_cells, tenant, cell, step)
        # Once writes wait, a worker finishes the move; until then the answer may be 503.
        note = eventually(partial(write_note, tenant, f"After {step}"), seconds=120)
        if _phase(two_cells, tenant) == "copying":
            assert two_cells.cell_of(tenant) != cell
            move(two_cells, tenant, cell)
        eventually(partial(_is_at, two_cells, tenant, cell), seconds=120)
        eventually(lambda: _phase(two_cells, tenant) == "done", seconds=120)
        assert tenant.http.get(f"/api/v1/notes/{note['id']}").status_code == 200
    assert len(tenant.http.get("/api/v1/notes").json()["items"]) == len(_STEPS) + 1
    eventually(lambda: len(_created(tenant)) == len(_STEPS) + 1)


def _is_at(cells: TwoCells, tenant: TestTenant, cell: str) -> bool:
    return cells.cell_of(tenant) == cell


def _phase(cells: TwoCells, tenant: TestTenant) -> Any:
    sql = "SELECT phase FROM ctl.moves JOIN ctl.tenants ON id = tenant_id WHERE slug = $1"
    return cells.ask("home", sql, tenant.slug)


def _move_and_die(cells: TwoCells, tenant: TestTenant, cell: str, step: str) -> None:
    module, name = step.split(".")
    after = 2 if name in ("copy_table", "compare", "drop") else 1  # the target is dropped first
    script = _KILLED.format(module=module, name=name, after=after)
    died = subprocess.run(
        [sys.executable, "-c", script, "tenants", "move", tenant.slug, cell],
        env={**os.environ, **cells.installation.environ},
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()


def test_who_vacuums_a_table_holds_up_no_writes(two_cells: TwoCells) -> None:
    """The lock that (auto)vacuum and ANALYZE hold: a move that waited for it would pause writes
    for as long, which was a second for a tenant that had just grown."""
    tenant = two_cells.sign_up_at("home", "notes")
    write_note(tenant, "Before")
    _move_and_die(two_cells, tenant, "annex", "carrying.compare")
    lock = f"LOCK TABLE t_{two_cells.number(tenant)}.notes IN SHARE UPDATE EXCLUSIVE MODE"
    with two_cells.holding("home", lock) as let_go, ThreadPoolExecutor(1) as threads:
        moving = threads.submit(move, two_cells, tenant, "annex")
        # Switched with the lock still held: dropping what is left at home waits for it.
        eventually(lambda: _phase(two_cells, tenant) == "switched", seconds=120)
        write_note(tenant, "After")
        let_go()
        assert moving.result()["phase"] == "done"
    assert two_cells.cell_of(tenant) == "annex"
    assert len(tenant.http.get("/api/v1/notes").json()["items"]) == 2


def test_a_transaction_that_writes_for_long_is_waited_for_before_writes_wait(
    two_cells: TwoCells,
) -> None:
    tenant = two_cells.sign_up_at("home", "notes")
    note = write_note(tenant, "Long")
    _move_and_die(two_cells, tenant, "annex", "carrying.compare")
    schema = f"t_{two_cells.number(tenant)}"
    change = f"SET LOCAL search_path = {schema}, ext; UPDATE notes SET title = 'Longer'"
    with two_cells.holding("home", change) as let_go, ThreadPoolExecutor(1) as threads:
        moving = threads.submit(move, two_cells, tenant, "annex")
        eventually(lambda: two_cells.is_looking("home", "pg_locks"), seconds=60)
        assert _phase(two_cells, tenant) == "copying"
        write_note(tenant, "Meanwhile")
        let_go()
        assert moving.result()["phase"] == "done"
    assert tenant.http.get(f"/api/v1/notes/{note['id']}").json()["title"] == "Longer"
    assert len(tenant.http.get("/api/v1/notes").json()["items"]) == 2


def test_a_move_can_be_called_off(two_cells: TwoCells) -> None:
    tenant = two_cells.sign_up_at("home", "notes")
    _move_and_die(two_cells, tenant, "annex", "carrying.compare")
    two_cells.command.run("tenants", "move", tenant.slug, "--cancel")
    assert two_cells.cell_of(tenant) == "home"
    assert two_cells.command.json("tenants", "move", tenant.slug, "--status") == []
    write_note(tenant, "Still here")
    number = two_cells.number(tenant)
    assert not two_cells.ask("annex", "SELECT to_regnamespace($1) IS NOT NULL", f"t_{number}")
    left = "SELECT count(*) FROM pg_trigger WHERE tgname ~ '^insula_(note|fence)'"
    assert two_cells.ask("home", left) == 0


def test_what_waits_in_the_spool_travels_along(two_cells: TwoCells, receiver: Receiver) -> None:
    tenant = two_cells.sign_up_at("home", "notes")
    hook = tenant.http.post("/api/v1/webhooks", json={"url": receiver.url, "events": ["*"]})
    assert hook.status_code == 201
    two_cells.worker.stop()
    try:
        for number in range(5):
            write_note(tenant, f"Note {number}")
        move(two_cells, tenant, "annex")
        write_note(tenant, "Note 5")
    finally:
        two_cells.worker.start()
    eventually(lambda: receiver.said("type").count("notes.note.created") == 6)
    assert len({event["id"] for event in log_of(tenant)}) == len(log_of(tenant))
    schema = f"t_{two_cells.number(tenant)}"
    left = "SELECT count(*) FROM spool.outbox WHERE tenant = $1"
    assert two_cells.ask("home", left, schema) == 0


def test_modules_wait_for_the_end_of_a_move(two_cells: TwoCells) -> None:
    tenant = two_cells.sign_up_at("home")
    _move_and_die(two_cells, tenant, "annex", "carrying.compare")
    refused = tenant.http.put("/api/v1/modules/notes")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["type"].endswith("tenant-moving")
    move(two_cells, tenant, "annex")
    assert tenant.http.put("/api/v1/modules/notes").status_code == 200
