"""Going public and coming back: now, at a time, with and without a worker."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fixtures.background import WorkerProcess
from fixtures.installation import SignUp, TestTenant
from fixtures.waiting import eventually

PATH = "/api/v1/blog"


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("blog")


def draft(tenant: TestTenant, **fields: Any) -> str:
    made = tenant.http.post(f"{PATH}/articles", json={"title": "Later"} | fields)
    return str(made.headers["location"])


def soon(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def events(tenant: TestTenant) -> list[str]:
    """The kinds of blog events, in order."""
    listed = tenant.http.get("/api/v1/events?limit=100&sort=seq").json()["items"]
    return [event["type"] for event in listed if event["type"].startswith("blog.")]


def is_public(tenant: TestTenant, path: str) -> bool:
    return tenant.anonymous().get(path).status_code == 200


def test_publishing_and_taking_away_at_once(tenant: TestTenant) -> None:
    path = draft(tenant)
    assert not is_public(tenant, path)
    published = tenant.http.post(f"{path}/publish", json={}).json()
    assert (published["status"], is_public(tenant, path)) == ("published", True)
    again = tenant.http.post(f"{path}/publish", json={}).json()
    assert again["published_at"] == published["published_at"]
    withdrawn = tenant.http.post(f"{path}/unpublish", json={}).json()
    assert (withdrawn["status"], is_public(tenant, path)) == ("draft", False)


def test_a_plan_is_kept_by_the_clock_even_without_a_worker(tenant: TestTenant) -> None:
    path = draft(tenant)
    planned = tenant.http.post(f"{path}/publish", json={"at": soon(1), "until": soon(3600)}).json()
    assert planned["status"] == "scheduled"
    assert planned["unpublish_at"]
    assert eventually(lambda: is_public(tenant, path))
    assert len(tenant.anonymous().get(f"{PATH}/articles").json()["items"]) == 1


def test_a_plan_for_later_shows_nothing_yet(tenant: TestTenant) -> None:
    path = draft(tenant)
    tenant.http.post(f"{path}/publish", json={"at": soon(3600)})
    assert not is_public(tenant, path)
    assert "Later" not in tenant.anonymous().get(f"{PATH}/feed.atom").text
    assert tenant.anonymous().get("/api/v1/search?q=later").json()["items"] == []
    scheduled = tenant.http.get(f"{PATH}/drafts?status=scheduled").json()["items"]
    assert [article["title"] for article in scheduled] == ["Later"]


def test_the_worker_tells_of_what_came_due(tenant: TestTenant, worker: WorkerProcess) -> None:
    path = draft(tenant)
    tenant.http.post(f"{path}/publish", json={"at": soon(1), "until": soon(2)})
    expected = ["blog.article.published", "blog.article.unpublished"]
    eventually(lambda: events(tenant) == expected)
    article = tenant.http.get(path).json()
    assert (article["status"], article["unpublish_at"]) == ("draft", None)


def test_a_plan_that_was_called_off_is_not_carried_out(
    tenant: TestTenant, worker: WorkerProcess
) -> None:
    off, moved = draft(tenant), draft(tenant, title="Moved")
    for path in (off, moved):
        tenant.http.post(f"{path}/publish", json={"at": soon(1)})
    tenant.http.post(f"{off}/unpublish", json={})
    tenant.http.post(f"{moved}/publish", json={"at": soon(3600)})
    witness = draft(tenant, title="Witness")
    tenant.http.post(f"{witness}/publish", json={"at": soon(2)})
    eventually(lambda: events(tenant) == ["blog.article.published"])
    assert tenant.http.get(off).json()["status"] == "draft"
    assert tenant.http.get(moved).json()["status"] == "scheduled"
    assert tenant.http.get(witness).json()["status"] == "published"


def test_what_happens_is_told(tenant: TestTenant, worker: WorkerProcess) -> None:
    reader = tenant.add_user("customer")
    path = draft(tenant, publish=True)
    tenant.http.patch(path, json={"body": "x"})
    comment = reader.http.post(f"{path}/comments", json={"body": "Hello"}).json()
    tenant.http.put(f"{PATH}/comments/{comment['id']}/status", json={"status": "spam"})
    tenant.http.put(f"{PATH}/comments/{comment['id']}/status", json={"status": "approved"})
    author = tenant.http.get(path).json()["author"]
    reader.http.put(f"{PATH}/authors/{author}/follow")
    tenant.http.delete(path)
    expected = [
        "blog.article.published", "blog.article.updated", "blog.comment.created",
        "blog.comment.approved", "blog.author.followed", "blog.article.deleted",
    ]  # fmt: skip
    eventually(lambda: events(tenant) == expected)


@pytest.mark.parametrize(
    "wish",
    [{"at": "2026-01-01T00:00:00"}, {"until": "2020-01-01T00:00:00Z"}, {"at": "tomorrow"}],
    ids=str,
)
def test_impossible_times_are_refused(tenant: TestTenant, wish: dict[str, str]) -> None:
    path = draft(tenant)
    answer = tenant.http.post(f"{path}/publish", json=wish)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == f"/{next(iter(wish))}"
