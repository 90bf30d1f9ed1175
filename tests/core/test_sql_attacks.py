"""SQL from outside reaches PostgreSQL, and nothing of another tenant is read, written or learned.

A module that passes statements on stands for every injection that code of ours could ever have;
pools of one connection make the victim follow on the attacker's session.
"""

import asyncio
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from fixtures.gateway import listens, running, wait_until
from fixtures.installation import Installation, TestTenant, free_port, sign_up_at
from fixtures.sql_attacks import ALL, PASTED, REMAINING, SABOTAGE
from insula.db import Statement
from insula.db.capabilities import Capabilities
from insula.db.statement import StatementError
from sqlalchemy import text

pytestmark = pytest.mark.xdist_group("sql-attacks")


@dataclass
class Scene:
    """An attacker, a victim in the same bucket, and one in another."""

    installation: Installation
    us: TestTenant
    them: TestTenant
    names: dict[str, str]
    secret: str

    def attack(self, statements: list[str], door: str = "statements") -> list[str]:
        sql = [self.fill(statement) for statement in statements]
        answer = self.us.http.post(f"/api/v1/injectable/{door}", json={"sql": sql})
        assert answer.status_code == 200, answer.text
        return answer.json()  # type: ignore[no-any-return]

    def fill(self, sql: str) -> str:
        return sql.format(**self.names)

    def both_are_served(self) -> None:
        """A read of either, and a write of the victim."""
        for tenant, own in ((self.them, self.secret), (self.us, "ours")):
            listed = tenant.http.get("/api/v1/notes")
            assert [note["title"] for note in listed.json()["items"]] == [own], listed.text
        answer = self.them.http.post("/api/v1/injectable/write", json={"sql": []})
        assert answer.json()[0].endswith("+00:00"), answer.text

    def admin(self, sql: str, *arguments: Any) -> list[Any]:
        async def ask() -> list[Any]:
            connection = await asyncpg.connect(self.installation.settings.database_url)
            try:
                return [tuple(row) for row in await connection.fetch(sql, *arguments)]
            finally:
                await connection.close()

        return asyncio.run(ask())

    def theirs(self) -> dict[str, str]:
        """A checksum of each of the victim's tables, and of what it has in the spool."""
        tables = self.admin(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' "
            "AND relnamespace = $1::text::regnamespace",
            self.names["them"],
        )
        names = [name for (name,) in tables]
        names += ["spool.outbox", "spool.webhook_queue"]
        return {name: self._checksum(name) for name in names}

    def _checksum(self, table: str) -> str:
        mine = f"WHERE tenant = '{self.names['them']}'" if table.startswith("spool.") else ""
        sql = f"SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM {table} t {mine}"
        return str(self.admin(sql)[0][0])


def _find(installation: Installation, slug: str) -> tuple[int, int]:
    async def ask() -> Any:
        connection = await asyncpg.connect(installation.settings.database_url)
        sql = "SELECT number, bucket FROM ctl.tenants WHERE slug = $1"
        row = await connection.fetchrow(sql, slug)
        await connection.close()
        return row

    number, bucket = asyncio.run(ask())
    return number, bucket


@pytest.fixture(scope="module")
def careless(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A second web server on the same databases, with the injectable module."""
    port, log = free_port(), tmp_path_factory.mktemp("injectable") / "web.log"
    options = f"--interface asgi --factory --no-ws --host 127.0.0.1 --port {port}".split()
    granian: str | Path = Path(sys.executable).with_name("granian")
    command = [granian, *options, "fixtures.injectable:create_app"]
    more = {"INSULA_METRICS_PORT": str(free_port()), "INSULA_POOL_SIZE": "1"}
    here = Path(__file__).parents[1]
    with running(command, log=log, cwd=here, environment=installation.environ | more):
        wait_until(lambda: listens(port), "the careless server listens", 60)
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def scene(installation: Installation, careless: str) -> Iterator[Scene]:
    made: dict[int, TestTenant] = {}
    tenants = []
    while True:  # until two share a bucket, and there is one of another
        tenant = sign_up_at(careless)
        tenants.append(tenant)
        number, bucket = _find(installation, tenant.slug)
        if bucket in made and len(made) > 1:
            break
        made.setdefault(bucket, tenant)
    us, them = tenant, made.pop(bucket)
    stranger = next(iter(made.values()))
    secret = f"secret-{secrets.token_hex(8)}"
    for who, title in ((us, "ours"), (them, secret)):
        who.enable("notes", "injectable")
        assert who.http.post("/api/v1/notes", json={"title": title}).status_code == 201
    role = f"t_{_find(installation, them.slug)[0]}"
    names = {
        "us": f"t_{number}",
        "them": role,
        "stranger": f"t_{_find(installation, stranger.slug)[0]}",
        "their_id": them.http.get("/api/v1/me").json()["user"]["id"],
        "their_email": them.owner.email,
        "digest": Capabilities(installation.settings.secret_key).digest_of(role).hex(),
    }
    scene = Scene(installation, us, them, names, secret)
    scene.admin("ANALYZE")  # or there were no statistics to be read
    yield scene
    for tenant in tenants:
        tenant.close()


@pytest.mark.parametrize("kind", ALL)
def test_whole_statements_reach_nobody_else(scene: Scene, kind: str) -> None:
    before = scene.theirs()
    failed = []
    for name, (statements, expected) in ALL[kind].items():
        outcomes = scene.attack(statements)
        if not re.search(expected, outcomes[-1]) or scene.secret in str(outcomes):
            failed.append((name, outcomes))
    assert failed == []
    assert scene.theirs() == before
    scene.both_are_served()


def test_what_is_pasted_into_a_statement_reaches_nobody_else(scene: Scene) -> None:
    failed = []
    for name, (title, expected) in PASTED.items():
        params = {"title": scene.fill(title)}
        outcome = scene.us.http.get("/api/v1/injectable/notes", params=params).json()
        if not re.search(expected, outcome[-1]) or scene.secret in str(outcome):
            failed.append((name, outcome))
    assert failed == []
    ours = scene.us.http.get("/api/v1/injectable/notes", params={"title": "' OR true --"})
    assert ours.json() == ["ours"]  # the door is open
    scene.both_are_served()


def test_the_attacks_do_find_what_nothing_protects(scene: Scene) -> None:
    """Without row security, or with the victim's capability, the same statements succeed."""
    become = ["SET ROLE {them}", "SELECT title FROM {them}.notes"]
    scene.admin(f"ALTER TABLE {scene.names['them']}.notes DISABLE ROW LEVEL SECURITY")
    try:
        assert scene.secret in scene.attack(become)[-1]
    finally:
        scene.admin(f"ALTER TABLE {scene.names['them']}.notes ENABLE ROW LEVEL SECURITY")
    assert scene.attack(become)[-1] == "rows: []"
    stolen = Capabilities(scene.installation.settings.secret_key).of(scene.names["them"])
    assert scene.secret in scene.attack([f"SET insula.capability = '{stolen}'", *become])[-1]
    assert scene.attack(become)[-1] == "rows: []"


def test_what_remains_is_what_the_guide_says(scene: Scene) -> None:
    failed = []
    for name, (statements, expected) in REMAINING.items():
        outcomes = scene.attack(statements)
        if not re.search(expected, outcomes[-1]) or scene.secret in str(outcomes):
            failed.append((name, outcomes))
    assert failed == []
    scene.both_are_served()


@pytest.mark.parametrize("door", ["statements", "script"])
def test_nothing_is_left_on_the_connection(scene: Scene, door: str) -> None:
    for statement in SABOTAGE:
        scene.attack([statement], door)
        scene.both_are_served()


def test_a_request_that_is_cut_off_leaves_nothing(scene: Scene) -> None:
    sql = [scene.fill("SET ROLE {them}"), "SET TimeZone = 'Asia/Tokyo'", "SELECT pg_sleep(1)"]
    for door in ("statements", "script"):
        with suppress(httpx.TimeoutException):
            scene.us.http.post(f"/api/v1/injectable/{door}", json={"sql": sql}, timeout=0.3)
    scene.both_are_served()


def test_the_capability_is_in_no_statement(scene: Scene) -> None:
    """It is sent as a value: what shows statements does not show it."""
    capabilities = Capabilities(scene.installation.settings.secret_key)
    prepared = scene.attack(["SELECT statement FROM pg_prepared_statements"])[-1]
    assert "set_config('insula.capability', $3" in prepared
    seen = prepared + str(scene.admin("SELECT query FROM pg_stat_activity"))
    for role in (scene.names["us"], scene.names["them"]):
        assert capabilities.of(role) not in seen


def test_only_statements_on_rows_can_be_written() -> None:
    for sql in ("SET ROLE x", "-- a\nRESET ROLE", "EXPLAIN SELECT 1", "LISTEN x", "DO $$ $$"):
        with pytest.raises(StatementError):
            Statement(text(sql))


def test_every_table_is_sealed_and_nothing_goes_around(scene: Scene) -> None:
    """Of every tenant that tests in this process have made, however they made its tables."""
    tenants = "n.nspname ~ '^t_[0-9]+$'"
    open_tables = scene.admin(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
        f"WHERE {tenants} AND relkind IN ('r', 'p', 'f') AND NOT (relrowsecurity AND ARRAY("
        "SELECT pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polrelid = c.oid "
        "AND polcmd = '*') = ARRAY['( SELECT ' || n.nspname || '.insula_bound() AS insula_bound)'])"
    )
    assert open_tables == []
    around = scene.admin(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
        f"WHERE {tenants} AND (relkind = 'm' OR relkind = 'v' AND NOT "
        "coalesce(reloptions @> ARRAY['security_invoker=true'], false)) UNION ALL "
        "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n "
        f"ON n.oid = pronamespace WHERE {tenants} AND prosecdef"
    )
    assert around == []
    drawn = scene.admin(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
        f"WHERE {tenants} AND relkind = 'S' "
        "AND has_sequence_privilege(n.nspname, c.oid, 'USAGE, SELECT, UPDATE')"
    )
    assert drawn == []
