"""Erasing a person, so that nothing of them is left, and proving it later."""

import asyncio
from typing import Any

import asyncpg
import pytest
from fixtures.background import WorkerProcess
from fixtures.files import upload
from fixtures.installation import PASSWORD, Installation, SignUp, TestTenant, User
from fixtures.waiting import eventually
from insula.db import TenantTable
from insula.db.marks import IMPERSONAL, person, unmarked
from insula.module import discover
from insula.portability.core_tables import CORE_TABLES
from insula.portability.receipts import Receipts
from joserfc import jws
from joserfc.jwk import OKPKey
from sqlalchemy import Column, MetaData, Table, Text, Uuid

NAME, EMAIL = "Zenobia Quixworth", "zenobia.quixworth@example.com"


@pytest.fixture
def tenant(sign_up: SignUp, worker: WorkerProcess) -> TestTenant:
    return sign_up("notes", "tasks", "blog", "polls")


@pytest.fixture
def zenobia(tenant: TestTenant) -> User:
    new = {"email": EMAIL, "name": NAME, "password": PASSWORD, "role": "admin"}
    assert tenant.http.post("/api/v1/users", json=new).status_code == 201
    user = tenant.sign_in(EMAIL)
    for path, body in (
        ("/api/v1/notes", {"title": "Her note", "body": "text"}),
        ("/api/v1/tasks", {"title": "Her task"}),
        ("/api/v1/blog/articles", {"title": "Her article", "body": "text"}),
    ):
        answer = user.http.post(path, json=body)
        assert answer.status_code == 201, answer.text
    upload(TestTenant(tenant.url, tenant.slug, "", user), b"her file")
    return user


def _id(user: User) -> str:
    return str(user.http.get("/api/v1/me").json()["user"]["id"])


def _erase(tenant: TestTenant, user_id: str, content: str = "keep") -> dict[str, Any]:
    answer = tenant.http.post(f"/api/v1/users/{user_id}/erase", json={"content": content})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _mentions(installation: Installation, tenant: TestTenant, *texts: str) -> list[str]:
    """The tables of a tenant in which one of the texts is anywhere."""

    async def look() -> list[str]:
        connection = await asyncpg.connect(installation.settings.database_url)
        try:
            number = await connection.fetchval(
                "SELECT number FROM ctl.tenants WHERE slug = $1", tenant.slug
            )
            await connection.execute(f"SET search_path = t_{number}, ext")
            tables = await connection.fetch(
                "SELECT relname FROM pg_class WHERE relkind = 'r' "
                "AND relnamespace = current_schema()::regnamespace"
            )
            found = []
            for (table,) in tables:
                query = f"SELECT count(*) FROM {table} WHERE lower({table}::text) LIKE ANY($1)"
                if await connection.fetchval(query, [f"%{text.lower()}%" for text in texts]):
                    found.append(table)
            return found
        finally:
            await connection.close()

    return asyncio.run(look())


def test_nothing_says_who_it_was(
    installation: Installation, tenant: TestTenant, zenobia: User
) -> None:
    assert "users" in _mentions(installation, tenant, EMAIL, NAME)
    receipt = _erase(tenant, _id(zenobia))
    eventually(lambda: not _mentions(installation, tenant, EMAIL, NAME, "zenobia", "quixworth"))
    assert zenobia.http.get("/api/v1/me").status_code == 401
    credentials = {"email": EMAIL, "password": PASSWORD}
    assert tenant.anonymous().post("/api/v1/sessions", json=credentials).status_code == 401
    assert receipt["tables"]["users"] == {"emptied": 1}
    assert receipt["tables"]["sessions"] == {"deleted": 1}
    assert receipt["tables"]["notes"] == {"kept": 1}
    notes = tenant.http.get("/api/v1/notes").json()["items"]
    assert [note["title"] for note in notes] == ["Her note"]
    erased = tenant.http.get(f"/api/v1/users/{receipt['user_id']}").json()
    assert (erased["name"], erased["status"]) == ("Erased user", "disabled")
    assert erased["email"].endswith("@erased.invalid")
    eventually(lambda: not _events_of(tenant, receipt["user_id"]))


def _events_of(tenant: TestTenant, user_id: str) -> list[Any]:
    events = tenant.http.get("/api/v1/events?limit=100").json()["items"]
    return [event for event in events if user_id in str(event.get("actorid"))]


def test_what_they_wrote_goes_with_them_if_that_is_wanted(
    tenant: TestTenant, zenobia: User
) -> None:
    receipt = _erase(tenant, _id(zenobia), "remove")
    assert receipt["tables"]["notes"] == {"deleted": 1}
    assert receipt["tables"]["blog_articles"] == {"deleted": 1}
    for path in ("/api/v1/notes", "/api/v1/tasks", "/api/v1/files", "/api/v1/blog/articles"):
        assert tenant.http.get(path).json()["items"] == [], path
    eventually(lambda: tenant.http.get("/api/v1/files/usage").json()["bytes"] == 0)


def test_what_others_have_answered_is_emptied_and_stays(tenant: TestTenant, zenobia: User) -> None:
    article = tenant.http.post("/api/v1/blog/articles", json={"title": "A", "body": "text"}).json()
    path = f"/api/v1/blog/articles/{article['id']}"
    assert tenant.http.post(f"{path}/publish", json={}).status_code == 200
    first = zenobia.http.post(f"{path}/comments", json={"body": "Hers"}).json()
    reply = {"body": "An answer", "parent_id": first["id"]}
    assert tenant.http.post(f"{path}/comments", json=reply).status_code == 201
    _erase(tenant, _id(zenobia), "remove")
    comments = str(tenant.http.get(f"{path}/comments").json())
    assert "An answer" in comments
    assert "Hers" not in comments


def test_a_receipt_can_be_shown_and_checked_later(
    installation: Installation, tenant: TestTenant, zenobia: User
) -> None:
    user_id = _id(zenobia)
    receipt = _erase(tenant, user_id)
    assert _erase(tenant, user_id) == receipt
    shown = tenant.http.get(f"/api/v1/erasures/{receipt['id']}").json()
    assert shown["is_valid"] is True
    key = OKPKey.import_key(shown["key"])
    signed = jws.deserialize_compact(receipt["receipt"], key, algorithms=["Ed25519"])
    assert user_id.encode() in signed.payload
    more = _erase(tenant, user_id, "remove")
    assert more["id"] != receipt["id"]
    assert _erase(tenant, user_id)["id"] in (receipt["id"], more["id"])
    listed = tenant.http.get(f"/api/v1/erasures?user_id={user_id}").json()["items"]
    assert {line["id"] for line in listed} == {receipt["id"], more["id"]}
    assert Receipts("another secret, long enough to be one").public_key != shown["key"]


def test_who_may_erase_whom(tenant: TestTenant, zenobia: User) -> None:
    owner = _id(tenant.owner)
    path = f"/api/v1/users/{owner}/erase"
    answer = tenant.http.post(path, json={})
    assert (answer.status_code, answer.json()["type"]) == (409, "/docs/problems/last-owner")
    assert zenobia.http.post(path, json={}).json()["type"].endswith("/outranks-you")
    member = tenant.add_user("member")
    assert member.http.post(f"/api/v1/users/{_id(member)}/erase", json={}).status_code == 403
    nobody = f"/api/v1/users/{tenant.id}/erase"
    assert tenant.http.post(nobody, json={}).status_code == 404
    assert tenant.http.post(path, json={"content": "burn"}).status_code == 400


def test_exports_that_have_somebody_in_them_are_deleted(tenant: TestTenant, zenobia: User) -> None:
    where = tenant.http.post("/api/v1/exports").headers["location"]
    eventually(lambda: tenant.http.get(where).json()["status"] == "ready")
    assert _erase(tenant, _id(zenobia))["tables"]["exports"] == {"emptied": 1}
    assert tenant.http.get(where).json()["status"] == "withdrawn"
    gone = tenant.http.get(f"{where}/archive")
    assert (gone.status_code, gone.json()["type"]) == (409, "/docs/problems/export-not-ready")


def test_every_column_about_a_person_says_what_becomes_of_it() -> None:
    discover()
    assert CORE_TABLES
    undecided = {
        table.name: names
        for table in TenantTable.metadata.sorted_tables
        if (names := unmarked(table))
    }
    assert undecided == {}


def test_a_column_about_a_person_needs_a_mark() -> None:
    table = Table(
        "things",
        MetaData(),
        Column("author_id", Uuid),
        Column("contact_email", Text),
        Column("marked_by", Uuid, info=person("keep")),
        Column("mailed_by", Text, info=IMPERSONAL),
        Column("title", Text),
    )
    assert unmarked(table) == ["author_id", "contact_email"]
