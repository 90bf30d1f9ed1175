"""Comments: threads, moderation, the edit window."""

from typing import Any

import pytest
from fixtures.installation import SignUp, TestTenant, User

PATH = "/api/v1/blog"


class Discussion:
    """A public article, and what people say about it."""

    def __init__(self, tenant: TestTenant, **settings: Any) -> None:
        self.tenant = tenant
        if settings:
            assert tenant.http.patch(f"{PATH}/settings", json=settings).status_code == 200
        new = {"title": "Discuss", "publish": True}
        self.article = tenant.http.post(f"{PATH}/articles", json=new).json()["id"]
        self.path = f"{PATH}/articles/{self.article}/comments"

    def say(self, who: User, body: str, parent: str | None = None) -> dict[str, Any]:
        answer = who.http.post(self.path, json={"body": body, "parent_id": parent})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def seen(self, who: User | None = None) -> list[str]:
        http = self.tenant.anonymous() if who is None else who.http
        return [comment["body"] for comment in http.get(self.path).json()["items"]]

    def decide(self, comment: dict[str, Any], status: str) -> None:
        path = f"{PATH}/comments/{comment['id']}/status"
        assert self.tenant.http.put(path, json={"status": status}).status_code == 200


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("blog")


def test_answers_make_threads(tenant: TestTenant) -> None:
    here, reader = Discussion(tenant), tenant.add_user("customer")
    first = here.say(reader, "**First** <script>x</script>")
    second = here.say(reader, "Second", first["id"])
    assert (second["parent_id"], second["depth"], second["status"]) == (first["id"], 1, "approved")
    assert "<strong>First</strong>" in first["html"]
    assert "script" not in first["html"]
    assert len(here.seen()) == 2
    elsewhere = Discussion(tenant)
    other = reader.http.post(elsewhere.path, json={"body": "x", "parent_id": first["id"]})
    assert other.status_code == 404


def test_a_thread_has_an_end(tenant: TestTenant) -> None:
    here, parent = Discussion(tenant), None
    for level in range(21):
        parent = here.say(tenant.owner, f"Level {level}", parent)["id"]
    answer = tenant.http.post(here.path, json={"body": "x", "parent_id": parent})
    assert answer.json()["type"].endswith("blog-thread-too-deep")


def test_deleting_keeps_the_thread(tenant: TestTenant) -> None:
    here, reader = Discussion(tenant), tenant.add_user("customer")
    first = here.say(reader, "Question")
    answer = here.say(tenant.owner, "Answer", first["id"])
    assert reader.http.delete(f"{PATH}/comments/{first['id']}").status_code == 204
    place, left = tenant.anonymous().get(here.path).json()["items"]
    assert (place["status"], place["body"], place["author"]) == ("deleted", "", None)
    assert left["parent_id"] == place["id"]
    assert reader.http.delete(f"{PATH}/comments/{first['id']}").status_code == 404
    assert reader.http.delete(f"{PATH}/comments/{answer['id']}").status_code == 403
    assert tenant.http.delete(f"{PATH}/comments/{answer['id']}").status_code == 204
    assert here.seen() == []


def test_a_comment_that_waits_is_seen_by_its_author_alone(tenant: TestTenant) -> None:
    here = Discussion(tenant, moderation="all")
    reader, other = tenant.add_user("customer"), tenant.add_user("customer")
    comment = here.say(reader, "Wait for me")
    assert comment["status"] == "pending"
    assert (here.seen(reader), here.seen(other), here.seen()) == (["Wait for me"], [], [])
    waiting = tenant.http.get(f"{PATH}/comments?status=pending").json()["items"]
    assert [each["id"] for each in waiting] == [comment["id"]]
    here.decide(comment, "approved")
    assert here.seen() == ["Wait for me"]
    here.decide(comment, "rejected")
    assert here.seen(reader) == []
    assert here.say(tenant.owner, "Mine")["status"] == "approved"
    assert reader.http.get(f"{PATH}/comments").status_code == 403


def test_only_the_first_comment_waits_if_the_blog_says_so(tenant: TestTenant) -> None:
    here, reader = Discussion(tenant, moderation="first"), tenant.add_user("customer")
    first = here.say(reader, "One")
    assert first["status"] == "pending"
    assert here.say(reader, "Two")["status"] == "pending"
    here.decide(first, "approved")
    assert here.say(reader, "Three")["status"] == "approved"


def test_links_wait_and_blocked_words_are_spam(tenant: TestTenant) -> None:
    here = Discussion(tenant, max_links=1, blocked_words=["cheap Pills"])
    reader = tenant.add_user("customer")
    assert here.say(reader, "see https://a.example")["status"] == "approved"
    assert here.say(reader, "https://a.example [b](c) www.d.example")["status"] == "pending"
    assert here.say(reader, "CHEAP pills")["status"] == "spam"
    honest = here.say(reader, "Honest")
    edited = reader.http.patch(f"{PATH}/comments/{honest['id']}", json={"body": "cheap pills!"})
    assert edited.json()["status"] == "spam"


def test_a_comment_can_be_changed_for_a_while(tenant: TestTenant) -> None:
    here, reader = Discussion(tenant), tenant.add_user("customer")
    comment = here.say(reader, "Tpyo")
    path = f"{PATH}/comments/{comment['id']}"
    match = {"If-Match": '"1"'}
    changed = reader.http.patch(path, json={"body": "Typo"}, headers=match)
    assert changed.json()["body"] == "Typo"
    assert changed.json()["edited_at"]
    assert reader.http.patch(path, json={"body": "x"}, headers=match).status_code == 412
    assert tenant.add_user("customer").http.patch(path, json={"body": "x"}).status_code == 403
    tenant.http.patch(f"{PATH}/settings", json={"edit_minutes": 0})
    late = reader.http.patch(path, json={"body": "Late"})
    assert late.json()["type"].endswith("blog-edit-window-over")
    assert tenant.http.patch(path, json={"body": "By the house"}).status_code == 200


def test_comments_close_for_an_article_or_the_blog(tenant: TestTenant) -> None:
    here, reader = Discussion(tenant), tenant.add_user("customer")
    tenant.http.patch(f"{PATH}/articles/{here.article}", json={"comments_open": False})
    closed = reader.http.post(here.path, json={"body": "x"})
    assert closed.json()["type"].endswith("blog-comments-closed")
    tenant.http.patch(f"{PATH}/articles/{here.article}", json={"comments_open": True})
    here.say(reader, "Open")
    tenant.http.patch(f"{PATH}/settings", json={"comments_open": False})
    assert reader.http.post(here.path, json={"body": "x"}).status_code == 409
    assert here.seen() == ["Open"]


def test_moderating_many_tells_each_outcome(tenant: TestTenant) -> None:
    here, reader = Discussion(tenant, moderation="all"), tenant.add_user("customer")
    made = [here.say(reader, text)["id"] for text in ("a", "b")]
    here.decide({"id": made[1]}, "approved")
    nowhere = "019aa000-0000-7000-8000-000000000001"
    wish = {"ids": [*made, nowhere], "status": "approved"}
    answer = tenant.http.post(f"{PATH}/comments/moderate", json=wish).json()
    assert [each["outcome"] for each in answer] == ["changed", "unchanged", "not_found"]
    assert here.seen() == ["a", "b"]


def test_settings_are_told_apart_by_version(tenant: TestTenant) -> None:
    read = tenant.http.get(f"{PATH}/settings")
    assert read.json()["moderation"] == "none"
    changed = tenant.http.patch(f"{PATH}/settings", json={"title": "Bread"})
    assert changed.json()["title"] == "Bread"
    old = {"If-Match": read.headers["etag"]}
    assert tenant.http.patch(f"{PATH}/settings", json={}, headers=old).status_code == 412
    assert tenant.add_user().http.get(f"{PATH}/settings").status_code == 403
