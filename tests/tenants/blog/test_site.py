"""Feeds, sitemap and metadata, read by programs that are not ours."""

import json
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import feedparser
import httpx
import pytest
from fixtures.installation import SignUp, TestTenant

PATH = "/api/v1/blog"
HOSTILE = 'Rock & <b>Roll</b> ]]> "quoted" \u0007\u2028</title><script>alert(1)</script>'


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("blog")


def write(tenant: TestTenant, title: str, **fields: Any) -> dict[str, Any]:
    new = {"title": title, "publish": True} | fields
    answer = tenant.http.post(f"{PATH}/articles", json=new)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_a_feed_reader_reads_the_atom_feed(tenant: TestTenant) -> None:
    write(tenant, "First", tags=["a"], summary="Short", body="*long*")
    write(tenant, HOSTILE, body="x <script>alert(1)</script> ]]> \u0007")
    write(tenant, "Draft", publish=False)
    answer = tenant.anonymous().get(f"{PATH}/feed.atom")
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    feed = feedparser.parse(answer.content)
    assert not feed.bozo, feed.get("bozo_exception")
    assert feed.version == "atom10"
    hostile, first = feed.entries
    assert first.title == "First"
    assert first.summary == "Short"
    assert first.content[0].value == "<p><em>long</em></p>"
    assert [tag.term for tag in first.tags] == ["a"]
    assert first.author == "Olive Owner"
    assert first.id.startswith("urn:uuid:")
    assert ElementTree.fromstring(answer.content).findtext(
        ".//{*}entry/{*}title"
    ) == HOSTILE.replace("\u0007", "")
    assert "<script" not in hostile.content[0].value


def test_feeds_are_of_one_tag_or_author_if_asked(tenant: TestTenant) -> None:
    write(tenant, "Tagged", tags=["a"])
    author = write(tenant, "Other")["author"]
    nobody = tenant.anonymous()

    def read(query: str) -> list[str]:
        feed = feedparser.parse(nobody.get(f"{PATH}/feed.atom?{query}").content)
        items = nobody.get(f"{PATH}/feed.json?{query}").json()["items"]
        found = [entry.title for entry in feed.entries]
        assert [item["title"] for item in items] == found
        return found

    assert read("tag=a") == ["Tagged"]
    assert read(f"author={author}") == ["Other", "Tagged"]
    assert read("author=nobody") == []


def test_a_feed_that_has_not_changed_is_not_sent_again(tenant: TestTenant) -> None:
    write(tenant, "First")
    for path in ("feed.atom", "feed.json", "sitemap.xml"):
        nobody = tenant.anonymous()
        first = nobody.get(f"{PATH}/{path}")
        known = {"If-None-Match": first.headers["etag"]}
        again = nobody.get(f"{PATH}/{path}", headers=known)
        assert (again.status_code, again.content) == (304, b"")
    write(tenant, "Second")
    assert nobody.get(f"{PATH}/{path}", headers=known).status_code == 200


def test_the_json_feed(tenant: TestTenant) -> None:
    cover = "https://example.com/c.webp"
    article = write(tenant, HOSTILE, body="*long*", tags=["a"], cover_url=cover)
    answer = tenant.anonymous().get(f"{PATH}/feed.json")
    assert answer.headers["content-type"] == "application/feed+json"
    feed = answer.json()
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["feed_url"].endswith(
        f"{tenant.slug}.localhost:{httpx.URL(tenant.url).port}{PATH}/feed.json"
    )
    item = feed["items"][0]
    assert (item["title"], item["content_html"]) == (HOSTILE, "<p><em>long</em></p>\n")
    assert (item["image"], item["tags"]) == (cover, ["a"])
    assert item["url"].endswith(f"/by-slug/{article['slug']}")
    assert item["authors"] == [{"name": "Olive Owner"}]


def test_the_sitemap_lists_what_is_public_where_readers_find_it(tenant: TestTenant) -> None:
    site = {"site_url": "https://bread.example/journal/", "title": "Bread"}
    tenant.http.patch(f"{PATH}/settings", json=site)
    write(tenant, "One")
    write(tenant, "Draft", publish=False)
    answer = tenant.anonymous().get(f"{PATH}/sitemap.xml")
    root = ElementTree.fromstring(answer.content)
    space = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
    assert root.tag == f"{space}urlset"
    assert [loc.text for loc in root.iter(f"{space}loc")] == ["https://bread.example/journal/one"]
    feed = feedparser.parse(tenant.anonymous().get(f"{PATH}/feed.atom").content)
    assert (feed.feed.title, feed.entries[0].link) == ("Bread", "https://bread.example/journal/one")


class _Head(HTMLParser):
    """What a crawler takes from a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.meta: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.scripts: list[str] = []
        self.text: dict[str, str] = {}
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        self._inside = tag
        if tag == "meta" and "content" in found:
            self.meta[found.get("property") or found.get("name", "")] = found["content"]
        if tag == "link":
            self.links[found["rel"]] = found["href"]
        if tag == "script":
            self.scripts.append(found.get("type", ""))

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        self.text[self._inside] = self.text.get(self._inside, "") + data


def test_a_page_tells_crawlers_what_it_is(tenant: TestTenant) -> None:
    article = write(
        tenant,
        HOSTILE,
        body="The *first* words & more",
        tags=["a"],
        cover_url="https://example.com/c.webp",
    )
    path = f"{PATH}/articles/by-slug/{article['slug']}"
    page = tenant.anonymous().get(path, headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    head = _Head(page.text)
    assert head.text["title"] == HOSTILE
    assert head.meta["og:title"] == HOSTILE
    assert head.meta["og:type"] == "article"
    assert head.meta["og:image"] == "https://example.com/c.webp"
    assert head.meta["description"] == "The first words & more"
    assert head.links["canonical"].endswith(path)
    assert head.scripts == ["application/ld+json"]
    said = json.loads(head.text["script"])
    assert (said["@type"], said["headline"]) == ("BlogPosting", HOSTILE)
    assert said["author"] == {
        "@type": "Person",
        "name": "Olive Owner",
        "alternateName": "olive-owner",
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*", said["datePublished"])
    data = tenant.anonymous().get(f"{PATH}/articles/{article['id']}/metadata").json()
    assert data["json_ld"] == said
    assert data["open_graph"]["article:tag"] == ["a"]


def test_what_the_author_says_of_the_page_counts(tenant: TestTenant) -> None:
    article = write(
        tenant,
        "Title",
        meta_title="Better title",
        meta_description="Said",
        canonical_url="https://elsewhere.example/original",
    )
    data = tenant.anonymous().get(f"{PATH}/articles/{article['id']}/metadata").json()
    assert (data["title"], data["description"]) == ("Better title", "Said")
    assert data["canonical_url"] == "https://elsewhere.example/original"
    assert data["open_graph"]["og:url"] == ["https://elsewhere.example/original"]


def test_articles_are_found_in_the_box_over_all_modules(tenant: TestTenant) -> None:
    write(tenant, "Sourdough", body="needs patience")
    found = tenant.anonymous().get("/api/v1/search?q=patience").json()["items"]
    assert [item["title"] for item in found] == ["Sourdough"]
