"""Articles through their HTTP API."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from fixtures.files import picture, upload
from fixtures.installation import SignUp, TestTenant, User

PATH = "/api/v1/blog"
ARTICLES = f"{PATH}/articles"


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("blog")


def write(who: TestTenant | User, title: str = "One", **fields: Any) -> dict[str, Any]:
    """A published article."""
    answer = who.http.post(ARTICLES, json={"title": title, "publish": True} | fields)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def titles(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["title"] for item in answer.json()["items"]]


def test_a_draft_is_nobodys_business(tenant: TestTenant) -> None:
    author, other = tenant.add_user(), tenant.add_user()
    made = author.http.post(ARTICLES, json={"title": "Draft", "body": "# Hi"})
    assert made.status_code == 201
    path = made.headers["location"]
    assert made.json()["status"] == "draft"
    assert author.http.get(path).json() == made.json()
    assert tenant.http.get(path).status_code == 200  # an owner manages
    for stranger in (other.http, tenant.anonymous()):
        assert stranger.get(path).status_code == 404
        assert stranger.get(f"{path}/comments").status_code == 404
        assert titles(stranger.get(ARTICLES)) == []
    assert other.http.patch(path, json={"title": "Mine"}).status_code == 404
    assert titles(author.http.get(f"{PATH}/drafts")) == ["Draft"]
    assert titles(other.http.get(f"{PATH}/drafts")) == []
    assert titles(tenant.http.get(f"{PATH}/drafts")) == ["Draft"]


def test_what_is_published_is_read_by_anybody(tenant: TestTenant) -> None:
    article = write(tenant, "Read me", body="*Hello* <script>alert(1)</script>", tags=["a", "A"])
    read = tenant.anonymous().get(f"{ARTICLES}/{article['id']}")
    assert read.status_code == 200
    assert "<em>Hello</em>" in read.json()["html"]
    assert "script" not in read.json()["html"]
    assert read.json()["tags"] == ["a"]
    known = {"If-None-Match": read.headers["etag"]}
    assert tenant.anonymous().get(f"{ARTICLES}/{article['id']}", headers=known).status_code == 304


def test_a_cover_is_an_image_among_the_files_and_read_with_the_article(tenant: TestTenant) -> None:
    image = upload(tenant, picture("png"), "roof.png")["id"]
    text = upload(tenant, b"plan", "plan.txt")["id"]
    for other in (text, str(uuid4())):
        refused = tenant.http.post(ARTICLES, json={"title": "x", "cover_file_id": other})
        assert refused.status_code == 400
        assert refused.json()["errors"][0]["pointer"] == "/cover_file_id"
    draft = tenant.http.post(ARTICLES, json={"title": "Roof", "cover_file_id": image}).json()
    path, nobody = f"{ARTICLES}/{draft['id']}", tenant.anonymous()
    assert tenant.http.patch(path, json={"cover_file_id": text}).status_code == 400
    assert draft["cover"] == f"{path}/cover"
    assert nobody.get(draft["cover"]).status_code == 404
    tenant.http.post(f"{path}/publish", json={})
    assert nobody.get(ARTICLES).json()["items"][0]["cover"] == draft["cover"]
    read = nobody.get(draft["cover"])
    assert (read.headers["content-type"], read.content) == ("image/png", picture("png"))
    head = tenant.http.get(f"{path}/metadata").json()
    assert head["open_graph"]["og:image"][0].endswith(draft["cover"])
    elsewhere = {"cover_url": "https://example.com/c.webp"}
    assert tenant.http.patch(path, json=elsewhere).json()["cover"] == elsewhere["cover_url"]
    tenant.http.delete(f"/api/v1/files/{image}")
    assert nobody.get(f"{path}/cover").status_code == 404


def test_only_its_author_and_managers_change_an_article(tenant: TestTenant) -> None:
    author, other = tenant.add_user(), tenant.add_user()
    path = f"{ARTICLES}/{write(author)['id']}"
    assert (
        other.http.patch(path, json={"title": "x"}).json()["type"].endswith("blog-not-your-article")
    )
    assert other.http.delete(path).status_code == 403
    assert author.http.patch(path, json={"title": "Two"}).json()["title"] == "Two"
    assert tenant.http.patch(path, json={"title": "Three"}).json()["version"] == 3
    assert author.http.delete(path).status_code == 204
    assert author.http.get(path).status_code == 404


def test_a_conflicting_change_is_refused(tenant: TestTenant) -> None:
    path = f"{ARTICLES}/{write(tenant)['id']}"
    match = {"If-Match": tenant.http.get(path).headers["etag"]}
    assert tenant.http.patch(path, json={"title": "Two"}, headers=match).status_code == 200
    assert tenant.http.patch(path, json={"title": "Three"}, headers=match).status_code == 412
    publish = tenant.http.post(f"{path}/unpublish", json={}, headers=match)
    assert publish.status_code == 412


def test_old_addresses_lead_to_the_new_one(tenant: TestTenant) -> None:
    article = write(tenant, "Über Straßen")
    assert article["slug"] == "uber-strassen"
    path = f"{ARTICLES}/{article['id']}"
    for slug in ("second", "third"):
        assert tenant.http.patch(path, json={"slug": slug}).json()["slug"] == slug
    nobody = tenant.anonymous()
    for slug in ("uber-strassen", "second"):
        moved = nobody.get(f"{ARTICLES}/by-slug/{slug}")
        assert moved.status_code == 301
        assert moved.headers["location"].endswith("/by-slug/third")
    assert nobody.get(f"{ARTICLES}/by-slug/third").json()["id"] == article["id"]
    again = tenant.http.patch(path, json={"slug": "second"})
    assert again.json()["slug"] == "second"  # one may come back to an old one of one's own


def test_an_address_never_comes_to_mean_something_else(tenant: TestTenant) -> None:
    first = write(tenant, "Same")
    tenant.http.patch(f"{ARTICLES}/{first['id']}", json={"slug": "moved"})
    second, third = write(tenant, "Same"), write(tenant, "Same")
    assert {second["slug"], third["slug"]} == {"same-2", "same-3"}
    taken = tenant.http.patch(f"{ARTICLES}/{second['id']}", json={"slug": "same"})
    assert taken.status_code == 409
    assert write(tenant, "Other", slug="same")["slug"] == "same-4"


@pytest.mark.parametrize("title", ["日本語", "!!!", "feed", "a" * 300, "\u202eevil"])
def test_every_title_gets_an_address(tenant: TestTenant, title: str) -> None:
    slug = write(tenant, title)["slug"]
    assert slug.replace("-", "").isalnum()
    assert slug.isascii()
    assert slug != "feed"
    assert tenant.anonymous().get(f"{ARTICLES}/by-slug/{slug}").json()["title"] == title


def test_lists_search_filter_and_sort(tenant: TestTenant) -> None:
    write(tenant, "Dragons", body="They breathe fire", tags=["myth"])
    write(tenant, "Gardens", body="They grow", tags=["green", "myth"])
    write(tenant, "Fire", tags=["hot"])
    nobody = tenant.anonymous()
    assert titles(nobody.get(f"{ARTICLES}?q=fire&sort=title")) == ["Dragons", "Fire"]
    assert titles(nobody.get(f"{ARTICLES}?tag=myth&sort=-title")) == ["Gardens", "Dragons"]
    assert titles(nobody.get(f"{ARTICLES}?limit=1")) == ["Fire"]
    tags = nobody.get(f"{PATH}/tags").json()
    assert tags[0] == {"tag": "myth", "articles": 2}


def test_every_change_of_the_text_is_a_revision(tenant: TestTenant) -> None:
    path = f"{ARTICLES}/{write(tenant, 'One', body='old words here')['id']}"
    tenant.http.patch(path, json={"body": "new words here"})
    tenant.http.patch(path, json={"comments_open": False})  # is none
    tenant.http.patch(path, json={"title": "Two"})
    listed = tenant.http.get(f"{path}/revisions").json()
    assert [(line["revision"], line["title"]) for line in listed] == [
        (3, "Two"),
        (2, "One"),
        (1, "One"),
    ]
    diff = tenant.http.get(f"{path}/revisions/2/diff").json()
    kinds = [(line["kind"], line["text"]) for line in diff["hunks"][0]["lines"]]
    assert kinds == [("delete", "old words here"), ("insert", "new words here")]
    restored = tenant.http.post(f"{path}/revisions/1/restore").json()
    assert (restored["title"], restored["body"], restored["revision"]) == (
        "One",
        "old words here",
        4,
    )
    reader = tenant.add_user("customer")
    assert reader.http.get(f"{path}/revisions").status_code == 403
    assert tenant.add_user().http.get(f"{path}/revisions").status_code == 404


def test_a_preview_link_shows_a_draft_until_it_is_withdrawn(tenant: TestTenant) -> None:
    made = tenant.http.post(ARTICLES, json={"title": "Draft"}).json()
    path = f"{ARTICLES}/{made['id']}/preview"
    first, second = (tenant.http.post(path).json() for _ in range(2))
    nobody = tenant.anonymous()
    shown = nobody.get(f"{PATH}/previews/{second['preview_token']}")
    assert shown.json()["title"] == "Draft"
    assert shown.headers["x-robots-tag"] == "noindex"
    assert second["url"].endswith(second["preview_token"])
    assert nobody.get(f"{PATH}/previews/{first['preview_token']}").status_code == 404
    assert tenant.http.delete(path).status_code == 204
    assert nobody.get(f"{PATH}/previews/{second['preview_token']}").status_code == 404


def test_favourites_are_counted_once(tenant: TestTenant) -> None:
    article = write(tenant)
    reader = tenant.add_user("customer")
    path = f"{ARTICLES}/{article['id']}/favourite"
    for _ in range(2):
        assert reader.http.put(path).json() == {"favourites": 1, "favourited": True}
    assert tenant.anonymous().get(path).json() == {"favourites": 1, "favourited": False}
    line = reader.http.get(f"{PATH}/favourites").json()["items"][0]
    assert (line["favourites"], line["favourited"]) == (1, True)
    assert reader.http.delete(path).status_code == 204
    assert titles(reader.http.get(f"{PATH}/favourites")) == []


def test_the_feed_has_the_articles_of_authors_that_one_follows(tenant: TestTenant) -> None:
    author, other, reader = tenant.add_user(), tenant.add_user(), tenant.add_user("customer")
    article = write(author, "Followed")
    write(other, "Not followed")
    path = f"{PATH}/authors/{article['author']}"
    assert reader.http.put(f"{path}/follow").json()["following"] is True
    assert titles(reader.http.get(f"{PATH}/feed")) == ["Followed"]
    assert tenant.anonymous().get(path).json()["followers"] == 1
    assert author.http.put(f"{path}/follow").status_code == 422
    assert reader.http.delete(f"{path}/follow").status_code == 204
    assert titles(reader.http.get(f"{PATH}/feed")) == []
    assert reader.http.put(f"{PATH}/authors/nobody/follow").status_code == 404


def test_a_username_is_ones_own(tenant: TestTenant) -> None:
    author, other = tenant.add_user(), tenant.add_user()
    article = write(author)
    named = author.http.patch(f"{PATH}/profile", json={"username": "Jacob", "bio": "I write"})
    assert named.json() == {"username": "Jacob", "bio": "I write", "image": None, "version": 2}
    taken = other.http.patch(f"{PATH}/profile", json={"username": "jACOB"})
    assert taken.json()["type"].endswith("blog-username-taken")
    assert tenant.anonymous().get(f"{PATH}/authors/jacob").json()["articles"] == 1
    read = tenant.anonymous().get(f"{ARTICLES}/{article['id']}")
    assert (read.json()["author"], read.headers["etag"]) == ("Jacob", '"2"')
    assert tenant.anonymous().get(f"{PATH}/authors").json()["items"][0]["username"] == "Jacob"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"title": " "}, "/title"),
        ({"title": "x", "slug": "No Slug"}, "/slug"),
        ({"title": "x", "cover_url": "javascript:alert(1)"}, "/cover_url"),
        ({"title": "x", "tags": ["a"] * 101}, "/tags"),
        ({"title": "x", "nonsense": 1}, ""),
    ],
)
def test_faults_are_told_by_pointer(
    tenant: TestTenant, fields: dict[str, Any], pointer: str
) -> None:
    answer = tenant.http.post(ARTICLES, json=fields)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_isolation(sign_up: SignUp) -> None:
    ours, theirs = sign_up("blog"), sign_up("blog")
    path = f"{ARTICLES}/{write(theirs, 'Secret')['id']}"
    assert ours.http.get(path).status_code == 404
    assert ours.http.patch(path, json={"title": "x"}).status_code == 404
    assert ours.http.put(f"{path}/favourite").status_code == 404
    assert titles(ours.http.get(ARTICLES)) == []
    assert ours.http.get(f"{ARTICLES}/by-slug/secret").status_code == 404
    assert "Secret" not in ours.http.get(f"{PATH}/feed.atom").text
