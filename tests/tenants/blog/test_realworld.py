"""The RealWorld API, request by request as its public specification tells them.

Written after https://docs.realworld.show and its OpenAPI document (2.0.0) and Postman collection.
"""

import re
import secrets
from typing import Any

import httpx
import pytest
from fixtures.installation import SignUp, TestTenant

API = "/compat/realworld/api"
PASSWORD = "password123"
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
PROFILE = {"username", "bio", "image", "following"}
LINE = {
    "slug", "title", "description", "tagList", "createdAt", "updatedAt", "favorited",
    "favoritesCount", "author",
}  # fmt: skip
COMMENT = {"id", "createdAt", "updatedAt", "body", "author"}


class Conduit:
    """A RealWorld front end: it knows a host, and the token that it was given."""

    def __init__(self, tenant: TestTenant, host: str, token: str = "") -> None:
        headers = {"Host": host} | ({"Authorization": f"Token {token}"} if token else {})
        self.tenant, self.host = tenant, host
        self.http = httpx.Client(base_url=tenant.url + API, headers=headers, timeout=30)
        tenant.clients.append(self.http)
        self.username = ""

    def __call__(self, method: str, path: str, status: int, body: Any = None) -> Any:
        answer = self.http.request(method, path, json=body)
        assert answer.status_code == status, f"{method} {path}: {answer.text}"
        return answer.json() if answer.content else None

    def register(self, username: str = "") -> "Conduit":
        username = username or f"user{secrets.token_hex(3)}"
        email = f"{username.replace(' ', '')}@example.com"
        new = {"username": username, "email": email, "password": PASSWORD}
        user = self("POST", "/users", 201, {"user": new})["user"]
        somebody = Conduit(self.tenant, self.host, user["token"])
        somebody.username = username
        return somebody

    def write(self, title: str, *tags: str) -> dict[str, Any]:
        new = {"title": title, "description": "Why?", "body": "Because", "tagList": list(tags)}
        article: dict[str, Any] = self("POST", "/articles", 201, {"article": new})["article"]
        return article

    def errors(self, method: str, path: str, status: int, body: Any = None) -> dict[str, Any]:
        answer = self(method, path, status, body)
        assert list(answer) == ["errors"]
        assert all(isinstance(text, list) and text for text in answer["errors"].values())
        return dict(answer["errors"])


@pytest.fixture
def nobody(sign_up: SignUp) -> Conduit:
    """A front end that nobody has signed in to; the tenant is its host's."""
    tenant = sign_up("blog")
    return Conduit(tenant, f"{tenant.slug}.localhost")


def assert_article(article: dict[str, Any], *, whole: bool) -> None:
    assert set(article) == (LINE | {"body"} if whole else LINE)
    assert _TIMESTAMP.fullmatch(article["createdAt"])
    assert _TIMESTAMP.fullmatch(article["updatedAt"])
    assert isinstance(article["tagList"], list)
    assert isinstance(article["favoritesCount"], int)
    assert set(article["author"]) == PROFILE


def test_registering_signing_in_and_changing_oneself(nobody: Conduit) -> None:
    new = {"username": "jake", "email": "Jake@example.com", "password": "jakejake1"}
    made = nobody("POST", "/users", 201, {"user": new})["user"]
    token = made.pop("token")
    assert made == {"username": "jake", "email": "jake@example.com", "bio": None, "image": None}
    credentials = {"email": "jake@example.com", "password": "jakejake1"}
    signed_in = nobody("POST", "/users/login", 200, {"user": credentials})["user"]
    assert signed_in["username"] == "jake"
    jake = Conduit(nobody.tenant, nobody.host, signed_in["token"])
    assert jake("GET", "/user", 200)["user"] == signed_in
    assert Conduit(nobody.tenant, nobody.host, token)("GET", "/user", 200)["user"]["bio"] is None
    changed = jake("PUT", "/user", 200, {"user": {"bio": "I skate", "email": "j@example.com"}})
    assert (changed["user"]["bio"], changed["user"]["email"]) == ("I skate", "j@example.com")
    picture = "https://example.com/jake.jpg"
    whole = changed["user"] | {"image": picture, "username": "jacob", "unknown": 1}
    assert jake("PUT", "/user", 200, {"user": whole})["user"]["image"] == picture
    emptied = jake("PUT", "/user", 200, {"user": {"bio": "", "image": None}})["user"]
    assert (emptied["username"], emptied["bio"], emptied["image"]) == ("jacob", None, None)


def test_a_new_password_ends_the_other_sessions(nobody: Conduit) -> None:
    jake = nobody.register("jake")
    login = {"user": {"email": "jake@example.com", "password": PASSWORD}}
    elsewhere = Conduit(
        nobody.tenant, nobody.host, nobody("POST", "/users/login", 200, login)["user"]["token"]
    )
    jake("PUT", "/user", 200, {"user": {"password": "another123"}})
    assert jake("GET", "/user", 200)["user"]["username"] == "jake"
    assert elsewhere.errors("GET", "/user", 401) == {"token": ["is invalid"]}
    assert nobody.errors("POST", "/users/login", 401, login) == {"credentials": ["invalid"]}
    login["user"]["password"] = "another123"
    nobody("POST", "/users/login", 200, login)


def test_registering_refuses_what_is_taken_or_blank(nobody: Conduit) -> None:
    nobody.register("jake")
    new = {"username": "other", "email": "jake@example.com", "password": PASSWORD}
    errors = nobody.errors("POST", "/users", 409, {"user": new})
    assert errors == {"email": ["has already been taken"]}
    new |= {"username": "JAKE", "email": "other@example.com"}
    errors = nobody.errors("POST", "/users", 409, {"user": new})
    assert errors == {"username": ["has already been taken"]}
    for field in ("username", "email", "password"):
        blank = {"username": "x", "email": "x@example.com", "password": PASSWORD, field: ""}
        errors = nobody.errors("POST", "/users", 422, {"user": blank})
        assert errors == {field: ["can't be blank"]}
        del blank[field]
        assert nobody.errors("POST", "/users", 422, {"user": blank}) == errors
    short = {"username": "x", "email": "x@example.com", "password": "short"}
    assert "password" in nobody.errors("POST", "/users", 422, {"user": short})
    wrong = {"user": {"email": "nobody@example.com", "password": PASSWORD}}
    assert nobody.errors("POST", "/users/login", 401, wrong) == {"credentials": ["invalid"]}
    unsaid = {"user": {"email": "", "password": PASSWORD}}
    assert nobody.errors("POST", "/users/login", 422, unsaid) == {"email": ["can't be blank"]}
    jake = nobody.register("jim")
    assert "username" in jake.errors("PUT", "/user", 422, {"user": {"username": ""}})
    assert "email" in jake.errors("PUT", "/user", 422, {"user": {"email": ""}})
    taken = jake.errors("PUT", "/user", 409, {"user": {"email": "jake@example.com"}})
    assert taken == {"email": ["has already been taken"]}


def test_what_needs_a_token_says_so(nobody: Conduit) -> None:
    slug = nobody.register().write("Read me")["slug"]
    protected = [
        ("GET", "/user"), ("PUT", "/user"), ("GET", "/articles/feed"), ("POST", "/articles"),
        ("PUT", f"/articles/{slug}"), ("DELETE", f"/articles/{slug}"),
        ("POST", f"/articles/{slug}/favorite"), ("DELETE", f"/articles/{slug}/favorite"),
        ("POST", f"/articles/{slug}/comments"), ("DELETE", f"/articles/{slug}/comments/1"),
        ("POST", "/profiles/jake/follow"), ("DELETE", "/profiles/jake/follow"),
    ]  # fmt: skip
    for method, path in protected:
        assert nobody.errors(method, path, 401) == {"token": ["is missing"]}, path
        forged = Conduit(nobody.tenant, nobody.host, "not.a.token")
        assert forged.errors(method, path, 401) == {"token": ["is invalid"]}, path


def test_articles_are_written_read_changed_and_deleted(nobody: Conduit) -> None:
    jake = nobody.register("jake")
    article = jake.write("How to train your dragon", "reactjs", "angularjs", "dragons")
    assert_article(article, whole=True)
    assert article["slug"] == "how-to-train-your-dragon"
    assert article["tagList"] == ["reactjs", "angularjs", "dragons"]
    assert (article["favorited"], article["favoritesCount"]) == (False, 0)
    assert article["author"] == {
        "username": "jake",
        "bio": None,
        "image": None,
        "following": False,
    }
    read = nobody("GET", f"/articles/{article['slug']}", 200)["article"]
    assert read == article
    body = jake("PUT", f"/articles/{article['slug']}", 200, {"article": {"body": "Two hands"}})
    assert (body["article"]["body"], body["article"]["slug"]) == ("Two hands", article["slug"])
    assert body["article"]["tagList"] == article["tagList"]
    assert body["article"]["updatedAt"] > article["updatedAt"]
    title = {"article": {"title": "Did you train your dragon?", "tagList": []}}
    renamed = jake("PUT", f"/articles/{article['slug']}", 200, title)["article"]
    assert renamed["slug"] == "did-you-train-your-dragon"
    assert renamed["tagList"] == []
    old = nobody("GET", f"/articles/{article['slug']}", 200)["article"]
    assert old["slug"] == renamed["slug"]
    jake("DELETE", f"/articles/{renamed['slug']}", 204)
    missing = nobody.errors("GET", f"/articles/{renamed['slug']}", 404)
    assert missing == {"article": ["not found"]}


def test_articles_refuse_blanks_and_strangers(nobody: Conduit) -> None:
    jake, eve = nobody.register(), nobody.register()
    for field in ("title", "description", "body"):
        new = {"title": "T", "description": "d", "body": "b", field: ""}
        expected = {field: ["can't be blank"]}
        assert jake.errors("POST", "/articles", 422, {"article": new}) == expected
        del new[field]
        assert jake.errors("POST", "/articles", 422, {"article": new}) == expected
    slug = jake.write("Mine")["slug"]
    for method in ("PUT", "DELETE"):
        errors = eve.errors(method, f"/articles/{slug}", 403, {"article": {"title": "Yours"}})
        assert errors == {"article": ["forbidden"]}
        assert jake.errors(method, "/articles/none", 404, {"article": {}}) == {
            "article": ["not found"]
        }
    assert "title" in jake.errors("PUT", f"/articles/{slug}", 422, {"article": {"title": ""}})
    assert "tagList" in jake.errors("PUT", f"/articles/{slug}", 422, {"article": {"tagList": None}})
    assert jake.write("Mine")["slug"] != slug  # two articles of one title


def test_lists_page_and_filter_without_bodies(nobody: Conduit) -> None:
    jake, eve = nobody.register("jake"), nobody.register("eve")
    written = [jake.write(f"Article {n}", "dragons", f"n{n}")["slug"] for n in range(3)]
    other = eve.write("Eve's", "apples")["slug"]
    newest = [other, *reversed(written)]

    def slugs(query: str, count: int, who: Conduit = nobody) -> list[str]:
        page = who("GET", f"/articles{query}", 200)
        assert page["articlesCount"] == count
        for article in page["articles"]:
            assert_article(article, whole=False)
        return [article["slug"] for article in page["articles"]]

    assert slugs("", 4) == newest
    assert slugs("?limit=1&offset=1", 4) == newest[1:2]
    assert slugs("?offset=10", 4) == []
    assert slugs("?tag=dragons&author=jake&limit=2", 3) == newest[1:3]
    assert slugs("?author=nobody", 0) == []
    jake("POST", f"/articles/{other}/favorite", 200)
    assert slugs("?favorited=jake", 1) == [other]
    assert nobody("GET", "/articles?favorited=jake", 200)["articles"][0]["favorited"] is False
    assert jake("GET", "/articles?favorited=jake", 200)["articles"][0]["favorited"] is True
    assert "limit" in nobody.errors("GET", "/articles?limit=0", 422)
    assert "offset" in nobody.errors("GET", "/articles?offset=-1", 422)
    assert sorted(nobody("GET", "/tags", 200)["tags"]) == ["apples", "dragons", "n0", "n1", "n2"]


def test_favourites(nobody: Conduit) -> None:
    jake, eve = nobody.register(), nobody.register()
    path = f"/articles/{jake.write('Like me')['slug']}"
    for _ in range(2):
        liked = eve("POST", f"{path}/favorite", 200)["article"]
        assert_article(liked, whole=True)
        assert (liked["favorited"], liked["favoritesCount"]) == (True, 1)
    assert jake("GET", path, 200)["article"]["favorited"] is False
    assert jake("POST", f"{path}/favorite", 200)["article"]["favoritesCount"] == 2
    unliked = eve("DELETE", f"{path}/favorite", 200)["article"]
    assert (unliked["favorited"], unliked["favoritesCount"]) == (False, 1)
    assert eve.errors("POST", "/articles/none/favorite", 404) == {"article": ["not found"]}


def test_following_fills_the_feed(nobody: Conduit) -> None:
    jake, eve = nobody.register("Jake Blue"), nobody.register()
    slugs = [jake.write(f"News {n}")["slug"] for n in range(2)]
    eve.write("Eve's own")
    assert eve("GET", "/articles/feed", 200) == {"articles": [], "articlesCount": 0}
    assert nobody("GET", "/profiles/Jake%20Blue", 200)["profile"]["following"] is False
    for _ in range(2):
        profile = eve("POST", "/profiles/Jake%20Blue/follow", 200)["profile"]
        assert profile == {"username": "Jake Blue", "bio": None, "image": None, "following": True}
    page = eve("GET", "/articles/feed?limit=1", 200)
    assert page["articlesCount"] == 2
    assert [article["slug"] for article in page["articles"]] == slugs[1:]
    assert page["articles"][0]["author"]["following"] is True
    assert_article(page["articles"][0], whole=False)
    assert eve("GET", f"/articles/{slugs[0]}", 200)["article"]["author"]["following"] is True
    unfollowed = eve("DELETE", "/profiles/Jake%20Blue/follow", 200)
    assert unfollowed["profile"]["following"] is False
    assert eve("GET", "/articles/feed", 200)["articlesCount"] == 0
    for method, path in (("GET", ""), ("POST", "/follow"), ("DELETE", "/follow")):
        assert eve.errors(method, f"/profiles/nobody{path}", 404) == {"profile": ["not found"]}


def test_comments(nobody: Conduit) -> None:
    jake, eve = nobody.register("jake"), nobody.register("eve")
    path = f"/articles/{jake.write('Discuss')['slug']}/comments"
    assert nobody("GET", path, 200) == {"comments": []}
    new = {"comment": {"body": "Thank you so much!"}}
    comment = eve("POST", path, 201, new)["comment"]
    assert set(comment) == COMMENT
    assert isinstance(comment["id"], int)
    assert _TIMESTAMP.fullmatch(comment["createdAt"])
    assert comment["author"]["username"] == "eve"
    second = jake("POST", path, 201, new)["comment"]
    listed = nobody("GET", path, 200)["comments"]
    assert {each["id"] for each in listed} == {comment["id"], second["id"]}
    assert jake.errors("DELETE", f"{path}/{comment['id']}", 403) == {"comment": ["forbidden"]}
    eve("DELETE", f"{path}/{comment['id']}", 204)
    assert eve.errors("DELETE", f"{path}/{comment['id']}", 404) == {"comment": ["not found"]}
    assert [each["id"] for each in nobody("GET", path, 200)["comments"]] == [second["id"]]
    blank = {"comment": {"body": ""}}
    assert eve.errors("POST", path, 422, blank) == {"body": ["can't be blank"]}
    for method in ("GET", "POST"):
        errors = eve.errors(method, "/articles/none/comments", 404, new)
        assert errors == {"article": ["not found"]}


def test_it_is_the_same_data_as_insulas_own(nobody: Conduit) -> None:
    tenant = nobody.tenant
    slug = nobody.register("jake").write("Shared", "one")["slug"]
    own = tenant.anonymous().get(f"/api/v1/blog/articles/by-slug/{slug}").json()
    assert (own["author"], own["summary"], own["status"]) == ("jake", "Why?", "published")
    draft = {"title": "Secret draft", "body": "x"}
    hidden = tenant.http.post("/api/v1/blog/articles", json=draft).json()["slug"]
    nobody.errors("GET", f"/articles/{hidden}", 404)
    login = {"user": {"email": tenant.owner.email, "password": tenant.owner.password}}
    owner = nobody("POST", "/users/login", 200, login)["user"]
    assert owner["username"] == "olive-owner"


def test_who_registered_here_is_not_of_the_team(nobody: Conduit) -> None:
    jake = nobody.register()
    headers = {"Authorization": jake.http.headers["Authorization"].replace("Token", "Bearer")}
    scopes = httpx.get(f"{nobody.tenant.url}/api/v1/me", headers=headers).json()["scopes"]
    assert not any(scope.startswith("blog:") for scope in scopes)
    answer = httpx.post(
        f"{nobody.tenant.url}/api/v1/blog/articles", headers=headers, json={"title": "x"}
    )
    assert answer.status_code == 403


def test_a_blog_may_be_closed_to_strangers(nobody: Conduit) -> None:
    jake = nobody.register()
    tenant = nobody.tenant
    assert tenant.http.patch("/api/v1/blog/settings", json={"community": False}).status_code == 200
    new = {"username": "late", "email": "late@example.com", "password": PASSWORD}
    nobody.errors("POST", "/users", 403, {"user": new})
    article = {"title": "T", "description": "d", "body": "b"}
    jake.errors("POST", "/articles", 403, {"article": article})
    nobody("GET", "/articles", 200)


def test_refusals_before_the_route_are_in_its_words(nobody: Conduit) -> None:
    answer = nobody.http.post("/users", content=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert list(answer.json()) == ["errors"]
    assert nobody.errors("GET", "/nowhere", 404) == {"resource": ["not found"]}
    assert nobody.http.patch("/user").headers["allow"] == "GET, HEAD, OPTIONS, PUT"
    stranger = Conduit(nobody.tenant, "no-such-tenant.localhost")
    assert stranger.errors("GET", "/articles", 404)


def test_a_browser_on_another_origin_may_call(nobody: Conduit) -> None:
    asked = {
        "Origin": "https://conduit.example",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,content-type,x-requested-with",
    }
    preflight = nobody.http.options("/user", headers=asked)
    assert preflight.status_code == 204
    allowed = preflight.headers["access-control-allow-headers"].lower()
    assert all(name in allowed for name in ("authorization", "content-type", "x-requested-with"))
    answer = nobody.http.get("/tags", headers={"Origin": "https://conduit.example"})
    assert answer.headers["access-control-allow-origin"] == "*"


def test_another_tenants_token_opens_nothing(nobody: Conduit, sign_up: SignUp) -> None:
    jake = nobody.register()
    other = sign_up("blog")
    theirs = Conduit(other, f"{other.slug}.localhost", jake.http.headers["Authorization"][6:])
    assert theirs.errors("GET", "/user", 403)


def test_without_the_module_there_is_nothing(acme: TestTenant) -> None:
    errors = Conduit(acme, f"{acme.slug}.localhost").errors("GET", "/articles", 404)
    assert "blog is off" in errors["message"][0]
