"""Cells that are further databases of home's own server: `insula cells add NAME --here`."""

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from fixtures.background import WorkerProcess
from fixtures.command import CommandLine
from fixtures.installation import Installation, SignUp, TestTenant
from fixtures.moves import move_and_die
from insula.tenancy.joining import CellLine
from insula.tenancy.roles import bucket_login, login_url
from insula.tenancy.room import shortage


@dataclass
class Beside:
    """A cell of the test's own on the server that all share."""

    installation: Installation
    command: CommandLine
    line: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.line["name"])

    @property
    def first_bucket(self) -> int:
        return int(self.line["number"]) * 100

    @property
    def url(self) -> str:
        home = urlsplit(self.installation.settings.database_url)
        return urlunsplit(home._replace(path=self.line["url"]))

    def ask(self, sql: str, *parameters: Any, home: bool = False) -> Any:
        """One value, asked as superuser."""
        url = self.installation.settings.database_url if home else self.url

        async def fetch() -> Any:
            connection = await asyncpg.connect(url)
            try:
                return await connection.fetchval(sql, *parameters)
            finally:
                await connection.close()

        return asyncio.run(fetch())

    def set_states(self, *, there: str, home: str) -> None:
        """Which of the two gets new tenants; other cells get none."""
        sql = (
            "UPDATE ctl.cells SET state = CASE number WHEN 0 THEN $1 WHEN $2 THEN $3 "
            "ELSE 'draining' END WHERE state <> 'closed'"
        )
        self.ask(sql, home, self.line["number"], there, home=True)

    def take(self, tenant: TestTenant) -> int:
        """Move a tenant here; its number."""
        moved = self.command.json("tenants", "move", tenant.slug, self.name)
        return int(moved["number"])


@pytest.fixture(scope="module")
def beside(installation: Installation) -> Beside:
    """Draining: others' tests count on new tenants being at home."""
    command = CommandLine(installation)
    name = f"c{secrets.token_hex(3)}"
    joined = command.json("cells", "add", name, "--here", "--buckets", "2")
    assert joined["skipped"] == []
    made = Beside(installation, command, joined["cell"])
    made.set_states(there="draining", home="open")
    return made


@pytest.fixture
def only_there(beside: Beside, lasting_worker: WorkerProcess) -> Iterator[None]:
    """New tenants are made there meanwhile, and not at home, where there is a slot for one; no
    worker looks after the slots."""
    lasting_worker.stop()
    beside.command.json("tenants", "slots", "--fill", "1")
    beside.set_states(there="open", home="draining")
    yield
    beside.set_states(there="draining", home="open")
    lasting_worker.start()


_LIKE = (
    "SELECT (d.encoding, d.datlocprovider, d.datcollate, d.datctype, d.datlocale)::text "
    "FROM pg_database d WHERE datname = current_database()"
)
_FREE_THERE = "SELECT array_agg(number) FROM ctl.slots WHERE state = 'free' AND bucket >= $1"
_MEMBERS = (
    "SELECT array_agg(member::regrole::text) FROM pg_auth_members "
    "WHERE roleid = to_regrole($1) AND member::regrole::text ~ '^app_b'"
)


def write_note(tenant: TestTenant, title: str) -> str:
    answer = tenant.http.post("/api/v1/notes", json={"title": title, "body": "Water the beds."})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_it_is_a_database_like_home(beside: Beside) -> None:
    assert beside.line["url"].startswith("/")
    assert beside.ask(_LIKE) == beside.ask(_LIKE, home=True)
    assert beside.command.json("cells", "check")[beside.name] == "ok"


def test_the_same_command_again_repairs_it(beside: Beside) -> None:
    database = beside.ask("SELECT current_database()")
    login = bucket_login(beside.first_bucket)
    may = "SELECT has_database_privilege($1, current_database(), 'CONNECT')"
    beside.ask(f"REVOKE CONNECT ON DATABASE {database} FROM {login}")
    assert not beside.ask(may, login)
    beside.command.json("cells", "add", beside.name, "--here", "--buckets", "2")
    assert beside.ask(may, login)


def test_a_login_opens_its_own_database_alone(beside: Beside) -> None:
    settings = beside.installation.settings

    async def connect(bucket: int, url: str) -> None:
        await (await asyncpg.connect(login_url(settings, bucket_login(bucket), url))).close()

    there, home = (beside.first_bucket, beside.url), (0, settings.database_url)
    for (bucket, own), (_, other) in ((there, home), (home, there)):
        asyncio.run(connect(bucket, own))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            asyncio.run(connect(bucket, other))


def test_a_database_of_somebody_else_is_left_alone(beside: Beside) -> None:
    name = f"c{secrets.token_hex(3)}"
    taken = f"{beside.ask('SELECT current_database()', home=True)}_{name}"
    beside.ask(f"CREATE DATABASE {taken}", home=True)
    try:
        refused = beside.command.run("cells", "add", name, "--here")
        assert refused.returncode != 0
        assert taken in refused.stderr
        assert name not in [line["name"] for line in beside.command.json("cells", "list")]
    finally:
        beside.ask(f"DROP DATABASE {taken}", home=True)


@pytest.mark.usefixtures("only_there")
def test_new_tenants_are_made_there_with_a_slot_and_without(
    beside: Beside, sign_up: SignUp
) -> None:
    def signed_up() -> int:
        tenant = sign_up("notes")
        note = write_note(tenant, "Radishes")
        assert tenant.http.get(f"/api/v1/notes/{note}").json()["title"] == "Radishes"
        number = "SELECT number FROM ctl.tenants WHERE slug = $1"
        return int(beside.ask(number, tenant.slug, home=True))

    assert beside.ask("SELECT count(*) FROM ctl.slots WHERE state = 'free'", home=True) > 0
    numbers = [signed_up()]
    beside.command.json("tenants", "slots", "--fill", "1")
    free = beside.ask(_FREE_THERE, beside.first_bucket, home=True)
    numbers.append(signed_up())
    assert free == [numbers[1]]
    for number in numbers:
        assert beside.ask(f"SELECT count(*) FROM t_{number}.notes") == 1


def test_a_tenant_moves_there_and_back_with_its_role(beside: Beside, sign_up: SignUp) -> None:
    tenant = sign_up("notes")
    note = write_note(tenant, "Radishes")
    number = beside.take(tenant)
    (member,) = beside.ask(_MEMBERS, f"t_{number}")
    assert beside.first_bucket <= int(member[-3:]) < beside.first_bucket + 2
    assert tenant.http.get(f"/api/v1/notes/{note}").json()["title"] == "Radishes"
    write_note(tenant, "Beans")
    beside.command.json("tenants", "move", tenant.slug, "home")
    (member,) = beside.ask(_MEMBERS, f"t_{number}")
    assert int(member[-3:]) < 100
    items = tenant.http.get("/api/v1/notes").json()["items"]
    assert {item["title"] for item in items} == {"Beans", "Radishes"}
    assert beside.ask("SELECT to_regnamespace($1) IS NULL", f"t_{number}")


def test_a_move_there_can_be_called_off(beside: Beside, sign_up: SignUp) -> None:
    """The tenant's role is the server's, so it is its own in both databases, and stays."""
    tenant = sign_up("notes")
    note = write_note(tenant, "Radishes")
    number = beside.ask("SELECT number FROM ctl.tenants WHERE slug = $1", tenant.slug, home=True)
    before = beside.ask(_MEMBERS, f"t_{number}")
    move_and_die(beside.installation, tenant.slug, beside.name, "carrying.compare")
    assert beside.ask("SELECT to_regnamespace($1) IS NOT NULL", f"t_{number}"), "half-way there"
    called_off = beside.command.run("tenants", "move", tenant.slug, "--cancel")
    assert called_off.returncode == 0, called_off.stderr
    assert beside.ask("SELECT to_regnamespace($1) IS NULL", f"t_{number}")
    assert beside.ask(_MEMBERS, f"t_{number}") == before
    assert tenant.http.get(f"/api/v1/notes/{note}").json()["title"] == "Radishes"
    write_note(tenant, "Beans")
    beside.take(tenant)
    items = tenant.http.get("/api/v1/notes").json()["items"]
    assert {item["title"] for item in items} == {"Beans", "Radishes"}


def test_an_operator_is_told_when_cells_run_full(beside: Beside, sign_up: SignUp) -> None:
    run = beside.command.run
    assert "insula cells add" not in run("cells", "list").stderr
    try:
        assert beside.command.json("cells", "capacity", "home", "1")["capacity"] == 1
        sign_up()  # goes there all the same
        listed = run("cells", "list")
        assert listed.returncode == 0
        assert "insula cells add NAME --here" in listed.stderr
    finally:
        beside.ask("UPDATE ctl.cells SET capacity = 2000 WHERE number = 0", home=True)


def test_a_shortage_is_told_before_it_is_one() -> None:
    def cell(name: str, state: str, tenants: int) -> CellLine:
        return CellLine(0, name, state, tenants, 2000, 4, "")

    assert shortage([cell("home", "open", 1799)]) == ""
    assert "home 1,800 of 2,000" in shortage([cell("home", "open", 1800)])
    assert shortage([cell("home", "open", 5000), cell("c1", "open", 0)]) == ""
    assert "are full" in shortage([cell("home", "open", 2000), cell("c1", "draining", 0)])
    assert "no cell is open" in shortage([cell("home", "draining", 1)])
