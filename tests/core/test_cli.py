"""The command line: output for programs, exit codes, and one line about what went wrong."""

import secrets

import pytest
from fixtures.command import CommandLine, Result
from fixtures.installation import Installation, TestTenant


@pytest.fixture
def insula(installation: Installation) -> CommandLine:
    return CommandLine(installation)


@pytest.fixture
def slug() -> str:
    return f"c-{secrets.token_hex(5)}"


def _refused(result: Result, code: int, *words: str) -> None:
    """The command failed with this code and one line on stderr that has these words."""
    assert result.returncode == code, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert all(word in result.stderr for word in words), result.stderr
    if code == 1:
        assert result.stderr.count("\n") == 1, result.stderr


def test_a_tenant_is_created_shown_and_listed(
    insula: CommandLine, installation: Installation, slug: str
) -> None:
    made = insula.create(slug, "--module", "notes")
    assert (made["slug"], made["status"], made["modules"]) == (slug, "active", ["notes"])
    assert insula.json("tenants", "show", slug) == made
    assert made in insula.json("tenants", "list")
    owner = TestTenant(installation.url, slug, made["id"], None)  # type: ignore[arg-type]
    user = owner.sign_in(f"owner@{slug}.example.com")
    assert user.http.get("/api/v1/notes").status_code == 200
    owner.close()


def test_people_get_text(insula: CommandLine, slug: str) -> None:
    insula.create(slug)
    shown = insula.run("tenants", "show", slug)
    assert shown.returncode == 0
    assert ["slug", slug] in [line.split() for line in shown.stdout.splitlines()]
    listed = insula.run("tenants", "list").stdout.splitlines()
    assert listed[0].split() == ["SLUG", "NAME", "STATUS", "CREATED", "MODULES"]
    assert any(line.startswith(slug) for line in listed)


def test_a_suspended_tenant_is_refused_at_once_until_resumed(
    insula: CommandLine, acme: TestTenant
) -> None:
    assert acme.http.get("/api/v1/me").status_code == 200
    assert insula.json("tenants", "suspend", acme.slug)["status"] == "suspended"
    answer = acme.http.get("/api/v1/me")
    assert answer.status_code == 403
    assert answer.json()["type"].endswith("/tenant-suspended")
    assert insula.json("tenants", "resume", acme.slug)["status"] == "active"
    assert acme.http.get("/api/v1/me").status_code == 200


def test_modules_are_switched(insula: CommandLine, acme: TestTenant) -> None:
    def state() -> bool:
        lines = insula.json("modules", "list", "--tenant", acme.slug)
        return bool(next(line["enabled"] for line in lines if line["name"] == "notes"))

    assert not state()
    assert insula.json("modules", "enable", "notes", "--tenant", acme.slug)["enabled"] is True
    assert state()
    assert acme.http.get("/api/v1/notes").status_code == 200
    assert insula.json("modules", "disable", "notes", "--tenant", acme.slug)["enabled"] is False
    assert not state()
    assert acme.http.get("/api/v1/notes").status_code == 404


def test_the_database_is_migrated_and_says_so(insula: CommandLine) -> None:
    report = insula.json("db", "migrate")
    assert report["failures"] == []
    state = insula.json("db", "status", "--check")
    assert {line["behind"] for line in state["modules"]} == {0}
    assert {"core", "notes"} <= {line["module"] for line in state["modules"]}


def test_revising_what_has_not_changed_writes_nothing(insula: CommandLine) -> None:
    assert insula.json("modules", "revise", "notes", "-m", "nothing") == {
        "path": None,
        "sql": "",
        "open": [],
    }


@pytest.mark.parametrize(
    "arguments",
    [
        "tenants show nobody",
        "tenants suspend nobody",
        "tenants delete nobody --yes",
        "modules enable notes --tenant nobody",
        "modules enable teleport --tenant nobody",
        "modules revise teleport -m x",
    ],
)
def test_what_is_not_there_is_one_line(insula: CommandLine, arguments: str) -> None:
    words = arguments.split()
    missing = "teleport" if "teleport" in words else "nobody"
    _refused(insula.run(*words), 1, missing)


@pytest.mark.parametrize(
    "arguments", ["teleport", "tenants teleport", "tenants show", "db migrate --fast"]
)
def test_a_wrong_command_is_a_usage_error(insula: CommandLine, arguments: str) -> None:
    result = insula.run(*arguments.split())
    assert result.returncode == 2
    assert "Usage" in result.stderr


def test_a_slug_is_taken_once_and_checked(insula: CommandLine, acme: TestTenant) -> None:
    def create(slug: str, password: str) -> Result:
        options = ("--name", "N", "--email", "a@example.com", "--password-stdin")
        return insula.run("tenants", "create", slug, *options, stdin=password + "\n")

    _refused(create(acme.slug, "correct horse battery staple"), 1, acme.slug)
    _refused(create("No slug!", "correct horse battery staple"), 1, "slug")
    _refused(create("short-password", "x"), 1, "password")


def test_a_database_that_is_away_is_one_line(installation: Installation) -> None:
    away = {"INSULA_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}
    _refused(CommandLine(installation, environ=away).run("tenants", "list"), 1, "insula: ")
