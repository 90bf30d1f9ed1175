"""The blog by GraphQL."""

import pytest
from fixtures.graph import data_of, problem_of
from fixtures.installation import SignUp, TestTenant

CREATE = (
    "mutation ($article: ArticleCreateInput!) {createArticle(article: $article) {id slug status}}"
)
LISTED = "{articles {nodes {title html author tags comments {nodes {body author}}}}}"


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("blog")


def test_an_article_is_drafted_published_and_commented(tenant: TestTenant) -> None:
    owner, reader = tenant.http, tenant.add_user("customer").http
    article = {"title": "Dragons", "body": "**Believe**", "tags": ["dragons"]}
    made = data_of(owner, CREATE, article=article)["createArticle"]
    assert (made["slug"], made["status"]) == ("dragons", "draft")
    by_slug = 'query {article(slug: "dragons") {title}}'
    assert data_of(reader, by_slug) == {"article": None}
    assert data_of(owner, by_slug) == {"article": {"title": "Dragons"}}
    assert data_of(owner, "{articleDrafts {nodes {title}}}")["articleDrafts"]["nodes"]
    publish = "mutation ($id: ID!) {publishArticle(id: $id) {status}}"
    assert data_of(owner, publish, id=made["id"]) == {"publishArticle": {"status": "published"}}
    comment = 'mutation ($id: ID!) {createComment(articleId: $id, comment: {body: "Yes!"}) {id}}'
    data_of(owner, comment, id=made["id"])
    [shown] = data_of(tenant.anonymous(), LISTED)["articles"]["nodes"]
    assert shown["html"] == "<p><strong>Believe</strong></p>\n"
    assert [each["body"] for each in shown["comments"]["nodes"]] == ["Yes!"]
    data_of(owner, "mutation ($id: ID!) {deleteArticle(id: $id)}", id=made["id"])
    assert data_of(tenant.anonymous(), LISTED)["articles"]["nodes"] == []


def test_drafts_are_nobodys_elses(tenant: TestTenant) -> None:
    made = data_of(tenant.http, CREATE, article={"title": "Secret"})["createArticle"]
    node = "query ($id: ID!) {node(id: $id) {id}}"
    for http in (tenant.add_user().http, tenant.anonymous()):
        assert data_of(http, node, id=made["id"]) == {"node": None}
        assert data_of(http, LISTED)["articles"]["nodes"] == []
    assert problem_of(tenant.anonymous(), CREATE, article={"title": "x"}) == "unauthenticated"
    member = tenant.add_user().http
    delete = "mutation ($id: ID!) {deleteArticle(id: $id)}"
    assert problem_of(member, delete, id=made["id"]) in ("not-found", "blog-not-your-article")


def test_isolation(sign_up: SignUp) -> None:
    ours, theirs = sign_up("blog"), sign_up("blog")
    article = {"title": "Theirs", "publish": True}
    made = data_of(theirs.http, CREATE, article=article)["createArticle"]
    node = "query ($id: ID!) {node(id: $id) {id}}"
    assert data_of(ours.http, node, id=made["id"]) == {"node": None}
    delete = "mutation ($id: ID!) {deleteArticle(id: $id)}"
    assert problem_of(ours.http, delete, id=made["id"]) == "not-found"
