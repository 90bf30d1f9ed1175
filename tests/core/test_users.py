"""Users: made, changed and disabled by those who may."""

from fixtures.installation import PASSWORD, TestTenant


def _new(email: str, role: str = "member") -> dict[str, str]:
    return {"email": email, "name": "New", "password": PASSWORD, "role": role}


def test_an_admin_makes_a_user_who_can_sign_in(acme: TestTenant) -> None:
    admin = acme.add_user("admin")
    answer = admin.http.post("/api/v1/users", json=_new("Grace@Example.COM"))
    assert answer.status_code == 201
    assert answer.headers["location"].endswith(answer.json()["id"])
    assert answer.json()["email"] == "grace@example.com"
    assert "password_hash" not in answer.json()
    acme.sign_in("grace@EXAMPLE.com")


def test_an_address_is_taken_once_per_tenant(sign_up: object, acme: TestTenant) -> None:
    assert acme.http.post("/api/v1/users", json=_new("a@example.com")).status_code == 201
    second = acme.http.post("/api/v1/users", json=_new("A@example.com"))
    assert second.status_code == 409
    assert second.json()["type"].endswith("/email-taken")


def test_a_member_cannot_make_users(acme: TestTenant) -> None:
    member = acme.add_user("member")
    assert member.http.post("/api/v1/users", json=_new("b@example.com")).status_code == 403
    assert member.http.get("/api/v1/users").status_code == 200


def test_a_customer_sees_nobody(acme: TestTenant) -> None:
    customer = acme.add_user("customer")
    assert customer.http.get("/api/v1/users").status_code == 403
    scopes = customer.http.get("/api/v1/me").json()["scopes"]
    assert not any(scope.startswith("users:") for scope in scopes)


def test_only_an_owner_makes_owners(acme: TestTenant) -> None:
    admin = acme.add_user("admin")
    answer = admin.http.post("/api/v1/users", json=_new("c@example.com", "owner"))
    assert answer.status_code == 403
    assert acme.http.post("/api/v1/users", json=_new("c@example.com", "owner")).status_code == 201


def _id(user_http: object) -> str:
    return str(user_http.get("/api/v1/me").json()["user"]["id"])  # type: ignore[attr-defined]


def test_disabling_a_user_is_felt_at_once(acme: TestTenant) -> None:
    member = acme.add_user("member")
    user_id = _id(member.http)
    answer = acme.http.patch(f"/api/v1/users/{user_id}", json={"status": "disabled"})
    assert answer.status_code == 200
    assert member.http.get("/api/v1/me").status_code == 401
    refresh = {"refresh_token": member.tokens["refresh_token"]}
    assert acme.anonymous().post("/api/v1/sessions/refresh", json=refresh).status_code == 401
    login = {"email": member.email, "password": PASSWORD}
    assert acme.anonymous().post("/api/v1/sessions", json=login).status_code == 401
    acme.http.patch(f"/api/v1/users/{user_id}", json={"status": "active"})
    acme.sign_in(member.email)


def test_a_changed_role_is_felt_at_once_and_the_session_lives_on(acme: TestTenant) -> None:
    admin = acme.add_user("admin")
    acme.http.patch(f"/api/v1/users/{_id(admin.http)}", json={"role": "customer"})
    assert admin.http.get("/api/v1/users").status_code == 401
    refresh = {"refresh_token": admin.tokens["refresh_token"]}
    tokens = acme.anonymous().post("/api/v1/sessions/refresh", json=refresh)
    assert tokens.status_code == 200
    demoted = acme.user(admin.email, tokens.json())
    assert demoted.http.get("/api/v1/users").status_code == 403


def test_an_admin_cannot_touch_an_owner(acme: TestTenant) -> None:
    admin = acme.add_user("admin")
    path = f"/api/v1/users/{_id(acme.http)}"
    assert admin.http.patch(path, json={"status": "disabled"}).status_code == 403
    assert admin.http.patch(path, json={"role": "member"}).status_code == 403


def test_the_last_owner_stays(acme: TestTenant) -> None:
    path = f"/api/v1/users/{_id(acme.http)}"
    for change in ({"status": "disabled"}, {"role": "admin"}):
        answer = acme.http.patch(path, json=change)
        assert answer.status_code == 409
        assert answer.json()["type"].endswith("/last-owner")


def test_if_match_guards_against_lost_updates(acme: TestTenant) -> None:
    path = f"/api/v1/users/{_id(acme.http)}"
    etag = acme.http.get(path).headers["etag"]
    first = acme.http.patch(path, json={"name": "One"}, headers={"If-Match": etag})
    assert first.status_code == 200
    assert first.headers["etag"] != etag
    second = acme.http.patch(path, json={"name": "Two"}, headers={"If-Match": etag})
    assert second.status_code == 412
    assert acme.http.get(path).json()["name"] == "One"


def test_weak_passwords_are_refused_with_a_pointer(acme: TestTenant) -> None:
    for password in ("short", "password123", "aaaaaaaaaaaa", "x@example.com"):
        answer = acme.http.post(
            "/api/v1/users", json=_new("x@example.com") | {"password": password}
        )
        assert answer.status_code == 400, password
        assert answer.json()["errors"][0]["pointer"] == "/password"
