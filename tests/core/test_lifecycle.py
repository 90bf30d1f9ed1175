"""What the operator does with tenants: by command and by the operator API."""

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fixtures.command import CommandLine
from fixtures.installation import PASSWORD, Installation, SignUp, TestTenant
from insula.keys import operator_token


@pytest.fixture
def operator(installation: Installation) -> Iterator[httpx.Client]:
    token = operator_token(installation.settings.secret_key)
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=installation.url, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture
def cli(installation: Installation) -> CommandLine:
    return CommandLine(installation)


def _host(tenant: TestTenant, slug: str) -> dict[str, str]:
    return {"Host": f"{slug}.localhost:{httpx.URL(tenant.url).port}"}


def _new_slug() -> str:
    return f"n-{secrets.token_hex(6)}"


# The operator API


def test_the_command_prints_the_token_of_the_operator_api(
    installation: Installation, cli: CommandLine
) -> None:
    token = cli.run("operator", "token").stdout.strip()
    answer = httpx.get(
        f"{installation.url}/api/v1/tenants", headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 200


def test_the_operator_sees_all_tenants_in_pages(operator: httpx.Client, sign_up: SignUp) -> None:
    slugs = {sign_up().slug for _ in range(4)}
    first = operator.get("/api/v1/tenants", params={"limit": 2}).json()
    second = operator.get("/api/v1/tenants", params={"limit": 2, "cursor": first["next"]}).json()
    seen = [each["slug"] for each in first["items"] + second["items"]]
    assert len(set(seen)) == 4
    assert set(seen) == slugs  # the newest come first
    found = operator.get("/api/v1/tenants", params={"slug": seen[0]}).json()["items"]
    assert [each["slug"] for each in found] == [seen[0]]


def test_the_operators_token_opens_no_tenants_data(operator: httpx.Client, sign_up: SignUp) -> None:
    tenant = sign_up("notes")
    headers = {"Insula-Tenant": tenant.slug}
    for path in ("/api/v1/notes", "/api/v1/users", "/api/v1/me", "/api/v1/settings"):
        assert operator.get(path, headers=headers).status_code == 401


@pytest.mark.parametrize("token", ["insula-operator-", "insula-operator-AAAA", "x" * 60])
def test_a_guessed_operators_token_is_refused(installation: Installation, token: str) -> None:
    answer = httpx.get(
        f"{installation.url}/api/v1/tenants", headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 401


def test_what_is_not_there_is_not_found(operator: httpx.Client) -> None:
    nobody = f"/api/v1/tenants/{_new_slug()}"
    assert operator.get(nobody).status_code == 404
    assert operator.patch(nobody, json={"limits": {}}).status_code == 404
    assert operator.post(f"{nobody}/suspend", json={}).status_code == 404
    assert operator.post(f"{nobody}/resume").status_code == 404


def test_the_operator_sees_how_far_migrations_have_come(
    operator: httpx.Client, sign_up: SignUp
) -> None:
    tenant = sign_up("notes")
    state = operator.get(f"/api/v1/tenants/{tenant.slug}/migrations").json()
    assert (state["tenant"], state["state"]) == (tenant.slug, "current")
    assert {module["module"] for module in state["modules"]} == {"core", "notes"}
    fleet = operator.get("/api/v1/tenants/migrations").json()
    assert fleet["tenants"] == []
    assert fleet["catalogue"]["behind"] == 0
    assert {module["module"] for module in fleet["modules"]} >= {"core", "notes", "blog"}
    page = {"which": "all", "after": state["number"] - 1}
    everybody = operator.get("/api/v1/tenants/migrations", params=page).json()
    assert tenant.slug in {each["tenant"] for each in everybody["tenants"]}
    assert operator.get("/api/v1/tenants/migrations?which=none").status_code == 400
    assert operator.get(f"/api/v1/tenants/{_new_slug()}/migrations").status_code == 404


# Suspending


def test_a_suspended_tenant_lets_nobody_in_and_keeps_everything(
    operator: httpx.Client, sign_up: SignUp
) -> None:
    tenant = sign_up("notes")
    note = tenant.http.post("/api/v1/notes", json={"title": "Kept", "body": "x"}).json()
    reason = {"reason": "The invoice is overdue."}
    line = operator.post(f"/api/v1/tenants/{tenant.slug}/suspend", json=reason).json()
    assert (line["status"], line["suspension"]) == ("suspended", "The invoice is overdue.")
    for answer in (
        tenant.http.get("/api/v1/notes"),
        tenant.http.post("/api/v1/notes", json={"title": "Late", "body": ""}),
        tenant.anonymous().get("/api/v1/blog/articles"),
        tenant.anonymous().post("/api/v1/sessions", json={"email": "a@b.example", "password": "x"}),
        tenant.http.post("/graphql", json={"query": "{ __typename }"}),
    ):
        assert answer.status_code == 403
        problem = answer.json()
        assert problem["type"] == "/docs/problems/tenant-suspended"
        assert problem["detail"] == "The invoice is overdue."
    assert operator.post(f"/api/v1/tenants/{tenant.slug}/resume").json()["status"] == "active"
    assert tenant.http.get(f"/api/v1/notes/{note['id']}").json()["title"] == "Kept"
    assert [n["title"] for n in tenant.http.get("/api/v1/notes").json()["items"]] == ["Kept"]


def test_the_command_suspends_and_resumes(cli: CommandLine, sign_up: SignUp) -> None:
    tenant = sign_up()
    line = cli.json("tenants", "suspend", tenant.slug, "--reason", "A test.")
    assert line["suspension"] == "A test."
    assert tenant.http.get("/api/v1/me").status_code == 403
    line = cli.json("tenants", "resume", tenant.slug)
    assert (line["status"], line["suspension"]) == ("active", None)
    assert tenant.http.get("/api/v1/me").status_code == 200


# Renaming


def test_a_renamed_tenant_is_found_under_both_slugs(
    operator: httpx.Client, sign_up: SignUp
) -> None:
    tenant, slug = sign_up("notes"), _new_slug()
    anonymous = httpx.Client(base_url=tenant.url)
    before = tenant.http.get("/api/v1/me").json()["tenant"]
    renamed = operator.patch(f"/api/v1/tenants/{tenant.slug}", json={"slug": slug})
    assert renamed.json()["slug"] == slug
    after = tenant.http.get("/api/v1/me").json()["tenant"]  # the session goes on
    assert (after["id"], after["slug"]) == (before["id"], slug)
    path = "/api/v1/notes/shared/nothing?a=1&b=%2F"
    assert anonymous.get(path, headers=_host(tenant, slug)).status_code == 404
    answer = anonymous.get(path, headers=_host(tenant, tenant.slug))
    assert answer.status_code == 308
    port = httpx.URL(tenant.url).port
    assert answer.headers["location"] == f"http://{slug}.localhost:{port}{path}"
    posted = anonymous.post("/api/v1/sessions", headers=_host(tenant, tenant.slug), json={})
    assert posted.status_code == 308
    answer = tenant.anonymous().post(  # who names it by header is served and told
        "/api/v1/sessions", json={"email": tenant.owner.email, "password": PASSWORD}
    )
    assert answer.status_code == 201
    assert answer.headers["insula-tenant"] == slug


def test_a_slug_given_up_is_nobody_elses_for_a_while(
    operator: httpx.Client, cli: CommandLine, sign_up: SignUp
) -> None:
    tenant, other = sign_up(), sign_up()
    first, second = tenant.slug, _new_slug()
    assert operator.patch(f"/api/v1/tenants/{first}", json={"slug": second}).status_code == 200
    owner = {"email": "o@example.com", "name": "O", "password": PASSWORD}
    form = {"slug": first, "name": "Thief", "owner": owner}
    assert operator.post("/api/v1/tenants", json=form).status_code == 409
    taken = operator.patch(f"/api/v1/tenants/{other.slug}", json={"slug": first})
    assert taken.json()["type"] == "/docs/problems/slug-taken"
    taken = operator.patch(f"/api/v1/tenants/{other.slug}", json={"slug": second})
    assert taken.status_code == 409
    back = cli.json("tenants", "rename", second, first)  # itself may have it back
    assert back["slug"] == first
    assert tenant.http.get("/api/v1/me").json()["tenant"]["slug"] == first
    answer = tenant.anonymous().get("/api/v1/me")
    assert "insula-tenant" not in answer.headers


@pytest.mark.parametrize("slug", ["a", "Acme", "admin", "a--b", "-ab", "t_1", "a.b", "x" * 41])
def test_a_slug_that_is_none_is_refused(operator: httpx.Client, sign_up: SignUp, slug: str) -> None:
    answer = operator.patch(f"/api/v1/tenants/{sign_up().slug}", json={"slug": slug})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/slug"


def test_a_change_that_is_refused_changes_nothing(operator: httpx.Client, sign_up: SignUp) -> None:
    tenant, other = sign_up(), sign_up()
    change = {"slug": other.slug, "limits": {"users": 2, "files_quota": 1000}}
    assert operator.patch(f"/api/v1/tenants/{tenant.slug}", json=change).status_code == 409
    assert operator.get(f"/api/v1/tenants/{tenant.slug}").json()["limits"] == {}
    assert tenant.http.get("/api/v1/files/usage").json()["quota"] != 1000
    slug = _new_slug()
    both = operator.patch(f"/api/v1/tenants/{tenant.slug}", json=change | {"slug": slug}).json()
    assert (both["slug"], both["limits"]) == (slug, change["limits"])


# Limits


def test_a_tenant_has_limits_of_its_own(operator: httpx.Client, sign_up: SignUp) -> None:
    tenant, other = sign_up(), sign_up()
    limits = {"users": 2, "files_quota": 1000, "rate_limit": 600, "rate_burst": 40}
    line = operator.patch(f"/api/v1/tenants/{tenant.slug}", json={"limits": limits}).json()
    assert line["limits"] == limits
    assert tenant.http.get("/api/v1/settings").json()["limits"] == limits
    assert tenant.http.get("/api/v1/files/usage").json()["quota"] == 1000
    assert "q=40;" in tenant.http.get("/api/v1/me").headers["ratelimit-policy"]
    assert "q=40;" not in other.http.get("/api/v1/me").headers["ratelimit-policy"]
    second = tenant.add_user()
    third = {"email": "third@example.com", "name": "T", "password": PASSWORD, "role": "member"}
    full = tenant.http.post("/api/v1/users", json=third)
    assert (full.status_code, full.json()["type"]) == (403, "/docs/problems/tenant-full")
    customer = tenant.http.post(
        "/api/v1/users", json=third | {"role": "customer", "email": "c@example.com"}
    ).json()
    promoted = tenant.http.patch(f"/api/v1/users/{customer['id']}", json={"role": "member"})
    assert promoted.status_code == 403
    member = second.http.get("/api/v1/me").json()["user"]["id"]
    tenant.http.patch(f"/api/v1/users/{member}", json={"status": "disabled"})
    assert tenant.http.post("/api/v1/users", json=third).status_code == 201
    again = tenant.http.patch(f"/api/v1/users/{member}", json={"status": "active"})
    assert again.status_code == 403
    line = operator.patch(f"/api/v1/tenants/{tenant.slug}", json={"limits": {}}).json()
    assert line["limits"] == {}
    assert (
        tenant.http.patch(f"/api/v1/users/{member}", json={"status": "active"}).status_code == 200
    )


def test_two_users_at_once_do_not_both_take_the_last_place(
    cli: CommandLine, sign_up: SignUp
) -> None:
    tenant = sign_up()
    cli.json("tenants", "limit", tenant.slug, "--users", "3")
    forms = [
        {"email": f"u{n}@example.com", "name": "U", "password": PASSWORD, "role": "member"}
        for n in range(6)
    ]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda form: tenant.http.post("/api/v1/users", json=form), forms))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 403, 403, 403, 403]


@pytest.mark.parametrize(
    "limits", [{"users": 0}, {"users": -1}, {"rate_limit": 1e20}, {"houses": 1}, 7]
)
def test_a_limit_that_is_none_is_refused(
    operator: httpx.Client, sign_up: SignUp, limits: object
) -> None:
    answer = operator.patch(f"/api/v1/tenants/{sign_up().slug}", json={"limits": limits})
    assert answer.status_code == 400


def test_requests_beyond_the_tenants_own_rate_wait(cli: CommandLine, sign_up: SignUp) -> None:
    tenant, other = sign_up(), sign_up()
    cli.json("tenants", "limit", tenant.slug, "--rate-limit", "60", "--rate-burst", "3")
    begun = time.monotonic()
    answers = [tenant.http.get("/api/v1/me").status_code for _ in range(6)]
    refilled = time.monotonic() - begun  # one a second comes back meanwhile
    assert 3 <= answers.count(200) <= 4 + refilled
    assert refilled > 3 or 429 in answers
    assert other.http.get("/api/v1/me").status_code == 200
