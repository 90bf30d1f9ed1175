"""Casting votes: what fits, and that each voter has one."""

from typing import Any

import httpx
import pytest
from fixtures.installation import SignUp, TestTenant
from fixtures.polls import at_once, cast, exported, new_poll, voted


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("polls")


def tokens_of(tenant: TestTenant, path: str, count: int) -> list[str]:
    answer = tenant.http.post(f"{path}/tokens", json={"count": count})
    assert answer.status_code == 201, answer.text
    tokens: list[str] = answer.json()["tokens"]
    return tokens


def with_token(tenant: TestTenant, token: str) -> httpx.Client:
    http = tenant.anonymous()
    http.headers["Voting-Token"] = token
    return http


def browser(tenant: TestTenant, path: str) -> httpx.Client:
    """A client that has opened the page, and so has its cookie."""
    http = tenant.anonymous()
    http.get(f"{path}/page")
    assert http.cookies
    return http


UNFIT: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("single", {}, {}, "/choices"),
    ("single", {}, {"choices": [1, 2]}, "/choices"),
    ("single", {}, {"choices": [5]}, "/choices"),
    ("single", {}, {"choices": [0]}, "/choices/0"),
    ("single", {}, {"choices": [1], "rating": 3}, "/choices"),
    ("multiple", {"min_choices": 2}, {"choices": [1]}, "/choices"),
    ("multiple", {"max_choices": 2}, {"choices": [1, 2, 3]}, "/choices"),
    ("multiple", {}, {"choices": [2, 2]}, "/choices"),
    ("ranked", {}, {"choices": [3, 3]}, "/choices"),
    ("rating", {"scale": 5}, {"rating": 6}, "/rating"),
    ("rating", {}, {"choices": [1]}, "/rating"),
    ("open", {}, {"choices": [1]}, "/answer"),
    ("open", {}, {"answer": " "}, "/answer"),
]
FIT: dict[str, dict[str, Any]] = {
    "single": {"choices": [1]},
    "multiple": {"choices": [1, 2]},
    "ranked": {"choices": [2]},
    "rating": {"rating": 1},
    "open": {"answer": "Yes"},
}


def test_a_vote_that_does_not_fit_is_refused_and_uses_nothing_up(tenant: TestTenant) -> None:
    for kind, fields, vote, pointer in UNFIT:
        path = new_poll(tenant, kind, **fields)
        http = browser(tenant, path)
        refused = http.post(f"{path}/votes", json=vote)
        assert refused.status_code == 400, (kind, vote, refused.text)
        assert refused.json()["errors"][0]["pointer"] == pointer
        assert http.post(f"{path}/votes", json=FIT[kind]).status_code == 201


def test_a_user_votes_once(tenant: TestTenant) -> None:
    path = new_poll(tenant, voters="user")
    voted(tenant.http, path, 1)
    refused = cast(tenant.http, path, 2)
    assert refused.status_code == 409
    assert refused.json()["type"].endswith("/polls-already-voted")
    again = tenant.sign_in(tenant.owner.email)
    assert cast(again.http, path, 2).status_code == 409
    assert cast(tenant.anonymous(), path, 2).status_code == 401
    paper = tenant.http.get(f"{path}/ballot").json()
    assert (paper["has_voted"], paper["vote"]["choices"]) == (True, [1])


def test_a_token_votes_once_and_only_in_its_poll(tenant: TestTenant) -> None:
    path, other = new_poll(tenant, voters="token"), new_poll(tenant, voters="token")
    first, second = tokens_of(tenant, path, 2)
    assert cast(tenant.anonymous(), path, 1).status_code == 403
    assert cast(tenant.http, path, 1).status_code == 403
    assert cast(with_token(tenant, "guessed"), path, 1).status_code == 403
    assert cast(with_token(tenant, first), other, 1).status_code == 403
    voted(with_token(tenant, first), path, 1)
    assert cast(with_token(tenant, first), path, 1).status_code == 409
    voted(with_token(tenant, second), path, 1)
    assert tenant.http.get(f"{path}/tokens").json() == {"issued": 2, "used": 2}


def test_a_browser_votes_once(tenant: TestTenant) -> None:
    path = new_poll(tenant)
    http = tenant.anonymous()
    voted(http, path, 1)  # is given a cookie
    assert cast(http, path, 2).status_code == 409
    voted(tenant.anonymous(), path, 2)
    assert len(exported(tenant.http, path)) == 2


def test_a_cookie_that_we_did_not_sign_is_nobodys(tenant: TestTenant) -> None:
    path = new_poll(tenant)
    http = browser(tenant, path)
    voted(http, path, 1)
    [cookie] = http.cookies.jar
    assert cookie.value is not None
    forged = ("A" if cookie.value[0] != "A" else "B") + cookie.value[1:]
    headers = {"Cookie": f"{cookie.name}={forged}"}
    paper = tenant.anonymous().get(f"{path}/ballot", headers=headers).json()
    assert not paper["has_voted"]
    answer = cast(tenant.anonymous(), path, 1, headers=headers)
    assert "set-cookie" in answer.headers


def test_the_cookie_is_out_of_scripts_reach(tenant: TestTenant) -> None:
    cookie = cast(tenant.anonymous(), new_poll(tenant), 1).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/api/v1/polls;" in cookie


@pytest.mark.parametrize("anonymous", [False, True])
def test_of_twenty_votes_at_once_one_counts(tenant: TestTenant, anonymous: bool) -> None:
    for voters in ("user", "token", "cookie"):
        path = new_poll(tenant, voters=voters, anonymous=anonymous)
        http = tenant.http
        if voters == "token":
            http = with_token(tenant, tokens_of(tenant, path, 1)[0])
        elif voters == "cookie":
            http = browser(tenant, path)
        answers = at_once([lambda http=http, path=path: cast(http, path, 1).status_code] * 20)
        assert sorted(answers) == [201] + [409] * 19, voters
        assert len(exported(tenant.http, path)) == 1


def test_twenty_changes_at_once_leave_one_vote(tenant: TestTenant) -> None:
    path = new_poll(tenant, voters="user", may_change=True)
    answers = at_once(
        [lambda n=n: cast(tenant.http, path, n % 4 + 1).status_code for n in range(20)]
    )
    assert answers == [201] * 20
    assert len(exported(tenant.http, path)) == 1


def test_a_vote_is_changed_and_withdrawn_where_the_poll_allows_it(tenant: TestTenant) -> None:
    path = new_poll(tenant, "ranked", voters="user", may_change=True)
    first = voted(tenant.http, path, 2, 1)
    second = voted(tenant.http, path, 3)
    assert (first["replaced"], second["replaced"]) == (False, True)
    assert first["receipt"] == second["receipt"]
    assert tenant.http.get(f"{path}/ballot").json()["vote"]["choices"] == [3]
    assert tenant.http.delete(f"{path}/vote").status_code == 204
    assert tenant.http.delete(f"{path}/vote").status_code == 404
    assert exported(tenant.http, path) == []
    assert not voted(tenant.http, path, 1)["replaced"]


def test_a_vote_stays_where_the_poll_does_not(tenant: TestTenant) -> None:
    path = new_poll(tenant, voters="user")
    voted(tenant.http, path, 1)
    assert tenant.http.delete(f"{path}/vote").status_code == 409


def test_a_secret_ballot_keeps_no_link(tenant: TestTenant) -> None:
    path = new_poll(tenant, voters="user", anonymous=True)
    voted(tenant.http, path, 2)
    paper = tenant.http.get(f"{path}/ballot").json()
    assert (paper["has_voted"], paper["vote"]) == (True, None)


def test_a_quiz_tells_at_once_where_it_is_to(tenant: TestTenant) -> None:
    path = new_poll(
        tenant, "quiz", correct=[2, 3], reveal="after_vote", points=5, explanation="Conifers."
    )
    right = voted(tenant.anonymous(), path, 3, 2)["verdict"]
    assert right == {"right": True, "points": 5, "correct": [2, 3], "explanation": "Conifers."}
    half = voted(tenant.anonymous(), path, 2)["verdict"]
    assert (half["right"], half["points"]) == (False, 0)


def test_a_quiz_tells_nothing_before_it_closes_where_it_is_not_to(tenant: TestTenant) -> None:
    path = new_poll(tenant, "quiz", correct=[2], voters="user", explanation="Birch it is.")
    customer = tenant.add_user("customer").http
    assert voted(customer, path, 2)["verdict"] is None
    assert customer.get(f"{path}/ballot").json()["verdict"] is None
    assert customer.get(f"{path}/results").json()["quiz"] is None
    tenant.http.post(f"{path}/close")
    assert customer.get(f"{path}/ballot").json()["verdict"]["right"]
    told = customer.get(f"{path}/results").json()["quiz"]
    assert told == {"right": 1, "correct": [2], "explanation": "Birch it is."}


def test_answers_are_shown_once_they_are_approved(tenant: TestTenant) -> None:
    path = new_poll(tenant, "open", moderated=True)
    visitor = tenant.anonymous()
    for text in ("More trees", "Spam"):
        voted(tenant.anonymous(), path, answer=text)
    assert visitor.get(f"{path}/answers").json()["items"] == []
    waiting = tenant.http.get(f"{path}/moderation?state=pending").json()["items"]
    ids = {answer["answer"]: answer["id"] for answer in waiting}
    for text, state in (("More trees", "shown"), ("Spam", "rejected")):
        order = {"answers": [ids[text]], "state": state}
        assert tenant.http.post(f"{path}/moderation", json=order).status_code == 200
    shown = visitor.get(f"{path}/answers").json()["items"]
    assert [answer["answer"] for answer in shown] == ["More trees"]
    elsewhere = new_poll(tenant, "open")
    order = {"answers": [ids["Spam"]], "state": "shown"}
    assert tenant.http.post(f"{elsewhere}/moderation", json=order).status_code == 404
