"""Tenants that move between PostgreSQL servers while they serve, and moves that are cut short."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import pytest
from fixtures.cells import TwoCells, log_of, write_note
from fixtures.installation import TestTenant
from fixtures.moves import move_and_die
from fixtures.receiver import Receiver
from fixtures.waiting import eventually
from insula.keys import operator_token

pytestmark = pytest.mark.xdist_group("cells")


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


def test_a_move_that_is_killed_is_finished(two_cells: TwoCells) -> None:
    """By the same command, or, once writes wait, by a worker."""
    tenant = two_cells.sign_up_at("home", "notes")
    write_note(tenant, "Before")
    cells = ["annex", "home"]
    for place, step in enumerate(_STEPS):
        cell = cells[place % 2]
        move_and_die(two_cells.installation, tenant.slug, cell, step)
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


def test_who_vacuums_a_table_holds_up_no_writes(two_cells: TwoCells) -> None:
    """The lock that (auto)vacuum and ANALYZE hold: a move that waited for it would pause writes
    for as long, which was a second for a tenant that had just grown."""
    tenant = two_cells.sign_up_at("home", "notes")
    write_note(tenant, "Before")
    move_and_die(two_cells.installation, tenant.slug, "annex", "carrying.compare")
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
    move_and_die(two_cells.installation, tenant.slug, "annex", "carrying.compare")
    schema = f"t_{two_cells.number(tenant)}"
    change = f"SET LOCAL search_path = {schema}, ext; UPDATE notes SET title = 'Longer'"
    with two_cells.holding("home", change) as let_go, ThreadPoolExecutor(1) as threads:
        moving = threads.submit(move, two_cells, tenant, "annex")
        eventually(lambda: two_cells.is_looking("home", "pg_locks"))
        assert _phase(two_cells, tenant) == "copying"
        write_note(tenant, "Meanwhile")
        let_go()
        assert moving.result()["phase"] == "done"
    assert tenant.http.get(f"/api/v1/notes/{note['id']}").json()["title"] == "Longer"
    assert len(tenant.http.get("/api/v1/notes").json()["items"]) == 2


def test_a_move_can_be_called_off(two_cells: TwoCells) -> None:
    tenant = two_cells.sign_up_at("home", "notes")
    move_and_die(two_cells.installation, tenant.slug, "annex", "carrying.compare")
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
    move_and_die(two_cells.installation, tenant.slug, "annex", "carrying.compare")
    refused = tenant.http.put("/api/v1/modules/notes")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["type"].endswith("tenant-moving")
    move(two_cells, tenant, "annex")
    assert tenant.http.put("/api/v1/modules/notes").status_code == 200


# Tenants that go, or change, in the middle of a move


@pytest.fixture
def operator(two_cells: TwoCells) -> Iterator[httpx.Client]:
    token = operator_token(two_cells.installation.settings.secret_key)
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{two_cells.installation.url}/api/v1/tenants/"
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        yield client


@contextmanager
def nobody_at_work(cells: TwoCells) -> Iterator[None]:
    """No worker, which would finish the move."""
    cells.worker.stop()
    try:
        yield
    finally:
        cells.worker.start()


@pytest.mark.parametrize("step", ["carrying.compare", "fencing.drop"])
def test_nothing_is_left_of_a_tenant_that_is_purged_in_the_middle_of_its_move(
    two_cells: TwoCells, operator: httpx.Client, step: str
) -> None:
    """Half-way there; and there, with what it was still at home."""
    tenant = two_cells.sign_up_at("home", "notes")
    write_note(tenant, "Private")
    schema, at = f"t_{two_cells.number(tenant)}", "annex" if step == "fencing.drop" else "home"
    with nobody_at_work(two_cells):
        move_and_die(two_cells.installation, tenant.slug, "annex", step)
        assert two_cells.cell_of(tenant) == at
        assert operator.delete(tenant.slug).status_code == 200
        purged = two_cells.command.json("tenants", "purge", tenant.slug, "--yes")
        assert purged["purged"] == [tenant.slug]
    for cell in ("home", "annex"):
        left = "SELECT to_regnamespace($1) IS NOT NULL OR to_regrole($1) IS NOT NULL"
        assert not two_cells.ask(cell, left, schema), cell


def test_who_is_deleted_or_suspended_or_renamed_in_the_middle_of_a_move_goes_on_from_there(
    two_cells: TwoCells, operator: httpx.Client
) -> None:
    tenant = two_cells.sign_up_at("home", "notes")
    write_note(tenant, "Kept")
    move_and_die(two_cells.installation, tenant.slug, "annex", "carrying.compare")
    assert operator.delete(tenant.slug).status_code == 200
    refused = two_cells.command.run("tenants", "move", tenant.slug, "annex")
    assert (refused.returncode, "is deleted" in refused.stderr) == (1, True)
    assert operator.post(f"{tenant.slug}/undelete").status_code == 200
    assert operator.post(f"{tenant.slug}/suspend", json={"reason": "unpaid"}).status_code == 200
    former, tenant.slug = tenant.slug, f"{tenant.slug}-new"
    assert operator.patch(former, json={"slug": tenant.slug}).status_code == 200
    assert move(two_cells, tenant, "annex")["phase"] == "done"
    assert two_cells.cell_of(tenant) == "annex"
    assert operator.get(tenant.slug).json()["status"] == "suspended"
    assert operator.post(f"{tenant.slug}/resume").status_code == 200
    notes = tenant.sign_in(tenant.owner.email).http.get("/api/v1/notes")
    assert [note["title"] for note in notes.json()["items"]] == ["Kept"]


def test_who_is_being_switched_is_neither_suspended_renamed_nor_deleted(
    two_cells: TwoCells, operator: httpx.Client
) -> None:
    tenant = two_cells.sign_up_at("home", "notes")
    with nobody_at_work(two_cells):
        move_and_die(two_cells.installation, tenant.slug, "annex", "fencing.fence")
        assert _phase(two_cells, tenant) == "paused"
        for answer in (
            operator.post(f"{tenant.slug}/suspend", json={}),
            operator.patch(tenant.slug, json={"slug": f"{tenant.slug}-new"}),
            operator.delete(tenant.slug),
        ):
            assert answer.status_code == 404, answer.text
            assert "is being moved" in answer.text
    eventually(lambda: _phase(two_cells, tenant) == "done", seconds=120)
    write_note(tenant, "There")
    assert two_cells.cell_of(tenant) == "annex"


def test_an_installation_is_filled_with_tenants_like_one_elsewhere(two_cells: TwoCells) -> None:
    """Which is in a cell that takes nobody any more."""
    model = two_cells.sign_up_at("annex", "notes")
    write_note(model, "Radishes")
    options = ("--like", model.slug, "--tenants", "1", "--prefix", f"{model.slug}-like")
    with two_cells.only_at("home"):
        two_cells.command.json("db", "populate", *options)
    number = two_cells.ask(
        "home", "SELECT number FROM ctl.tenants WHERE slug = $1", f"{model.slug}-like-1"
    )
    titles = f"SELECT array_agg(title) FROM t_{number}.notes"
    assert two_cells.ask("home", titles) == ["Radishes"]
