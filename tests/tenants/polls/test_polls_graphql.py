"""Polls by GraphQL."""

import pytest
from fixtures.graph import data_of, problem_of
from fixtures.installation import SignUp, TestTenant

CREATE = "mutation ($poll: PollCreateInput!) {createPoll(poll: $poll) {id uuid state correct}}"
QUIZ = {"kind": "quiz", "question": "2 + 2?", "options": ["3", "4"], "correct": [2]}


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("polls")


def test_a_poll_is_made_voted_in_closed_and_deleted(tenant: TestTenant) -> None:
    owner, member = tenant.http, tenant.add_user().http
    poll = {"kind": "single", "question": "Tea or coffee?", "options": ["Tea", "Coffee"]}
    made = data_of(owner, CREATE, poll=poll)["createPoll"]
    assert made["state"] == "open"
    vote = "mutation ($id: ID!, $vote: VoteCastInput!) {castVote(id: $id, vote: $vote) {replaced}}"
    cast = data_of(member, vote, id=made["id"], vote={"choices": [1]})
    assert cast == {"castVote": {"replaced": False}}
    assert problem_of(member, vote, id=made["id"], vote={"choices": [1]}) == "polls-already-voted"
    listed = "{polls {nodes {question options {id text} author {email} tally {counts}}}}"
    [shown] = data_of(owner, listed)["polls"]["nodes"]
    assert shown["options"][0] == {"id": 1, "text": "Tea"}
    assert shown["author"] == {"email": tenant.owner.email}
    assert shown["tally"] is not None
    close = "mutation ($id: ID!) {closePoll(id: $id) {state}}"
    assert data_of(owner, close, id=made["id"]) == {"closePoll": {"state": "closed"}}
    data_of(owner, "mutation ($id: ID!) {deletePoll(id: $id)}", id=made["id"])
    assert data_of(owner, listed)["polls"]["nodes"] == []


def test_the_right_answer_shows_to_who_runs_the_quiz_alone(tenant: TestTenant) -> None:
    made = data_of(tenant.http, CREATE, poll=QUIZ)["createPoll"]
    assert made["correct"] == [2]
    member = tenant.add_user().http
    node = "query ($id: ID!) {node(id: $id) {... on Poll {correct}}}"
    assert data_of(member, node, id=made["id"]) == {"node": {"correct": []}}
    assert data_of(member, "{polls {nodes {correct}}}")["polls"]["nodes"] == [{"correct": []}]


def test_browsers_vote_over_rest(tenant: TestTenant) -> None:
    poll = {"kind": "open", "question": "Why?", "voters": "cookie"}
    made = data_of(tenant.http, CREATE, poll=poll)["createPoll"]
    vote = 'mutation ($id: ID!) {castVote(id: $id, vote: {answer: "So"}) {receipt}}'
    assert problem_of(tenant.anonymous(), vote, id=made["id"]) == "forbidden"


def test_isolation(sign_up: SignUp) -> None:
    ours, theirs = sign_up("polls"), sign_up("polls")
    made = data_of(theirs.http, CREATE, poll=QUIZ)["createPoll"]
    node = "query ($id: ID!) {node(id: $id) {id}}"
    assert data_of(ours.http, node, id=made["id"]) == {"node": None}
    close = "mutation ($id: ID!) {closePoll(id: $id) {state}}"
    assert problem_of(ours.http, close, id=made["id"]) == "not-found"
