"""Making polls, changing them, opening and closing them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fixtures.background import WorkerProcess
from fixtures.installation import SignUp, TestTenant
from fixtures.polls import PATH, cast, exported, new_poll, results_with, voted
from fixtures.waiting import eventually


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("polls")


def from_now(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def test_a_poll_is_made_read_changed_and_deleted(tenant: TestTenant) -> None:
    path = new_poll(tenant)
    made = tenant.http.get(path)
    assert made.json()["options"][1] == {"id": 2, "text": "Birch"}
    assert made.json()["state"] == "open"
    match = {"If-Match": made.headers["etag"]}
    change = {"question": "Which tree?", "options": ["Elm", "Yew"]}
    changed = tenant.http.patch(path, json=change, headers=match)
    assert (changed.json()["question"], changed.json()["max_choices"]) == ("Which tree?", 1)
    assert tenant.http.patch(path, json=change, headers=match).status_code == 412
    assert tenant.http.delete(path, headers=match).status_code == 412
    assert tenant.http.delete(path).status_code == 204
    assert tenant.http.get(path).status_code == 404


UNFIT: list[tuple[dict[str, Any], str]] = [
    ({"options": ["One"]}, "/options"),
    ({"options": ["One", "one "]}, "/options"),
    ({"kind": "rating", "options": ["One", "Two"]}, "/options"),
    ({"kind": "multiple", "max_choices": 5}, "/max_choices"),
    ({"kind": "multiple", "min_choices": 3, "max_choices": 2}, "/min_choices"),
    ({"kind": "quiz"}, "/correct"),
    ({"kind": "quiz", "correct": [5]}, "/correct"),
    ({"kind": "quiz", "correct": [1, 2], "max_choices": 1}, "/correct"),
    ({"correct": [1]}, "/correct"),
    (
        {"kind": "quiz", "correct": [1], "may_change": True, "reveal": "after_vote"},
        "/may_change",
    ),
    ({"moderated": True}, "/moderated"),
    ({"closes_at": "2030-01-01T00:00:00"}, "/closes_at"),
    ({"opens_at": "2030-01-02T00:00:00Z", "closes_at": "2030-01-01T00:00:00Z"}, "/closes_at"),
    ({"colour": "green"}, ""),
]


def test_what_does_not_fit_together_is_told_by_pointer(tenant: TestTenant) -> None:
    poll = {"kind": "single", "question": "Q", "options": ["A", "B", "C", "D"]}
    for fields, pointer in UNFIT:
        answer = tenant.http.post(PATH, json=poll | fields)
        assert answer.status_code == 400, (fields, answer.text)
        assert answer.json()["errors"][0]["pointer"] == pointer


def test_what_people_have_voted_on_stays(tenant: TestTenant) -> None:
    path = new_poll(tenant)
    voted(tenant.anonymous(), path, 1)
    refused = tenant.http.patch(path, json={"options": ["A", "B"]})
    assert refused.status_code == 409
    assert refused.json()["type"].endswith("/polls-has-votes")
    moved = tenant.http.patch(path, json={"closes_at": "2040-01-01T00:00:00Z"})
    assert moved.json()["closes_at"] == "2040-01-01T00:00:00Z"


def test_a_draft_is_its_authors_until_it_opens(tenant: TestTenant) -> None:
    path = new_poll(tenant, draft=True)
    visitor = tenant.anonymous()
    assert visitor.get(f"{path}/ballot").status_code == 404
    assert visitor.get(f"{path}/page").status_code == 404
    assert cast(visitor, path, 1).status_code == 404
    assert tenant.http.post(f"{path}/open", json={}).json()["state"] == "open"
    assert visitor.get(f"{path}/ballot").json()["state"] == "open"
    assert tenant.http.post(f"{path}/open", json={}).status_code == 409


def test_the_clock_closes_a_poll_though_no_job_has(tenant: TestTenant) -> None:
    """Without a worker."""
    path = new_poll(tenant, opens_at=from_now(-60), closes_at=from_now(-1))
    assert tenant.http.get(path).json()["state"] == "closed"
    answer = cast(tenant.anonymous(), path, 1)
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("/polls-not-open")


def test_the_clock_opens_a_poll_though_no_job_has(tenant: TestTenant) -> None:
    path = new_poll(tenant, opens_at=from_now(3600))
    assert cast(tenant.anonymous(), path, 1).status_code == 409
    moved = tenant.http.patch(path, json={"opens_at": from_now(0.3)})
    assert moved.status_code == 200
    eventually(lambda: cast(tenant.anonymous(), path, 1).status_code == 201)


def test_jobs_open_and_close_a_poll_in_time(tenant: TestTenant, worker: WorkerProcess) -> None:
    path = new_poll(tenant, opens_at=from_now(0.5), closes_at=from_now(2))
    listed = f"{PATH}?fields=id,state"  # the list shows what is stored

    def is_stored(state: str) -> bool:
        return bool(tenant.http.get(listed).json()["items"][0]["state"] == state)

    eventually(lambda: is_stored("closed"))
    assert eventually(lambda: tenant.http.get(f"{path}/results").json()["final"])


def test_a_poll_that_hid_nothing_reopens(tenant: TestTenant, worker: WorkerProcess) -> None:
    path = new_poll(tenant)
    voted(tenant.anonymous(), path, 1)
    assert tenant.http.post(f"{path}/close").json()["state"] == "closed"
    assert tenant.http.post(f"{path}/close").status_code == 409
    assert cast(tenant.anonymous(), path, 1).status_code == 409
    assert eventually(lambda: tenant.http.get(f"{path}/results").json()["final"])
    assert tenant.http.post(f"{path}/open", json={}).json()["closed_at"] is None
    voted(tenant.anonymous(), path, 2)
    assert results_with(tenant.http, path, 2)["counts"] == {"1": 1, "2": 1}


def test_a_poll_whose_closing_told_something_stays_closed(tenant: TestTenant) -> None:
    hides: list[dict[str, Any]] = [
        {"results": "after_close"},
        {"kind": "quiz", "correct": [1], "reveal": "after_close"},
    ]
    for fields in hides:
        path = new_poll(tenant, **fields)
        tenant.http.post(f"{path}/close")
        refused = tenant.http.post(f"{path}/open", json={})
        assert refused.status_code == 409
        assert refused.json()["type"].endswith("/polls-stays")


def test_members_run_their_own_polls_and_no_others(tenant: TestTenant) -> None:
    ours = new_poll(tenant, "quiz", correct=[3], explanation="Because.")
    member = tenant.add_user("member")
    seen = member.http.get(ours).json()
    assert (seen["correct"], seen["explanation"]) == ([], "")
    for answer in (
        member.http.patch(ours, json={"question": "?"}),
        member.http.post(f"{ours}/close"),
        member.http.delete(ours),
        member.http.get(f"{ours}/export"),
        member.http.get(f"{ours}/moderation"),
        member.http.get(f"{ours}/tokens"),
    ):
        assert answer.status_code == 403, answer.text
    theirs = member.http.post(PATH, json={"kind": "rating", "question": "How was it?"})
    assert member.http.post(f"{theirs.headers['location']}/close").status_code == 200


def test_a_customer_votes_and_does_nothing_else(tenant: TestTenant) -> None:
    path = new_poll(tenant, voters="user")
    customer = tenant.add_user("customer")
    assert customer.http.get(PATH).status_code == 403
    assert customer.http.post(PATH, json={}).status_code == 403
    voted(customer.http, path, 1)


def test_polls_are_listed_filtered_and_searched(tenant: TestTenant) -> None:
    new_poll(tenant, question="Which trees for the roof?")
    new_poll(tenant, "rating", question="How was the meeting?")
    found = tenant.http.get(f"{PATH}?kind=rating").json()["items"]
    assert [poll["question"] for poll in found] == ["How was the meeting?"]
    found = tenant.http.get(f"{PATH}?q=tree").json()["items"]
    assert [poll["question"] for poll in found] == ["Which trees for the roof?"]


def test_the_export_says_who_voted_what_unless_the_poll_is_anonymous(tenant: TestTenant) -> None:
    open_poll = new_poll(tenant, "multiple", voters="user")
    secret_poll = new_poll(tenant, "multiple", voters="user", anonymous=True)
    user_id = tenant.http.get("/api/v1/me").json()["user"]["id"]
    receipt = voted(tenant.http, open_poll, 3, 1)["receipt"]
    [row] = exported(tenant.http, open_poll)
    assert row["receipt"] == receipt
    assert (row["user_id"], row["choices"], row["texts"]) == (user_id, "1 3", "Ash; Cedar")
    assert row["cast_at"]
    receipt = voted(tenant.http, secret_poll, 2)["receipt"]
    [row] = exported(tenant.http, secret_poll)
    assert (row["receipt"], row["user_id"], row["cast_at"]) == (receipt, "", "")


def test_no_cell_of_the_export_is_a_formula(tenant: TestTenant) -> None:
    path = new_poll(tenant, "open")
    voted(tenant.anonymous(), path, answer='=HYPERLINK("http://evil.example")')
    [row] = exported(tenant.http, path)
    assert row["answer"].startswith("'=")


def test_isolation(sign_up: SignUp) -> None:
    ours, theirs = sign_up("polls"), sign_up("polls")
    path = new_poll(theirs)
    for http in (ours.http, ours.anonymous()):
        assert http.get(f"{path}/ballot").status_code == 404
        assert http.get(f"{path}/results").status_code == 404
        assert http.get(f"{path}/page").status_code == 404
        assert cast(http, path, 1).status_code == 404
    assert ours.http.get(path).status_code == 404
    assert ours.http.patch(path, json={"question": "x"}).status_code == 404
    assert ours.http.delete(path).status_code == 404
    assert ours.http.get(PATH).json()["items"] == []
