"""Notes: written, read, changed, found."""

import pytest
from fixtures.installation import SignUp, TestTenant


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("notes")


def _write(tenant: TestTenant, **note: object) -> dict[str, object]:
    answer = tenant.http.post("/api/v1/notes", json=note)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_a_note_is_markdown_and_safe_html(tenant: TestTenant) -> None:
    body = "# Roof\n\n**water** <script>alert(1)</script> #garden\n\n- [ ] tomatoes"
    note = _write(tenant, body=body)
    assert note["title"] == "Roof"
    assert note["tags"] == ["garden"]
    assert note["body"] == body
    html = str(note["html"])
    assert "<strong>water</strong>" in html
    assert "<script" not in html
    assert 'type="checkbox"' in html
    assert tenant.http.get(f"/api/v1/notes/{note['id']}").json() == note


def test_tags_given_are_kept_beside_those_in_the_text(tenant: TestTenant) -> None:
    note = _write(tenant, title="T", body="x #inline", tags=["given", "#Two words"])
    assert note["tags"] == ["given", "Two words", "inline"]
    path = f"/api/v1/notes/{note['id']}"
    changed = tenant.http.patch(path, json={"tags": ["other"]}).json()
    assert changed["tags"] == ["other", "inline"]
    assert changed["body"] == "x #inline"


def test_a_title_that_followed_the_heading_goes_on_following_it(tenant: TestTenant) -> None:
    note = _write(tenant, body="# One")
    path = f"/api/v1/notes/{note['id']}"
    assert tenant.http.patch(path, json={"body": "# Two"}).json()["title"] == "Two"
    assert tenant.http.patch(path, json={"title": "Mine"}).json()["title"] == "Mine"
    assert tenant.http.patch(path, json={"body": "# Three"}).json()["title"] == "Mine"


def test_a_conflicting_change_is_refused(tenant: TestTenant) -> None:
    note = _write(tenant, title="A")
    path = f"/api/v1/notes/{note['id']}"
    match = {"If-Match": tenant.http.get(path).headers["etag"]}
    assert tenant.http.patch(path, json={"title": "B"}, headers=match).status_code == 200
    lost = tenant.http.patch(path, json={"title": "C"}, headers=match)
    assert lost.status_code == 412
    assert lost.headers["etag"] == '"2"'
    assert tenant.http.delete(path, headers=match).status_code == 412


def test_a_read_note_is_not_sent_again(tenant: TestTenant) -> None:
    note = _write(tenant, title="A")
    path = f"/api/v1/notes/{note['id']}"
    etag = tenant.http.get(path).headers["etag"]
    assert tenant.http.get(path, headers={"If-None-Match": etag}).status_code == 304
    tenant.http.patch(path, json={"title": "B"})
    assert tenant.http.get(path, headers={"If-None-Match": etag}).status_code == 200


def test_lists_filter_sort_and_search(tenant: TestTenant) -> None:
    _write(tenant, title="Chard", body="grows in the north bed #garden")
    _write(tenant, title="Basil", body="likes tomatoes #garden #kitchen")
    _write(tenant, title="Stairs", body="are swept on Fridays")

    def titles(query: str) -> list[str]:
        answer = tenant.http.get(f"/api/v1/notes?{query}")
        assert answer.status_code == 200, answer.text
        return [item["title"] for item in answer.json()["items"]]

    assert titles("sort=title") == ["Basil", "Chard", "Stairs"]
    assert titles("tag=garden&sort=-title") == ["Chard", "Basil"]
    assert titles("tag=kitchen") == ["Basil"]
    assert titles("q=growing") == ["Chard"]
    assert titles("q=friday -garden") == ["Stairs"]
    assert titles("created_at[lt]=2020-01-01T00:00:00Z") == []
    item = tenant.http.get("/api/v1/notes?fields=title&limit=1").json()["items"][0]
    assert list(item) == ["title"]


def test_pages_hold_every_note_once_while_others_are_written(tenant: TestTenant) -> None:
    for number in range(25):
        _write(tenant, title=f"N{number:02}")
    seen: list[str] = []
    query = "sort=created_at&limit=7"
    cursor = ""
    while True:
        page = tenant.http.get(f"/api/v1/notes?{query}{cursor}").json()
        seen += [item["title"] for item in page["items"]]
        if len(seen) == 14:
            _write(tenant, title="late")
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == [f"N{number:02}" for number in range(25)] + ["late"]
    back = tenant.http.get(f"/api/v1/notes?{query}&cursor={page['prev']}").json()
    assert [item["title"] for item in back["items"]] == [f"N{n:02}" for n in range(14, 21)]


def test_links_lead_both_ways_whatever_is_written_first(tenant: TestTenant) -> None:
    garden = _write(tenant, title="Garden", body="See [[watering|the plan]] and [[Nowhere]].")
    water = _write(tenant, title="Watering", body="For the [[GARDEN#Beds]].")
    links = tenant.http.get(f"/api/v1/notes/{garden['id']}/links").json()
    assert [(link["target"], link["note_id"]) for link in links] == [
        ("watering", water["id"]),
        ("Nowhere", None),
    ]
    back = tenant.http.get(f"/api/v1/notes/{garden['id']}/backlinks").json()
    assert [(link["note_id"], link["heading"]) for link in back] == [(water["id"], "Beds")]
    tenant.http.patch(f"/api/v1/notes/{water['id']}", json={"body": "No more."})
    assert tenant.http.get(f"/api/v1/notes/{garden['id']}/backlinks").json() == []


def test_tags_are_counted(tenant: TestTenant) -> None:
    _write(tenant, title="1", body="#a #b")
    _write(tenant, title="2", body="#a")
    counted = tenant.http.get("/api/v1/notes/tags").json()
    assert counted == [{"tag": "a", "notes": 2}, {"tag": "b", "notes": 1}]


def test_ticking_a_task_changes_one_character(tenant: TestTenant) -> None:
    body = "- [ ] one\n- [x] two\n\n```\n- [ ] code\n```\n"
    note = _write(tenant, title="T", body=body)
    path = f"/api/v1/notes/{note['id']}"
    listed = tenant.http.get(f"{path}/tasks").json()["tasks"]
    assert [(task["number"], task["text"], task["done"]) for task in listed] == [
        (1, "one", False),
        (2, "two", True),
    ]
    ticked = tenant.http.patch(f"{path}/tasks/1", json={"done": True}).json()
    assert ticked["body"] == body.replace("- [ ] one", "- [x] one")
    missing = tenant.http.patch(f"{path}/tasks/9", json={"done": True})
    assert missing.status_code == 404
    assert missing.json()["type"].endswith("/notes-no-such-task")


def test_every_change_is_a_revision_that_can_be_compared_and_restored(tenant: TestTenant) -> None:
    note = _write(tenant, title="T", body="one\ntwo\n")
    path = f"/api/v1/notes/{note['id']}"
    tenant.http.patch(path, json={"body": "one\n2\n"})
    tenant.http.patch(path, json={"body": "one\n2\n"})  # changes nothing
    tenant.http.patch(path, json={"title": "U"})
    listed = tenant.http.get(f"{path}/revisions").json()
    assert [line["revision"] for line in listed] == [3, 2, 1]
    diff = tenant.http.get(f"{path}/revisions/2/diff").json()
    assert (diff["added"], diff["removed"]) == (1, 1)
    lines = [line["text"] for line in diff["hunks"][0]["lines"] if line["kind"] == "delete"]
    assert lines == ["two\n"]
    restored = tenant.http.post(f"{path}/revisions/1/restore").json()
    assert (restored["title"], restored["body"], restored["revision"]) == ("T", "one\ntwo\n", 4)
    assert tenant.http.get(f"{path}/revisions/9").status_code == 404


def test_the_trash_gives_back_and_forgets(tenant: TestTenant) -> None:
    note = _write(tenant, title="T", body="x")
    path, trashed = f"/api/v1/notes/{note['id']}", f"/api/v1/notes/trash/{note['id']}"
    assert tenant.http.delete(trashed).status_code == 404
    assert tenant.http.delete(path).status_code == 204
    assert tenant.http.get(path).status_code == 404
    assert tenant.http.get(f"{path}/revisions").status_code == 404
    items = tenant.http.get("/api/v1/notes/trash").json()["items"]
    assert [item["id"] for item in items] == [note["id"]]
    assert tenant.http.post(f"{trashed}/restore").json()["body"] == "x"
    tenant.http.delete(path)
    assert tenant.http.delete(trashed).status_code == 204
    assert tenant.http.post(f"{trashed}/restore").status_code == 404


def test_a_shared_link_shows_the_note_to_anybody_until_it_is_withdrawn(
    tenant: TestTenant, sign_up: SignUp
) -> None:
    note = _write(tenant, title="Shared", body="# Shared\n\nhello")
    shares = f"/api/v1/notes/{note['id']}/shares"
    share = tenant.http.post(shares, json={}).json()
    link = f"/api/v1/notes/shared/{share['token']}"
    assert share["url"].endswith(link)
    anybody = tenant.anonymous()
    shown = anybody.get(link)
    assert shown.status_code == 200
    assert shown.json()["title"] == "Shared"
    assert "id" not in shown.json()
    page = anybody.get(link, headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<p>hello</p>" in page.text
    assert sign_up("notes").anonymous().get(link).status_code == 404
    assert tenant.http.delete(f"{shares}/{share['id']}").status_code == 204
    assert anybody.get(link).status_code == 404


def test_a_share_can_expire_but_not_in_the_past(tenant: TestTenant) -> None:
    note = _write(tenant, title="T")
    shares = f"/api/v1/notes/{note['id']}/shares"
    for when in ("2020-01-01T00:00:00Z", "2099-01-01T00:00:00"):
        answer = tenant.http.post(shares, json={"expires_at": when})
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == "/expires_at"
    later = tenant.http.post(shares, json={"expires_at": "2099-01-01T00:00:00Z"})
    assert later.status_code == 201


def test_a_shared_note_in_the_trash_is_not_shown(tenant: TestTenant) -> None:
    note = _write(tenant, title="T")
    share = tenant.http.post(f"/api/v1/notes/{note['id']}/shares", json={}).json()
    tenant.http.delete(f"/api/v1/notes/{note['id']}")
    assert tenant.anonymous().get(f"/api/v1/notes/shared/{share['token']}").status_code == 404


def test_a_customer_may_not_read_or_write(tenant: TestTenant) -> None:
    customer = tenant.add_user("customer")
    assert customer.http.get("/api/v1/notes").status_code == 403
    assert customer.http.post("/api/v1/notes", json={"title": "x"}).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        "word " * 190_000,
        " ".join(f"w{n}" for n in range(130_000)),
        "\N{ROLLING ON THE FLOOR LAUGHING}" * 200_000,
        "[[" + "x" * 900_000,
        "#" + "t" * 900_000,
        "- [ ] " * 100_000,
    ],
    ids=["long", "unique words", "emoji", "endless link", "endless tag", "nested tasks"],
)
def test_enormous_notes_are_kept_whole(tenant: TestTenant, body: str) -> None:
    note = _write(tenant, title="Enormous", body=body)
    assert tenant.http.get(f"/api/v1/notes/{note['id']}").json()["body"] == body


def test_isolation(sign_up: SignUp) -> None:
    """Nothing of one tenant's notes is seen, changed, found or guessed by another."""
    ours, theirs = sign_up("notes"), sign_up("notes")
    note = _write(theirs, title="Secret", body="plans #secret [[Other]]")
    path = f"/api/v1/notes/{note['id']}"
    for method, url in (
        ("GET", path),
        ("PATCH", path),
        ("DELETE", path),
        ("GET", f"{path}/backlinks"),
        ("GET", f"{path}/links"),
        ("GET", f"{path}/revisions"),
        ("GET", f"{path}/revisions/1"),
        ("GET", f"{path}/tasks"),
        ("POST", f"{path}/shares"),
        ("GET", f"{path}/shares"),
    ):
        body: object = {} if method in ("PATCH", "POST") else None
        assert ours.http.request(method, url, json=body).status_code == 404, (method, url)
    assert ours.http.get("/api/v1/notes?q=plans").json()["items"] == []
    assert ours.http.get("/api/v1/notes/tags").json() == []
    assert theirs.http.get(path).json() == note
