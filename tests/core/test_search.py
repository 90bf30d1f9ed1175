"""Full text in lists, and one box over all modules."""

import asyncio
from typing import Any

import pytest
from fixtures.background import WorkerProcess
from fixtures.inside import inside
from fixtures.installation import Installation, SignUp, TestTenant
from fixtures.jobs import shown
from fixtures.waiting import eventually
from insula.db import Statement
from insula.jobs import enqueue
from insula.search.forgetting import FORGET, Forget
from sqlalchemy import Column, Text, text


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("notes")


def _write(tenant: TestTenant, **notes: str) -> None:
    for title, body in notes.items():
        answer = tenant.http.post(
            "/api/v1/notes", json={"title": title.replace("_", " "), "body": body}
        )
        assert answer.status_code == 201


def _found(tenant: TestTenant, q: str, **query: Any) -> dict[str, Any]:
    answer = tenant.http.get("/api/v1/search", params={"q": q, **query})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _titles(tenant: TestTenant, q: str, **query: Any) -> list[str]:
    return [item["title"] for item in _found(tenant, q, **query)["items"]]


def test_words_are_found_by_stem_accent_and_beginning(tenant: TestTenant) -> None:
    _write(tenant, Roof="Gardening with Zoë in the café", Cellar="Wine")
    for q in ("gardens", "GARDENING", "zoe", "Zoé", "cafe", "gardeni", "zo", "roof caf"):
        found = _found(tenant, q)
        assert [item["title"] for item in found["items"]] == ["Roof"], q
        assert found["match"] == "all", q


def test_every_word_has_to_be_there_unless_it_says_nothing(tenant: TestTenant) -> None:
    _write(tenant, One="alpha beta", Two="alpha gamma")
    assert _titles(tenant, "alpha gamma") == ["Two"]
    assert _titles(tenant, "the alpha of gamma") == ["Two"]
    assert sorted(_titles(tenant, "beta or gamma")) == ["One", "Two"]
    assert _titles(tenant, "alpha -gamma") == ["One"]
    assert _titles(tenant, '"alpha gamma"') == ["Two"]
    assert _titles(tenant, '"gamma alpha"') == []
    assert _titles(tenant, '"one alpha"') == []


def test_typing_errors_are_mended_where_nothing_matches_as_typed(tenant: TestTenant) -> None:
    _write(tenant, Tomatoes="They want compost and sunshine", Compost="A heap")
    for q in ("tomatose", "tmoatoes", "tomattoes", "tomaboes", "compst sunshne", "tomatp"):
        found = _found(tenant, q)
        assert [item["title"] for item in found["items"]] == ["Tomatoes"], q
        assert found["match"] == "similar", q
    assert _found(tenant, "compost")["match"] == "all"
    assert _titles(tenant, "elephants") == []


def test_a_word_that_only_others_have_mends_nothing(sign_up: SignUp) -> None:
    ours, theirs = sign_up("notes"), sign_up("notes")
    _write(theirs, Rhododendron="Secret")
    _write(ours, Rose="Here")
    found = _found(ours, "rhododendrn")
    assert (found["items"], found["kinds"]) == ([], {"notes.note": 0})


def test_words_that_one_may_not_read_neither_mend_nor_take_a_place(sign_up: SignUp) -> None:
    tenant = sign_up("blog")

    def write(**article: Any) -> None:
        answer = tenant.http.post("/api/v1/blog/articles", json=article)
        assert answer.status_code == 201

    hidden = " ".join(f"tomat{letter}" for letter in "abcdefghijklm")  # as near as "tomato"
    write(title="Draft", body=f"{hidden} rhododendron")
    write(title="Public", body="tomato", publish=True)
    visitor = tenant.anonymous()
    for q, titles in (("tomatx", ["Public"]), ("rhododendrn", [])):
        found = visitor.get("/api/v1/search", params={"q": q}).json()
        assert [item["title"] for item in found["items"]] == titles, q


async def test_words_of_what_is_gone_are_forgotten_by_night(
    installation: Installation, sign_up: SignUp, worker: WorkerProcess
) -> None:
    tenant = sign_up("notes")
    _write(tenant, Kept="marigold common", Gone="rhododendron common")
    gone = tenant.http.get("/api/v1/notes?title=Gone").json()["items"][0]["id"]
    tenant.http.delete(f"/api/v1/notes/{gone}")
    tenant.http.delete(f"/api/v1/notes/trash/{gone}")

    def waiting() -> list[dict[str, Any]]:
        listed = tenant.http.get("/api/v1/jobs?name=search.forget&status=queued").json()
        return list(listed["items"])

    (job,) = await asyncio.to_thread(eventually, waiting)
    assert job["key"] == "search.forget"
    async with inside(installation) as platform:
        inner = await platform.tenant(tenant)
        async with platform.transaction(inner) as tx:
            now = await enqueue(tx, FORGET, Forget())  # instead of by night
        done = await shown(tenant, now, "succeeded")
        assert done["result"]["forgotten"] >= 1
        words = Statement(text("SELECT word FROM search_words").columns(Column("word", Text)), str)
        async with platform.transaction(inner) as tx:
            left = await tx.many(words)
    assert {"marigold", "common"} <= set(left)
    assert "rhododendron" not in left
    assert len(left) == len(set(left))


def test_some_of_the_words_do_where_nothing_has_them_all(tenant: TestTenant) -> None:
    _write(tenant, One="alpha", Two="beta")
    found = _found(tenant, "alpha elephant -beta")
    assert ([item["title"] for item in found["items"]], found["match"]) == (["One"], "some")


def test_what_matches_is_marked_and_the_rest_escaped(tenant: TestTenant) -> None:
    body = (
        "<b onclick=x>alert</b>(1)"
        + "<script>f()</script> filler & more " * 300
        + "the Gardens' <b>Café</b> " * 3
    )
    _write(tenant, **{"Garden <i>plan</i>": body})
    item = _found(tenant, "garden cafe")["items"][0]
    assert item["marked_title"] == "<mark>Garden</mark> &lt;i&gt;plan&lt;/i&gt;"
    assert "the <mark>Gardens</mark>&#x27; &lt;b&gt;<mark>Café</mark>&lt;/b&gt;" in item["snippet"]
    assert item["snippet"].startswith("…")
    assert "<script" not in item["snippet"]
    assert item["title"] == "Garden <i>plan</i>"
    assert tenant.http.get(item["url"]).json()["title"] == item["title"]
    item = _found(tenant, "alert")["items"][0]
    assert item["snippet"].startswith(
        "&lt;b onclick=x&gt;<mark>alert</mark>&lt;/b&gt;(1)&lt;script"
    )


def test_a_title_that_is_just_that_comes_first(tenant: TestTenant) -> None:
    _write(
        tenant, Garden_party="garden garden", Notes="garden " * 40, Garden="x", My_garden="garden"
    )
    assert _titles(tenant, "garden")[:2] == ["Garden", "Garden party"]


def test_pages_neither_repeat_nor_lose_anything(tenant: TestTenant) -> None:
    _write(tenant, **{f"Note {number}": "same words" for number in range(7)})
    seen: list[str] = []
    answer = tenant.http.get("/api/v1/search", params={"q": "same", "limit": 3})
    while (page := answer.json())["next"] is not None:
        seen += [item["id"] for item in page["items"]]
        if len(seen) == 3:  # a better match comes in front of what has been read
            assert page["kinds"] == {"notes.note": 7}
            _write(tenant, same="same")
        answer = tenant.http.get(answer.links["next"]["url"])
    seen += [item["id"] for item in page["items"]]
    assert page["kinds"] == {"notes.note": 8}
    assert len(seen) == len(set(seen)) == 7


def test_a_cursor_of_something_else_is_refused(tenant: TestTenant) -> None:
    _write(tenant, One="same", Two="same")
    cursor = _found(tenant, "same", limit=1)["next"]
    for query in ({"q": "other", "cursor": cursor}, {"q": "same", "cursor": "AAAA"}):
        answer = tenant.http.get("/api/v1/search", params=query)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == "?cursor"


HOSTILE = [
    "", " ", '"', '""', "-", "--", "or", "or or", "the", "of the", "a & b | !c", "(((", "':*",
    "\\", "\\'", "' || 'x", "x:*", "<->", "👍", "👍🏽 party", "שלום", "مرحبا بالعالم", "\u202eabc",
    "日本語", "%", "_", "é" * 400, "-the", "-a -b", "x" * 400, "a-b-c", "foo@example.com",
    "http://example.com/a?b=c", "3.14 -1e9", "a\tb\nc", "\ufdfa" * 100, "word " * 2000, "\ud83d",
]  # fmt: skip


@pytest.mark.parametrize("path", ["/api/v1/search", "/api/v1/notes"])
def test_nothing_that_is_typed_fails(tenant: TestTenant, path: str) -> None:
    _write(tenant, **{"Привет 日本語": "שלום 👍 foo@example.com a-b-c"})
    for typed in HOSTILE:
        raw = typed.encode("utf-8", "surrogatepass")
        answer = tenant.http.get(f"{path}?q=" + "".join(f"%{byte:02x}" for byte in raw))
        assert answer.status_code == 200, (typed, answer.text)


def test_words_of_any_script_and_shape_are_found(tenant: TestTenant) -> None:
    _write(tenant, **{"Привет 日本語": "שָׁלוֹם 👍 foo@example.com a-b-c Straße Łódź"})
    for typed in ("привет", "שלום", "日本", "foo@example.com", "a-b-c", "strasse", "lodz"):
        item = _found(tenant, typed)["items"][0]
        assert "<mark>" in item["marked_title"] + item["snippet"], typed


def test_kinds_can_be_chosen(tenant: TestTenant) -> None:
    _write(tenant, One="alpha")
    for kind in ("notes", "notes.note"):
        assert _titles(tenant, "alpha", kind=kind) == ["One"]
    answer = tenant.http.get("/api/v1/search", params={"q": "alpha", "kind": "teleport"})
    assert answer.status_code == 400
    assert "notes.note" in answer.json()["errors"][0]["detail"]


def test_only_what_one_may_see_is_found(tenant: TestTenant) -> None:
    _write(tenant, Plan="alpha")
    path = _found(tenant, "alpha")["items"][0]["url"]
    customer = tenant.add_user("customer").http
    for http in (customer, tenant.anonymous()):
        found = http.get("/api/v1/search", params={"q": "alpha"}).json()
        assert (found["items"], found["kinds"]) == ([], {})
    tenant.http.delete(path)
    assert _titles(tenant, "alpha") == []
    tenant.http.delete("/api/v1/modules/notes")
    assert _found(tenant, "alpha")["kinds"] == {}


def test_a_list_is_searched_the_same_way(tenant: TestTenant) -> None:
    _write(tenant, Roof="Gardening with Zoë", Cellar="Wine")
    for q in ("zoe", "gardeni", "garden -wine", '"with zoe"'):
        items = tenant.http.get("/api/v1/notes", params={"q": q}).json()["items"]
        assert [item["title"] for item in items] == ["Roof"], q
