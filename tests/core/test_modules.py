"""Modules are switched on and off per tenant, and every replica notices at once."""

from uuid import UUID

import httpx
import pytest
from fixtures.installation import Installation, SignUp, TestTenant, WebServer
from insula.db import TenantTable
from insula.module import Module, ModuleRejected, check, discover
from insula.realtime import Channel
from sqlalchemy import Table
from sqlalchemy.orm import Mapped, mapped_column


def test_modules_are_listed_with_their_state(acme: TestTenant) -> None:
    listed = {line["name"]: line for line in acme.http.get("/api/v1/modules").json()}
    assert listed["notes"]["enabled"] is False
    acme.enable("notes")
    listed = {line["name"]: line for line in acme.http.get("/api/v1/modules").json()}
    assert listed["notes"]["enabled"] is True
    assert listed["notes"]["scopes"]


def test_a_module_that_is_off_says_so(acme: TestTenant) -> None:
    answer = acme.http.get("/api/v1/notes")
    assert answer.status_code == 404
    assert answer.json()["type"].endswith("/module-disabled")


def test_switching_on_twice_changes_nothing(acme: TestTenant) -> None:
    acme.enable("notes")
    note = acme.http.post("/api/v1/notes", json={"title": "Kept"}).json()
    acme.enable("notes")
    assert acme.http.get(f"/api/v1/notes/{note['id']}").json()["title"] == "Kept"


def test_data_outlives_switching_off_and_on(acme: TestTenant) -> None:
    acme.enable("notes")
    note = acme.http.post("/api/v1/notes", json={"title": "Kept"}).json()
    assert acme.http.delete("/api/v1/modules/notes").status_code == 204
    assert acme.http.get(f"/api/v1/notes/{note['id']}").status_code == 404
    acme.enable("notes")
    assert acme.http.get(f"/api/v1/notes/{note['id']}").status_code == 200


def test_one_tenants_switch_is_not_anothers(sign_up: SignUp) -> None:
    ours, theirs = sign_up("notes"), sign_up()
    assert ours.http.get("/api/v1/notes").status_code == 200
    assert theirs.http.get("/api/v1/notes").status_code == 404


def test_an_unknown_module_is_not_found(acme: TestTenant) -> None:
    answer = acme.http.put("/api/v1/modules/teleport")
    assert answer.status_code == 404
    assert answer.json()["type"].endswith("/module-not-installed")


def test_only_those_who_may_switch(acme: TestTenant) -> None:
    member = acme.add_user("member")
    assert member.http.put("/api/v1/modules/notes").status_code == 403
    assert member.http.get("/api/v1/modules").status_code == 200


@pytest.fixture
def second_replica(installation: Installation) -> WebServer:
    return WebServer(
        {**installation.environ, "INSULA_METRICS_PORT": "0"}, installation.home / "2.log"
    )


def test_another_replica_notices_at_once(acme: TestTenant, second_replica: WebServer) -> None:
    second_replica.start()
    try:
        headers = acme.http.headers
        with httpx.Client(base_url=second_replica.url, headers=headers) as client:
            assert client.get("/api/v1/notes").status_code == 404
            acme.enable("notes")
            assert client.get("/api/v1/notes").status_code == 200
            acme.http.delete("/api/v1/modules/notes")
            assert client.get("/api/v1/notes").status_code == 404
            acme.http.delete("/api/v1/sessions/current")
            assert client.get("/api/v1/me").status_code == 401
    finally:
        second_replica.stop()


# The contract: a module that breaks it does not load, and is told how to mend it


def test_every_installed_module_keeps_the_contract() -> None:
    assert "notes" in discover()


def _changed(**changes: object) -> Module:
    notes = discover()["notes"]
    kept = {
        name: getattr(notes, name)
        for name in ("name", "title", "summary", "package", "routes", "scopes", "tables")
    }
    return Module(**(kept | changes))


_GUARDED = Channel(pattern="notes/{note_id:uuid}", right="notes:watch")


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"name": "Notes"}, "one lower-case word"),
        ({"name": "users"}, "belongs to a core service"),
        ({"package": "insula.access"}, "name the folder after the module"),
        ({"scopes": ()}, "not among the module's scopes"),
        ({"package": "insula.access"}, "no migrations"),
        ({"channels": (_GUARDED,)}, "no scope of it"),
    ],
)
def test_a_module_that_breaks_a_convention_is_rejected_with_a_hint(
    changes: dict[str, object], hint: str
) -> None:
    module = _changed(**changes)
    with pytest.raises(ModuleRejected, match=hint):
        check(module, entry_point="notes")


def test_several_are_switched_on_all_or_none(acme: TestTenant) -> None:
    def enabled() -> set[str]:
        return {line["name"] for line in acme.http.get("/api/v1/modules").json() if line["enabled"]}

    both = {"enable": ["polls", "notes"]}
    refused = acme.http.put("/api/v1/modules", json={"enable": ["notes", "teleport"]})
    assert refused.status_code == 404
    assert enabled() == set()
    for _ in range(2):
        answer = acme.http.put("/api/v1/modules", json=both)
        assert answer.status_code == 200, answer.text
        assert {line["name"] for line in answer.json() if line["enabled"]} == {"notes", "polls"}
    assert enabled() == {"notes", "polls"}
    assert acme.http.post("/api/v1/notes", json={"title": "A"}).status_code == 201
    assert acme.http.get("/api/v1/polls").status_code == 200
    assert acme.http.put("/api/v1/modules", json={"enable": []}).status_code == 400


def test_a_column_about_a_person_says_what_becomes_of_it() -> None:
    class Diary(TenantTable):
        __tablename__ = "notes_diaries"

        id: Mapped[UUID] = mapped_column(primary_key=True)
        author_id: Mapped[UUID]

    table = Diary.__table__
    assert isinstance(table, Table)
    TenantTable.metadata.remove(table)  # for the tests of all tables
    with pytest.raises(ModuleRejected, match=r"notes_diaries\.author_id seems to be"):
        check(_changed(tables=(Diary,)), entry_point="notes")
