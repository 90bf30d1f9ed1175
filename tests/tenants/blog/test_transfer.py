"""Other blogs in and out: WordPress WXR, Ghost JSON, folders of Markdown."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from fixtures.command import CommandLine
from fixtures.installation import Installation, SignUp, TestTenant

PATH = "/api/v1/blog"
EXPORTS = Path(__file__).parent / "exports"
TYPES = {"wordpress": "application/xml", "ghost": "application/json", "markdown": "application/zip"}
KEPT = (
    "slug", "title", "summary", "body", "format", "html", "tags", "status", "published_at",
    "comments_open", "cover_url", "canonical_url", "custom",
)  # fmt: skip
_LOST: dict[str, set[str]] = {
    "ghost": {"comments_open", "custom"},
    "wordpress": {"canonical_url"},
    "markdown": set(),
}
"""What a format has no place for."""


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("blog")


def source(name: str, tenant: TestTenant) -> bytes:
    """A fixture file as a blog of the tenant's owner."""
    if name == "markdown":
        return zipped(
            {
                str(path.relative_to(EXPORTS / name)): path.read_bytes()
                for path in sorted((EXPORTS / name).rglob("*"))
                if path.is_file()
            }
        )
    file = EXPORTS / {"wordpress": "wordpress.xml", "ghost": "ghost.json"}[name]
    return file.read_bytes().replace(b"OWNER_EMAIL", tenant.owner.email.encode())


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return packed.getvalue()


def send(tenant: TestTenant, name: str, content: bytes, status: int = 200, **query: Any) -> Any:
    answer = tenant.http.post(
        f"{PATH}/import",
        params={"format": name, **query},
        content=content,
        headers={"Content-Type": TYPES[name]},
    )
    assert answer.status_code == status, answer.text
    return answer.json()


def counts(report: dict[str, Any]) -> tuple[int, ...]:
    names = ("created", "updated", "unchanged", "skipped", "failed")
    return tuple(report[name] for name in names)


def blog(tenant: TestTenant) -> dict[str, dict[str, Any]]:
    """Every article, whole, by slug."""
    found = {}
    for path in ("articles", "drafts"):
        for line in tenant.http.get(f"{PATH}/{path}?limit=100").json()["items"]:
            article = tenant.http.get(f"{PATH}/articles/{line['id']}").json()
            found[article["slug"]] = article
    return found


def thread(tenant: TestTenant, slug: str) -> list[dict[str, Any]]:
    article = blog(tenant)[slug]["id"]
    items: list[dict[str, Any]] = tenant.http.get(f"{PATH}/articles/{article}/comments").json()[
        "items"
    ]
    return items


def test_a_wordpress_export(tenant: TestTenant) -> None:
    report = send(tenant, "wordpress", source("wordpress", tenant))
    assert counts(report) == (2, 0, 0, 2, 0)
    reasons = {item["title"]: item["reason"] for item in report["items"]}
    assert reasons["About"] == "is a page, no post"
    bread = blog(tenant)["sourdough"]
    assert bread["title"] == "Sourdough & patience"
    assert "<strong>time</strong>" in bread["html"]
    assert "alert" not in bread["html"]
    assert bread["tags"] == ["Bread", "slow food"]
    assert bread["published_at"] == "2024-01-05T10:30:00Z"
    assert bread["status"] == "published"
    assert bread["author"] == "olive-owner"
    assert bread["cover_url"] == "https://bakery.example/wp-content/uploads/loaf.jpg"
    assert bread["custom"] == {"oven": "240 °C"}
    moved = tenant.anonymous().get(f"{PATH}/articles/by-slug/sour-dough")
    assert moved.headers["location"].endswith("/sourdough")
    rolls = blog(tenant)["classic-rolls"]
    assert (rolls["status"], rolls["comments_open"], rolls["tags"]) == ("draft", False, [])
    assert rolls["html"].startswith("<p>First paragraph<br>\nwith a <em>line</em> break.</p>")
    assert "'gone' has no account" in report["items"][1]["warnings"][0]


def test_wordpress_comments_keep_their_threads_and_states(tenant: TestTenant) -> None:
    report = send(tenant, "wordpress", source("wordpress", tenant))
    assert report["items"][0]["comments"] == 3
    question, answer = thread(tenant, "sourdough")
    assert (question["guest"], question["author"]) == ("Mira Guest", None)
    assert "<em>really</em>" in question["html"]
    assert (answer["author"], answer["parent_id"], answer["depth"]) == (
        "olive-owner",
        question["id"],
        1,
    )
    spam = tenant.http.get(f"{PATH}/comments?status=spam").json()["items"]
    assert [comment["body"] for comment in spam] == ["buy now"]


def test_a_ghost_export(tenant: TestTenant) -> None:
    report = send(tenant, "ghost", source("ghost", tenant))
    assert counts(report) == (2, 0, 0, 1, 0)
    plan, tomatoes = blog(tenant)["watering-plan"], blog(tenant)["tomatoes"]
    assert plan["format"] == "html"
    assert '<a href="/roof/"' in plan["html"]
    assert plan["tags"] == ["Garden", "Water"]
    assert (plan["meta_title"], plan["summary"]) == ("Watering", "Who waters when.")
    assert plan["canonical_url"] == "https://garden.example/watering-plan/"
    assert (tomatoes["format"], tomatoes["body"]) == ("markdown", "# Tomatoes\n\n- *red*\n")
    assert tomatoes["status"] == "draft"
    assert report["items"][1]["warnings"] == ["its cover lies on the old server and was left out"]


def test_a_folder_of_markdown(tenant: TestTenant) -> None:
    report = send(tenant, "markdown", source("markdown", tenant))
    assert counts(report) == (3, 0, 0, 1, 0)
    basil, chard, idea = (blog(tenant)[slug] for slug in ("basil", "bundle", "ideas"))
    assert (basil["title"], basil["published_at"]) == (
        "Basil: a confession",
        "2025-06-01T00:00:00Z",
    )
    assert basil["custom"] == {"zone": "007"}
    assert basil["cover_url"] == "https://images.example/basil.webp"
    assert (chard["published_at"], chard["comments_open"]) == ("2025-07-01T06:00:00Z", False)
    for old in ("chard-2024", "swiss-chard"):
        moved = tenant.anonymous().get(f"{PATH}/articles/by-slug/{old}")
        assert moved.headers["location"].endswith("/bundle")
    assert (idea["status"], idea["title"]) == ("draft", "An idea")


@pytest.mark.parametrize("name", TYPES)
def test_a_dry_import_says_what_would_happen_and_keeps_nothing(
    tenant: TestTenant, name: str
) -> None:
    content = source(name, tenant)
    tried = send(tenant, name, content, dry="true")
    assert tried["dry"] is True
    assert tried["created"] >= 2
    assert all(item["article_id"] is None for item in tried["items"])
    assert blog(tenant) == {}
    assert counts(send(tenant, name, content)) == counts(tried)


@pytest.mark.parametrize("name", TYPES)
def test_importing_again_changes_only_what_has_changed(tenant: TestTenant, name: str) -> None:
    content = source(name, tenant)
    first = send(tenant, name, content)
    before = blog(tenant)
    again = send(tenant, name, content)
    assert counts(again) == (0, 0, first["created"], first["skipped"], 0)
    assert blog(tenant) == before
    if name == "markdown":
        return
    changed = send(tenant, name, content.replace(b"Sourdough", b"Rye").replace(b"Watering p", b"P"))
    assert counts(changed)[:3] == (0, 1, first["created"] - 1)
    assert set(blog(tenant)) == set(before)  # old addresses stay


@pytest.mark.parametrize("name", TYPES)
def test_what_goes_out_comes_back_in_the_same(sign_up: SignUp, name: str) -> None:
    ours, theirs = sign_up("blog"), sign_up("blog")
    for each in TYPES:
        send(ours, each, source(each, ours))
    hostile = {
        "title": 'Quotes " and <tags> & \\ "---"',
        "body": "---\ntitle: no\n---\n\n]]> & <b>bold</b>\n\n```\n<!DOCTYPE x>\n```\n",
        "tags": ["a: b", '"quoted"', "<t>"],
        "summary": "line\nbreak \u2028 and \u0007 bell",
        "custom": {"key: with\n---": "value: [x]", "mood": "good"},
        "publish": True,
    }
    assert ours.http.post(f"{PATH}/articles", json=hostile).status_code == 201
    answer = ours.http.get(f"{PATH}/export?format={name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == TYPES[name]
    report = send(theirs, name, answer.content)
    assert (report["created"], report["failed"]) == (8, 0), report
    sent, received = blog(ours), blog(theirs)
    assert set(sent) == set(received)
    for slug, article in sent.items():
        for field in set(KEPT) - _LOST[name]:
            expected, got = article[field], received[slug][field]
            if field == "published_at" and expected:  # in whole seconds everywhere
                expected = expected.partition(".")[0].removesuffix("Z") + "Z"
            if name == "wordpress":  # XML has no control characters
                expected = json.loads(json.dumps(expected).replace("\\u0007", ""))
            if field == "custom" and name == "markdown":  # front matter has no such keys
                expected = {k: v for k, v in expected.items() if "\n" not in k}
                got = {k: v for k, v in got.items() if "\n" not in k}
            assert got == expected, (slug, field)
    again = send(ours, name, answer.content)
    assert (again["created"], again["failed"]) == (0, 0)
    if name == "wordpress":
        assert [c["body"] for c in thread(theirs, "sourdough")] == [
            c["body"] for c in thread(ours, "sourdough")
        ]


def test_another_reader_understands_what_is_exported(tenant: TestTenant) -> None:
    for name in TYPES:
        send(tenant, name, source(name, tenant))
    wxr = ElementTree.fromstring(tenant.http.get(f"{PATH}/export?format=wordpress").content)
    space = "{http://wordpress.org/export/1.2/}"
    assert wxr.findtext(f"channel/{space}wxr_version") == "1.2"
    assert len(wxr.findall("channel/item")) == 7
    ghost = tenant.http.get(f"{PATH}/export?format=ghost").json()["db"][0]["data"]
    assert {post["status"] for post in ghost["posts"]} == {"draft", "published"}
    files = zipfile.ZipFile(io.BytesIO(tenant.http.get(f"{PATH}/export?format=markdown").content))
    assert "posts/2025-06-01-basil.md" in files.namelist()


_BOMB = """<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<rss><channel><item><title>&b;</title></item></channel></rss>
"""
_EXTERNAL = """<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<rss><channel><item><title>&x;</title></item></channel></rss>"""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("wordpress", _BOMB.encode()),
        ("wordpress", _EXTERNAL.encode()),
        ("wordpress", b"<rss><channel>" + b"<a>" * 200),
        ("wordpress", b"<rss><channel><item>"),
        ("wordpress", b"<html></html>"),
        ("wordpress", b'<?xml version="1.0" encoding="nonsense"?><rss/>'),
        ("wordpress", b""),
        ("ghost", b"{"),
        ("ghost", b"[" * 100_000),
        ("ghost", b'{"db": []}'),
        ("ghost", b'{"data": {"posts": 1}}'),
        ("ghost", b"\xff\xfe"),
        ("markdown", b"no zip"),
    ],
    ids=[
        "entities", "external entity", "deep", "unfinished", "html", "encoding", "empty",
        "unfinished json", "deep json", "no tables", "odd tables", "no unicode", "no zip",
    ],
)  # fmt: skip
def test_what_is_broken_or_made_to_harm_is_refused(
    tenant: TestTenant, name: str, content: bytes
) -> None:
    problem = send(tenant, name, content, status=400)
    assert problem["type"].endswith("blog-import-unreadable")
    assert problem["detail"]
    assert blog(tenant) == {}


def test_one_bad_item_does_not_stop_the_others(tenant: TestTenant) -> None:
    files = {
        "good.md": b"# Good",
        "../evil.md": b"# Evil",
        "latin.md": b"# \xe9",
        "long.md": b"x" * 1_000_001,
        "odd.md": b"---\nbroken: [\n---\n\n# Odd",
        "nul.md": b"# N\0ul\n\na\0b",
    }
    report = send(tenant, "markdown", zipped(files))
    outcomes = {item["source"].removeprefix("markdown:"): item for item in report["items"]}
    assert counts(report) == (3, 0, 0, 0, 3)
    assert "leads out" in outcomes["../evil.md"]["reason"]
    assert "UTF-8" in outcomes["latin.md"]["reason"]
    assert "characters" in outcomes["long.md"]["reason"]
    assert "front matter" in outcomes["odd.md"]["warnings"][0]
    assert blog(tenant)["nul"]["body"].endswith("ab")


@pytest.mark.parametrize(
    "post",
    [
        {},
        {"id": [], "title": 7, "html": {}, "published_at": "never", "status": ["x"]},
        {"title": "x", "html": "<p>x</p>", "published_at": 10**30, "status": "published"},
        {"title": "x" * 5000, "html": "x", "feature_image": "javascript:alert(1)"},
        {"title": "\uffff", "html": "\0", "slug": "../../x"},
        {"title": "m", "mobiledoc": '{"cards": [[]], "sections": 1}', "html": "<p>m</p>"},
    ],
    ids=["empty", "types", "time", "long", "path", "mobiledoc"],
)
def test_odd_posts_are_imported_or_refused_one_by_one(
    tenant: TestTenant, post: dict[str, Any]
) -> None:
    good = {"id": "2", "title": "ok", "html": "<p>ok</p>"}
    content = json.dumps({"data": {"posts": [{"id": "1"} | post, None, {"title": "no id"}, good]}})
    report = send(tenant, "ghost", content.encode())
    assert report["created"] + report["failed"] == 3
    assert report["items"][1]["reason"] == "has no id"
    assert blog(tenant)["ok"]["cover_url"] is None


def test_only_managers_move_blogs(tenant: TestTenant) -> None:
    member = tenant.add_user()
    headers = {"Content-Type": "application/json"}
    url = f"{PATH}/import?format=ghost"
    assert member.http.post(url, content=b"{}", headers=headers).status_code == 403
    assert member.http.get(f"{PATH}/export?format=ghost").status_code == 403
    assert tenant.http.post(f"{PATH}/import?format=blogger", content=b"").status_code == 400
    html = {"Content-Type": "text/html"}
    assert tenant.http.post(url, content=b"", headers=html).status_code == 415


def test_the_command_moves_them_too(
    tenant: TestTenant, installation: Installation, tmp_path: Path
) -> None:
    command = CommandLine(installation)
    options = ("--tenant", tenant.slug, "--format", "markdown")
    folder = str(EXPORTS / "markdown")
    assert command.json("blog", "import", folder, *options, "--dry")["created"] == 3
    assert blog(tenant) == {}
    assert command.json("blog", "import", folder, *options)["created"] == 3
    target = str(tmp_path / "blog.zip")
    assert command.json("blog", "export", target, *options) == {"exported": 3}
    assert "posts/bundle/index.md" in zipfile.ZipFile(target).namelist()
    again = command.run("blog", "export", target, *options)
    assert again.returncode == 1
    assert "exists" in again.stderr
