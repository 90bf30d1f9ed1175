"""Counting votes, and who sees the result when."""

from functools import partial

import pytest
from fixtures.background import WorkerProcess
from fixtures.installation import SignUp, TestTenant
from fixtures.polls import at_once, cast, counted, exported, new_poll, results_with, voted
from fixtures.waiting import eventually


@pytest.fixture
def tenant(sign_up: SignUp, worker: WorkerProcess) -> TestTenant:
    return sign_up("polls")


def test_choices_are_counted(tenant: TestTenant) -> None:
    path = new_poll(tenant, "multiple")
    voted(tenant.anonymous(), path, 1, 3)
    voted(tenant.anonymous(), path, 3)
    results = results_with(tenant.anonymous(), path, 2)
    assert results["counts"] == {"1": 1, "3": 2}
    assert results["number"] >= 1
    assert not results["final"]


def test_ratings_are_averaged(tenant: TestTenant) -> None:
    path = new_poll(tenant, "rating")
    for stars in (5, 4, 4, 1):
        voted(tenant.anonymous(), path, rating=stars)
    results = results_with(tenant.http, path, 4)
    assert results["rating"] == {"average": 3.5, "median": 4.0}
    assert results["counts"] == {"1": 1, "4": 2, "5": 1}


def test_ranked_ballots_are_counted_in_rounds(tenant: TestTenant) -> None:
    path = new_poll(tenant, "ranked")
    for ranking in ((1, 2), (1, 2), (2, 1), (3, 2), (2, 3)):
        voted(tenant.anonymous(), path, *ranking)
    outcome = results_with(tenant.http, path, 5)["outcome"]
    assert outcome["winner"] == 2
    assert [each["eliminated"] for each in outcome["rounds"]] == [4, 3, None]


def test_a_changed_and_a_withdrawn_vote_leave_the_tally(tenant: TestTenant) -> None:
    path = new_poll(tenant, "multiple", may_change=True)
    first, second = tenant.anonymous(), tenant.anonymous()
    voted(first, path, 1, 2)
    voted(second, path, 2)
    results_with(tenant.http, path, 2)
    voted(first, path, 3, 2)
    assert second.delete(f"{path}/vote").status_code == 204
    results = results_with(tenant.http, path, 1)
    eventually(lambda: tenant.http.get(f"{path}/results").json()["counts"] == {"2": 1, "3": 1})
    assert tenant.http.get(f"{path}/results").json()["number"] >= results["number"]


def test_results_after_the_vote_are_for_those_who_voted(tenant: TestTenant) -> None:
    path = new_poll(tenant, results="after_vote")
    visitor, voter = tenant.anonymous(), tenant.anonymous()
    hidden = visitor.get(f"{path}/results")
    assert hidden.status_code == 403
    assert hidden.json()["type"].endswith("/polls-results-hidden")
    voted(voter, path, 1)
    assert results_with(voter, path, 1)["counts"] == {"1": 1}
    assert visitor.get(f"{path}/results").status_code == 403
    assert not visitor.get(f"{path}/ballot").json()["shows_results"]
    tenant.http.post(f"{path}/close")
    assert visitor.get(f"{path}/results").status_code == 200


def test_results_after_the_close_are_the_authors_until_then(tenant: TestTenant) -> None:
    path = new_poll(tenant, results="after_close")
    voter = tenant.anonymous()
    voted(voter, path, 1)
    assert voter.get(f"{path}/results").status_code == 403
    assert results_with(tenant.http, path, 1)["counts"] == {"1": 1}
    tenant.http.post(f"{path}/close")
    assert voter.get(f"{path}/results").status_code == 200


def test_what_was_being_cast_when_the_poll_closed_is_in_the_final_result(
    tenant: TestTenant,
) -> None:
    path = new_poll(tenant)

    def vote(option: int) -> int:
        return cast(tenant.anonymous(), path, option).status_code

    calls = [partial(vote, number % 4 + 1) for number in range(40)]
    close = partial(lambda: tenant.http.post(f"{path}/close").status_code)
    answers = at_once([*calls[:20], close, *calls[20:]])
    assert answers.pop(20) == 200
    assert set(answers) <= {201, 409}
    final = eventually(lambda: tenant.http.get(f"{path}/results").json()["final"])
    assert final
    results = tenant.http.get(f"{path}/results").json()
    rows = exported(tenant.http, path)
    assert results["voters"] == len(rows) == answers.count(201)
    assert results["counts"] == counted(rows)


def test_a_worker_that_dies_while_it_counts_loses_and_doubles_nothing(
    tenant: TestTenant, worker: WorkerProcess
) -> None:
    path = new_poll(tenant)
    for _ in range(2):
        answers = at_once([lambda: cast(tenant.anonymous(), path, 1).status_code] * 8)
        worker.kill()
        assert answers == [201] * 8
        worker.start()
    results = results_with(tenant.http, path, 16, seconds=300)  # dead workers' leases end first
    assert results["counts"] == {"1": 16} == counted(exported(tenant.http, path))


def test_events_tell_what_happened_and_not_who_voted(tenant: TestTenant) -> None:
    path = new_poll(tenant, voters="user", anonymous=True)
    voted(tenant.http, path, 1)
    results_with(tenant.http, path, 1)
    tenant.http.post(f"{path}/close")

    def types() -> dict[str, object]:
        events = tenant.http.get("/api/v1/events?limit=100").json()["items"]
        found = {event["type"]: event for event in events}
        assert "polls.poll.concluded" in found
        return found

    found = eventually(types)
    assert {
        "polls.poll.created",
        "polls.vote.cast",
        "polls.tally.changed",
        "polls.poll.closed",
    } <= (found.keys())
    user_id = tenant.http.get("/api/v1/me").json()["user"]["id"]
    assert user_id not in str(found["polls.vote.cast"])
